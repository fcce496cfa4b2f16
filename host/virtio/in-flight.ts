/**
 * Which tags of a server are in flight, and how many bytes they are about: bounded in both, so that a guest whose
 * requests are all of the same few buffers cannot have the host at work for longer than its window is large.
 */

/** A window may be small, and discards are about ranges that it does not hold. */
const BYTES_LEAST = 64 << 20;

export class InFlight {
  /** Tags that are free: a stack. */
  readonly #free: Uint16Array;
  #freeCount: number;
  readonly #bytesMax: number;
  #bytes = 0;

  constructor(tags: number, windowBytes: number) {
    this.#free = Uint16Array.from({ length: tags }, (_, index) => tags - 1 - index);
    this.#freeCount = tags;
    this.#bytesMax = Math.max(windowBytes, BYTES_LEAST);
  }

  get count(): number {
    return this.#free.length - this.#freeCount;
  }

  /** Whether one more may be taken, however large: there is less in flight than the window holds. */
  get hasRoom(): boolean {
    return this.#freeCount > 0 && this.#bytes < this.#bytesMax;
  }

  /** A tag, while there is room. */
  take(lengthBytes: number): number {
    this.#bytes += lengthBytes;
    return this.#free[--this.#freeCount] ?? 0;
  }

  giveBack(tag: number, lengthBytes: number): void {
    this.#bytes -= lengthBytes;
    this.#free[this.#freeCount++] = tag;
  }
}
