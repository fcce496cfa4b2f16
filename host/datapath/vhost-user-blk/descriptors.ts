/**
 * The descriptors of one connection, in words that two threads share: the guest's thread fills them in, and whoever
 * outlives the other closes them, each once. So a guest's thread that was killed leaves none behind.
 */

/** The socket, both ends of a pipe, two eventfds, an epoll; and some to spare. */
const SLOTS = 8;

export class Descriptors {
  readonly shared: SharedArrayBuffer;
  /** A descriptor and 1; 0 for none. */
  readonly #words: Int32Array;

  constructor(shared: SharedArrayBuffer = new SharedArrayBuffer(SLOTS * 4)) {
    this.shared = shared;
    this.#words = new Int32Array(shared);
  }

  /** Puts an open descriptor into a free slot; returns it, so that opening and keeping is one expression. */
  keep(fd: number): number {
    for (let slot = 0; slot < SLOTS; slot++) {
      if (Atomics.compareExchange(this.#words, slot, 0, fd + 1) === 0) return fd;
    }
    throw new Error("wasm-uring bug: more descriptors of a connection than slots");
  }

  /** Closes one before the others. */
  closeOne(fd: number, close: (fd: number) => number): void {
    for (let slot = 0; slot < SLOTS; slot++) {
      if (Atomics.compareExchange(this.#words, slot, fd + 1, 0) !== fd + 1) continue;
      close(fd);
      return;
    }
  }

  closeAll(close: (fd: number) => number): void {
    for (let slot = 0; slot < SLOTS; slot++) {
      const word = Atomics.exchange(this.#words, slot, 0);
      if (word !== 0) close(word - 1);
    }
  }
}
