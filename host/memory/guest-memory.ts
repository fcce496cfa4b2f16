/**
 * A guest's linear memory as the host sees it: bytes that belong to an attacker. Range checks, views that are re-made
 * after the guest grew its memory, and the native base address, which must never move while a ring lies in it
 * (design D1).
 */
import { WasmUringError } from "../errors";
import type { Syscalls } from "../ffi/syscalls";

export class GuestMemory {
  readonly memory: WebAssembly.Memory;
  readonly #shared: boolean;
  #bytes: Uint8Array;
  #view: DataView;
  #words: Int32Array;

  constructor(memory: WebAssembly.Memory) {
    this.memory = memory;
    this.#shared = memory.buffer instanceof SharedArrayBuffer;
    this.#bytes = new Uint8Array(memory.buffer);
    this.#view = new DataView(memory.buffer);
    this.#words = new Int32Array(memory.buffer);
  }

  /** Whole memory. Do not keep it across a call into the guest: growth detaches it. */
  get bytes(): Uint8Array {
    this.#refresh();
    return this.#bytes;
  }

  get view(): DataView {
    this.#refresh();
    return this.#view;
  }

  /** 32-bit words, for Atomics: index = offset / 4. */
  get words(): Int32Array {
    this.#refresh();
    return this.#words;
  }

  get lengthBytes(): number {
    return this.memory.buffer.byteLength;
  }

  /**
   * Whether [offset, offset + length) lies inside memory. Takes what an i32 import parameter gives:
   * made unsigned here.
   */
  contains(offset: number, length: number): boolean {
    const end = (offset >>> 0) + (length >>> 0);
    return end <= this.#bytes.length || end <= this.lengthBytes;
  }

  /** A private copy, or null when the range is not inside memory. */
  copyOut(offset: number, length: number): Uint8Array | null {
    if (!this.contains(offset, length)) return null;
    const start = offset >>> 0;
    return this.bytes.slice(start, start + (length >>> 0));
  }

  /** The native address of offset 0, by `addressOf`. */
  baseAddress(syscalls: Syscalls): bigint {
    return syscalls.addressOf(this.bytes);
  }

  /**
   * A non-shared buffer is detached by growth: its length is 0, which is seen without a call into the engine. A shared
   * one stays valid but short.
   */
  #refresh(): void {
    if (!this.#shared && this.#bytes.length > 0) return;
    const buffer = this.memory.buffer;
    if (buffer === this.#bytes.buffer) return;
    this.#bytes = new Uint8Array(buffer);
    this.#view = new DataView(buffer);
    this.#words = new Int32Array(buffer);
  }
}

/** Thrown when V8 moved a memory that holds a ring; it is not known to happen (Node 20 to 26). */
export function memoryMovedError(before: bigint, after: bigint): WasmUringError {
  return new WasmUringError("ERR_MEMORY_MOVED", {
    what: `the guest's memory moved from 0x${before.toString(16)} to 0x${after.toString(16)} when it grew`,
    why: "the kernel still holds the pages at the old address, so the ring was closed",
    likelyCause:
      "little address space (ulimit -v), where the engine cannot reserve room to grow in place",
    whatToDo: "raise ulimit -v, or give the guest a shared memory, which never moves",
  });
}
