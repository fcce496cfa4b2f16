/**
 * Writing zeroes and discarding as QEMU does on a raw file: by fallocate(2) where the file system can, zeroes are
 * written where it cannot, and a discard that nobody performs was only a hint. The order of attempts stands here once;
 * who performs them differs (`disk-file.ts` one after another, `io-uring.ts` one SQE at a time).
 */
import { Errno } from "../../abi";

/** FALLOC_FL_KEEP_SIZE with PUNCH_HOLE or ZERO_RANGE. */
export const enum AllocateMode {
  PUNCH_HOLE = 0x1 | 0x2,
  ZERO_RANGE = 0x1 | 0x10,
}

/** The attempts at zeroing a range, in order; the first one only where the range may be deallocated. */
export const enum ZeroStep {
  NONE = 0,
  PUNCH_HOLE = 1,
  ZERO_RANGE = 2,
  WRITE = 3,
}

/** How much is written at a time. */
export const ZERO_CHUNK_BYTES = 256 * 1024;
/** What O_DIRECT asks of a buffer at most. */
const ALIGNMENT_BYTES = 4096;

/** Whether another way to zero the range shall be tried. EINVAL: a block device whose blocks are larger. */
export function cannotZero(result: number): boolean {
  return isUnsupported(result) || result === -Errno.EINVAL;
}

/** Whether fallocate(2) said that this kind of file has no such mode. */
export function isUnsupported(result: number): boolean {
  return result === -Errno.EOPNOTSUPP || result === -Errno.ENODEV || result === -Errno.ENOSYS;
}

export interface ZeroBuffer {
  /** Native address of ZERO_CHUNK_BYTES zeroes, aligned for O_DIRECT. */
  readonly address: number;
  /** Keeps them from the garbage collector. */
  readonly bytes: Uint8Array;
}

/** Untouched pages of a fresh allocation: no memory is spent until somebody writes, and nobody does. */
export function makeZeroBuffer(syscalls: { addressOf(view: ArrayBufferView): bigint }): ZeroBuffer {
  const bytes = new Uint8Array(ZERO_CHUNK_BYTES + ALIGNMENT_BYTES);
  const base = Number(syscalls.addressOf(bytes));
  return { address: Math.ceil(base / ALIGNMENT_BYTES) * ALIGNMENT_BYTES, bytes };
}
