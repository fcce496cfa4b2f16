/**
 * The bounds check of a fixed read or write, as the kernel does it for a registered buffer
 * (io_uring/rsrc.c: io_import_fixed): the address and its length must lie inside the one buffer
 * that the ring has. For the engines that consume a guest's SQ in the host.
 */
import { GUEST_ADDRESS_BASE } from "../abi";
import type { CheckedRequest } from "./engine";
import { bufferIndexOf, SqeWord, unsigned64 } from "./sqe-word";

export class ArenaWindow {
  readonly #start: number;
  readonly #end: number;

  constructor(request: CheckedRequest) {
    this.#start = request.arenaOffset;
    this.#end = request.arenaOffset + request.arenaLength;
  }

  /**
   * Where in linear memory a copied READ_FIXED or WRITE_FIXED has its data.
   *
   * @returns the offset, -1 when the kernel would answer EFAULT
   */
  locate(words: Int32Array, at: number): number {
    if (bufferIndexOf(words[at + SqeWord.BUFFER] ?? 0) !== 0) return -1;
    const address = unsigned64(
      words[at + SqeWord.ADDR_LOW] ?? 0,
      words[at + SqeWord.ADDR_HIGH] ?? 0,
    );
    // Exact where it matters: what is beyond 2^53 is rounded, but stays far outside.
    const offset = address - GUEST_ADDRESS_BASE;
    const length = (words[at + SqeWord.LEN] ?? 0) >>> 0;
    return offset >= this.#start && offset + length <= this.#end ? offset : -1;
  }
}
