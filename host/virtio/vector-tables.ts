/**
 * The struct iovec arrays of a device's requests in flight, one for each tag, in memory of their own: a back end's
 * workers and the kernel read them while the thread that wrote them may be killed, so they are no JavaScript memory.
 */

import { WasmUringError } from "../errors";
import type { Syscalls } from "../ffi/syscalls";
import { BLK_SEGMENTS_MAX } from "./blk-config";

const IOVEC_BYTES = 16;
/** u32 words of one struct iovec: base low, base high, length low, length high. */
const IOVEC_WORDS = IOVEC_BYTES / 4;
const TABLE_BYTES = BLK_SEGMENTS_MAX * IOVEC_BYTES;
const TWO_POW_32 = 0x1_0000_0000;
const PROT_READ_WRITE = 3;
const MAP_PRIVATE_ANONYMOUS = 0x22;

/** The calls that this needs; a test has them without a kernel. */
export type VectorCalls = Pick<Syscalls, "mmap" | "munmap" | "viewOf">;

export class VectorTables {
  /** For whoever cleans up when this thread was killed: unmapped when nothing is in flight. */
  readonly mapping: { readonly address: number; readonly length: number };
  readonly #words: Uint32Array;
  readonly #deviceAddress: number;
  readonly #syscalls: VectorCalls;
  #released = false;

  /**
   * @param deviceAddress of the window's device mapping
   * @throws WasmUringError ERR_SYSCALL
   */
  constructor(tags: number, deviceAddress: number, syscalls: VectorCalls) {
    const length = tags * TABLE_BYTES;
    const address = syscalls.mmap(0n, length, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0);
    if (address < 0n) {
      throw new WasmUringError("ERR_SYSCALL", {
        what: `mapping ${length} bytes for the I/O vectors of ${tags} requests`,
        why: "mmap(2) failed",
        syscall: "mmap",
        errno: Number(-address),
        whatToDo: "give the process more memory (ulimit -v, cgroup)",
      });
    }
    this.mapping = { address: Number(address), length };
    this.#words = new Uint32Array(syscalls.viewOf(address, length));
    this.#deviceAddress = deviceAddress;
    this.#syscalls = syscalls;
  }

  /** Native address of a tag's array. */
  addressOf(tag: number): number {
    return this.mapping.address + tag * TABLE_BYTES;
  }

  /** Sets vector `index` of a tag to a buffer of the window. */
  set(tag: number, index: number, windowOffset: number, lengthBytes: number): void {
    const at = (tag * BLK_SEGMENTS_MAX + index) * IOVEC_WORDS;
    const address = this.#deviceAddress + windowOffset;
    const words = this.#words;
    words[at] = address;
    words[at + 1] = address / TWO_POW_32;
    words[at + 2] = lengthBytes;
    words[at + 3] = 0;
  }

  /** Where in the window a vector begins. */
  windowOffset(tag: number, index: number): number {
    const at = (tag * BLK_SEGMENTS_MAX + index) * IOVEC_WORDS;
    const address = (this.#words[at] ?? 0) + (this.#words[at + 1] ?? 0) * TWO_POW_32;
    return address - this.#deviceAddress;
  }

  lengthBytes(tag: number, index: number): number {
    return this.#words[(tag * BLK_SEGMENTS_MAX + index) * IOVEC_WORDS + 2] ?? 0;
  }

  /** Unmaps. Only when the back end is closed. Idempotent. */
  release(): void {
    if (this.#released) return;
    this.#released = true;
    this.#syscalls.munmap(BigInt(this.mapping.address), this.mapping.length);
  }
}
