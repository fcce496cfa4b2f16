/**
 * Copying and clearing memory by its native address, for the RAM disk: a call costs less than a view on the memory
 * would. The caller vouches for every byte.
 */
import { loadLibc } from "./libc";

const MADV_DONTNEED = 4;

export interface NativeMemory {
  /** memcpy(3). */
  copy(target: number, source: number, length: number): void;
  /** memset(3) with 0. */
  clear(address: number, length: number): void;
  /** madvise(2) MADV_DONTNEED: gives whole private pages back, which read as zeroes from then on. */
  drop(address: number, length: number): number;
}

function makeNativeMemory(): NativeMemory {
  const { number, checked } = loadLibc();
  const memcpy = number("void memcpy(uintptr_t target, uintptr_t source, size_t length)");
  const memset = number("void memset(uintptr_t target, int value, size_t length)");
  const madvise = number("int madvise(uintptr_t address, size_t length, int advice)");
  return {
    copy: (target, source, length) => {
      memcpy(target, source, length);
    },
    clear: (address, length) => {
      memset(address, 0, length);
    },
    drop: (address, length) => checked(madvise(address, length, MADV_DONTNEED)),
  };
}

let table: NativeMemory | undefined;

/** The table of this thread. Throws what koffi throws when libc cannot be loaded. */
export function nativeMemory(): NativeMemory {
  table ??= makeNativeMemory();
  return table;
}
