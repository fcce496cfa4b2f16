/**
 * The bounds check of a fixed read or write, as the kernel does it for registered buffers
 * (io_uring/rsrc.c: io_import_fixed): the address and its length must lie inside the buffer that the
 * SQE's buf_index names. For the engines that consume a guest's SQ in the host.
 */
import { ARENAS_MAX, GUEST_ADDRESS_BASE } from "../abi";
import type { CheckedRequest } from "./engine";
import { bufferIndexOf, SqeWord, unsigned64 } from "./sqe-word";

export class ArenaWindows {
  /** By index; nothing fits in one whose end is its start. Offsets may be 2^32, so no Uint32Array. */
  readonly #starts = new Float64Array(ARENAS_MAX);
  readonly #ends = new Float64Array(ARENAS_MAX).fill(-1);

  constructor(request: CheckedRequest) {
    this.add(0, request.arenaOffset, request.arenaLength);
  }

  add(index: number, offset: number, length: number): void {
    this.#starts[index] = offset;
    this.#ends[index] = offset + length;
  }

  /**
   * Where in linear memory a copied READ_FIXED or WRITE_FIXED has its data.
   *
   * @returns the offset, -1 when the kernel would answer EFAULT
   */
  locate(words: Int32Array, at: number): number {
    const index = bufferIndexOf(words[at + SqeWord.BUFFER] ?? 0);
    if (index >= ARENAS_MAX) return -1;
    const address = unsigned64(
      words[at + SqeWord.ADDR_LOW] ?? 0,
      words[at + SqeWord.ADDR_HIGH] ?? 0,
    );
    // Exact where it matters: what is beyond 2^53 is rounded, but stays far outside.
    const offset = address - GUEST_ADDRESS_BASE;
    const length = (words[at + SqeWord.LEN] ?? 0) >>> 0;
    const start = this.#starts[index] ?? 0;
    const end = this.#ends[index] ?? -1;
    return offset >= start && offset + length <= end ? offset : -1;
  }
}
