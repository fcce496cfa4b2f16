/** What a service on the guest's thread gets of its guest: how a window is made, and whether the guest is to end. */
import type { WindowMapping } from "../memory/window";
import type { WindowRange } from "../virtio/service";

export interface ServiceContext {
  /**
   * Checks the range and makes it a window. The mapping, which whoever serves publishes at once, or a negated errno.
   * The embedder's thread releases it when nothing is in flight any more.
   */
  shareWindow(range: WindowRange): WindowMapping | number;
  stop: { stopped(): boolean };
}

/** The longest that a service waits in one system call before it looks at the stop signal, µs. */
export const SLICE_US = 50_000;

/** When a time from now is over, in performance.now()'s milliseconds. */
export function deadlineOf(timeoutUs: number): number {
  return performance.now() + timeoutUs / 1000;
}
