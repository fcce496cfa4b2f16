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
  /** By tag: the vectors that are left, of those that were set. */
  readonly #firsts: Uint8Array;
  readonly #ends: Uint8Array;
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
    this.#firsts = new Uint8Array(tags);
    this.#ends = new Uint8Array(tags);
    this.#deviceAddress = deviceAddress;
    this.#syscalls = syscalls;
  }

  /** Sets the vectors of a tag to `count` buffers of the window, from `first` on. */
  fill(
    tag: number,
    offsets: Uint32Array,
    lengths: Uint32Array,
    first: number,
    count: number,
  ): void {
    this.#firsts[tag] = 0;
    this.#ends[tag] = count;
    for (let index = 0; index < count; index++) {
      const at = (tag * BLK_SEGMENTS_MAX + index) * IOVEC_WORDS;
      this.#setAddress(at, this.#deviceAddress + (offsets[first + index] ?? 0));
      this.#words[at + 2] = lengths[first + index] ?? 0;
      this.#words[at + 3] = 0;
    }
  }

  /** Native address of what is left of a tag's array. */
  addressOf(tag: number): number {
    return this.mapping.address + tag * TABLE_BYTES + (this.#firsts[tag] ?? 0) * IOVEC_BYTES;
  }

  countOf(tag: number): number {
    return (this.#ends[tag] ?? 0) - (this.#firsts[tag] ?? 0);
  }

  /** Takes the first `bytes`, which were moved, off a tag's vectors. */
  advance(tag: number, bytes: number): void {
    let left = bytes;
    let first = this.#firsts[tag] ?? 0;
    for (; left > 0 && first < (this.#ends[tag] ?? 0); first++) {
      const at = (tag * BLK_SEGMENTS_MAX + first) * IOVEC_WORDS;
      const length = this.#words[at + 2] ?? 0;
      if (left < length) {
        this.#setAddress(at, this.#addressAt(at) + left);
        this.#words[at + 2] = length - left;
        break;
      }
      left -= length;
    }
    this.#firsts[tag] = first;
  }

  /** Where in the window the vector begins that is `index` behind the first one left. */
  windowOffset(tag: number, index: number): number {
    return this.#addressAt(this.#wordOf(tag, index)) - this.#deviceAddress;
  }

  lengthBytes(tag: number, index: number): number {
    return this.#words[this.#wordOf(tag, index) + 2] ?? 0;
  }

  #wordOf(tag: number, index: number): number {
    return (tag * BLK_SEGMENTS_MAX + (this.#firsts[tag] ?? 0) + index) * IOVEC_WORDS;
  }

  #addressAt(word: number): number {
    return (this.#words[word] ?? 0) + (this.#words[word + 1] ?? 0) * TWO_POW_32;
  }

  #setAddress(word: number, address: number): void {
    this.#words[word] = address;
    this.#words[word + 1] = address / TWO_POW_32;
  }

  /** Unmaps. Only when the back end is closed. Idempotent. */
  release(): void {
    if (this.#released) return;
    this.#released = true;
    this.#syscalls.munmap(BigInt(this.mapping.address), this.mapping.length);
  }
}
