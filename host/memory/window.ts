/**
 * The window: a range of a guest's memory that others than the guest reach as well. Its pages are replaced in place
 * by a memfd, which is mapped a second time elsewhere, the device mapping. The thread, the pool or the process that
 * serves the guest's device uses that one only, so that nothing dangles when the guest's memory goes away; it is
 * unmapped last, when nothing is in flight.
 */
import { Errno } from "../abi";
import type { SharedMemoryCalls } from "../ffi/shared-memory";
import type { Syscalls } from "../ffi/syscalls";
import type { GuestMemory } from "./guest-memory";

const PROT_READ_WRITE = 3;
const MAP_SHARED = 1;
const MAP_SHARED_FIXED = 0x1 | 0x10;
const MAP_PRIVATE_ANONYMOUS_FIXED = 0x2 | 0x10 | 0x20;

/** As much as one registered buffer: queue and buffers of a guest need no more. */
export const WINDOW_LENGTH_MAX_BYTES = 1 << 30;

/** Where a window is, in numbers that may cross to another thread. */
export interface WindowMapping {
  /** Of the guest's memory. */
  offset: number;
  length: number;
  memfd: number;
  /** Native address of the device mapping; below 2^48, so exact. */
  deviceAddress: number;
}

/** What went wrong, for the guest and for its owner. */
export interface WindowRefusal {
  errno: Errno;
  reason: string;
}

interface Calls {
  syscalls: Syscalls;
  sharedMemory: SharedMemoryCalls;
}

/** Bounds and alignment of what the guest said; null when it can be a window. */
export function checkWindow(
  memory: GuestMemory,
  offset: number,
  length: number,
  pageBytes: number,
): WindowRefusal | null {
  const where = `the window at offset ${offset}, ${length} bytes`;
  if (length === 0) return { errno: Errno.EINVAL, reason: `${where}, is empty` };
  if (!memory.contains(offset, length)) {
    const reason = `${where}, is not inside the memory of ${memory.lengthBytes} bytes`;
    return { errno: Errno.EFAULT, reason };
  }
  if (offset === 0 || offset % pageBytes !== 0 || length % pageBytes !== 0) {
    const reason = `${where}, is not made of whole pages of ${pageBytes} bytes`;
    return { errno: Errno.EINVAL, reason };
  }
  if (length > WINDOW_LENGTH_MAX_BYTES) {
    return {
      errno: Errno.EINVAL,
      reason: `${where}, is larger than ${WINDOW_LENGTH_MAX_BYTES} bytes`,
    };
  }
  return null;
}

/**
 * Makes a range of guest memory a window, its contents kept. On the guest's thread, inside its call: nobody else
 * writes to the range meanwhile.
 *
 * @param offset of a range that `checkWindow` let pass
 *
 * @returns a negated errno when a call failed: then the memory is what it was
 *
 * @throws Error when the guest's pages were lost half-way and could not be put back
 */
export function shareWindow(
  memory: GuestMemory,
  offset: number,
  length: number,
  { syscalls, sharedMemory }: Calls,
): WindowMapping | number {
  const memfd = sharedMemory.create("wasm-uring-window", length);
  if (memfd < 0) return memfd;
  const sealed = sharedMemory.seal(memfd);
  const device =
    sealed < 0 ? BigInt(sealed) : syscalls.mmap(0n, length, PROT_READ_WRITE, MAP_SHARED, memfd, 0);
  if (device < 0n) {
    sharedMemory.close(memfd);
    return Number(device);
  }
  const copy = new Uint8Array(syscalls.viewOf(device, length));
  copyPages(memory.bytes.subarray(offset, offset + length), copy);
  const address = memory.baseAddress(syscalls) + BigInt(offset);
  const mapped = syscalls.mmap(address, length, PROT_READ_WRITE, MAP_SHARED_FIXED, memfd, 0);
  if (mapped < 0n) {
    const restored = restorePages(syscalls, address, copy, memory, offset);
    syscalls.munmap(device, length);
    sharedMemory.close(memfd);
    if (!restored) throw new Error(`mmap(MAP_FIXED) of a window lost the guest's pages`);
    return Number(mapped);
  }
  return { offset, length, memfd, deviceAddress: Number(device) };
}

/** The device mapping as an ArrayBuffer, for the thread that calls. Dead once `releaseWindow` was called. */
export function viewWindow(window: WindowMapping, syscalls: Syscalls): ArrayBuffer {
  return syscalls.viewOf(BigInt(window.deviceAddress), window.length);
}

/**
 * Unmaps the device mapping and closes the memfd. The guest keeps its pages, and what is in them, until its memory
 * goes away. Only when nothing is in flight any more.
 */
export function releaseWindow(window: WindowMapping, syscalls: Syscalls): void {
  syscalls.munmap(BigInt(window.deviceAddress), window.length);
  syscalls.close(window.memfd);
}

const CHUNK_BYTES = 4096;

/** Copies what is not zero: a large window of fresh memory costs no pages before they are used. */
function copyPages(source: Uint8Array, target: Uint8Array): void {
  const words = new BigUint64Array(source.buffer, source.byteOffset, source.byteLength / 8);
  const chunkWords = CHUNK_BYTES / 8;
  for (let word = 0; word < words.length; word += chunkWords) {
    const end = word + chunkWords;
    let at = word;
    while (at < end && words[at] === 0n) at++;
    if (at === end) continue;
    target.set(source.subarray(word * 8, end * 8), word * 8);
  }
}

/** mmap(MAP_FIXED) removes what was there before it can fail: fresh pages with the same contents, then. */
function restorePages(
  syscalls: Syscalls,
  address: bigint,
  copy: Uint8Array,
  memory: GuestMemory,
  offset: number,
): boolean {
  const { length } = copy;
  const pages = syscalls.mmap(address, length, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS_FIXED, -1, 0);
  if (pages < 0n) return false;
  memory.bytes.set(copy, offset);
  return true;
}
