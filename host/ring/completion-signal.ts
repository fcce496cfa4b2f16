/**
 * The eventfd of engines where the host plays the kernel: signalled once for each enter that posted completions, unless
 * the guest muted it by IORING_CQ_EVENTFD_DISABLED in its CQ flags, as the kernel does for a ring of its own.
 */
import { writeSync } from "node:fs";
import { CqFlag } from "../abi";
import type { GuestMemory } from "../memory/guest-memory";

const ONE = new Uint8Array(new BigUint64Array([1n]).buffer);

export class CompletionSignal {
  readonly #memory: GuestMemory;
  readonly #cqFlags: number;
  readonly #eventFd: number | undefined;
  #signalled = 0;

  /** @param cqFlags offset of the CQ's flags word in linear memory */
  constructor(memory: GuestMemory, cqFlags: number, eventFd: number | undefined) {
    this.#memory = memory;
    this.#cqFlags = cqFlags;
    this.#eventFd = eventFd;
  }

  /** @param posted completions posted since the start */
  update(posted: number): void {
    if (this.#eventFd === undefined || posted === this.#signalled) return;
    this.#signalled = posted;
    const flags = Atomics.load(this.#memory.words, this.#cqFlags >>> 2);
    if ((flags & CqFlag.EVENTFD_DISABLED) !== 0) return;
    try {
      writeSync(this.#eventFd, ONE);
    } catch {
      // The counter is full: who reads it has been told often enough.
    }
  }
}
