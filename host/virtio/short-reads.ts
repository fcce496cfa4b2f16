/**
 * What becomes of a read that the kernel performed in part. It may have met an error in the middle, which only the next
 * read of the rest tells, so the rest is read; when not a whole block more comes the file has ended, and as in QEMU
 * what lies behind its end reads as zeroes.
 */
import { type BlockBackend, BlockOperation } from "./aio/backend";
import type { VectorTables } from "./vector-tables";

export class ShortReads {
  readonly #blockBytes: number;
  readonly #vectors: VectorTables;
  readonly #window: Uint8Array;
  // By tag: where on the disk the read goes on, and how much of it is left.
  readonly #offsets: Float64Array;
  readonly #lengths: Uint32Array;

  constructor(tags: number, blockBytes: number, vectors: VectorTables, window: Uint8Array) {
    this.#blockBytes = blockBytes;
    this.#vectors = vectors;
    this.#window = window;
    this.#offsets = new Float64Array(tags);
    this.#lengths = new Uint32Array(tags);
  }

  begin(tag: number, offsetBytes: number, lengthBytes: number): void {
    this.#offsets[tag] = offsetBytes;
    this.#lengths[tag] = lengthBytes;
  }

  /**
   * @param result bytes that the read of the tag moved, not negative
   *
   * @returns whether the back end has the rest, prepared; otherwise the buffers are whole
   */
  goesOn(tag: number, result: number, backend: BlockBackend): boolean {
    const left = this.#lengths[tag] ?? 0;
    if (result >= left) return false;
    const whole = result - (result % this.#blockBytes);
    if (whole === 0) {
      this.#zeroFrom(tag, result);
      return false;
    }
    const vectors = this.#vectors;
    vectors.advance(tag, whole);
    const offset = (this.#offsets[tag] ?? 0) + whole;
    const length = left - whole;
    this.begin(tag, offset, length);
    const address = vectors.addressOf(tag);
    const count = vectors.countOf(tag);
    backend.prepare(BlockOperation.READ, tag, offset, address, count, length, false);
    return true;
  }

  #zeroFrom(tag: number, done: number): void {
    let skip = done;
    const count = this.#vectors.countOf(tag);
    for (let index = 0; index < count; index++) {
      const length = this.#vectors.lengthBytes(tag, index);
      const begin = Math.min(skip, length);
      skip -= begin;
      const offset = this.#vectors.windowOffset(tag, index);
      this.#window.fill(0, offset + begin, offset + length);
    }
  }
}
