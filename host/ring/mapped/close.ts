/**
 * Ordered teardown of a kernel ring (design D6): cancel everything, wait until nothing is in flight, close. Pending
 * reads would otherwise still write into the memory after close (kernel-facts 0.5).
 */
import { setTimeout as sleep } from "node:timers/promises";
import { Errno } from "../../abi";
import type { Syscalls } from "../../ffi/syscalls";
import { cancelAll, unregisterBuffers } from "../register";

/** How long a teardown waits for what cannot be cancelled. */
const CANCEL_TIMEOUT_MS = 5000;
/** The same when the guest's thread is gone: nothing can be written into its memory any more, which is gone as well. */
const GENTLE_CANCEL_MS = 1000;
/** One blocking wait on a thread that must not block. */
const GENTLE_TIMEOUT_MS = 2;
const GENTLE_PAUSE_MS = 10;
const PAUSE_MS = 1;

const pauseWord = new Int32Array(new SharedArrayBuffer(4));

/**
 * Whether operations may still be in flight: some were found, which are cancelled but perhaps not yet complete (the
 * kernel's SQPOLL thread completes them later), or the call did not get to the end.
 */
function mayBeInFlight(found: number): boolean {
  return found > 0 || found === -Errno.ETIME || found === -Errno.EINTR;
}

/** For the guest's own thread: blocks until it is done. */
export function closeRing(syscalls: Syscalls, ringFd: number): void {
  const end = performance.now() + CANCEL_TIMEOUT_MS;
  for (let first = true; ; first = false) {
    const leftMs = Math.ceil(end - performance.now());
    if (leftMs <= 0) break;
    if (!mayBeInFlight(cancelAll(syscalls, ringFd, leftMs))) {
      unregisterBuffers(syscalls, ringFd);
      break;
    }
    // What completes on this thread did so when the call returned; the rest gets a moment.
    if (!first) Atomics.wait(pauseWord, 0, 0, PAUSE_MS);
  }
  syscalls.close(ringFd);
}

/**
 * For the embedder's thread, when the worker died: short waits with the event loop running between them.
 *
 * @returns false when something may still be in flight, and write to where it was told
 */
export async function closeRingGently(syscalls: Syscalls, ringFd: number): Promise<boolean> {
  const end = performance.now() + GENTLE_CANCEL_MS;
  let found = cancelAll(syscalls, ringFd, GENTLE_TIMEOUT_MS);
  while (mayBeInFlight(found) && performance.now() < end) {
    await sleep(GENTLE_PAUSE_MS);
    found = cancelAll(syscalls, ringFd, GENTLE_TIMEOUT_MS);
  }
  const isQuiet = !mayBeInFlight(found);
  if (isQuiet) unregisterBuffers(syscalls, ringFd);
  syscalls.close(ringFd);
  return isQuiet;
}
