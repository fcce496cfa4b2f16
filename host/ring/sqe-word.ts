/**
 * A copied SQE as sixteen 32-bit words. The engines that consume a guest's SQ in the host keep
 * their private copies in one Int32Array: a word is read and written without a view per SQE and
 * without bigint for the 64-bit fields. Hosts are little-endian, as WebAssembly is; the byte
 * offsets are those of `Sqe`.
 */
import { Sqe } from "../abi";

/** Words of one SQE. */
export const SQE_WORDS = Sqe.SIZE / 4;

/** Index of a word in a copied SQE. 64-bit fields have a low and a high word. */
export const enum SqeWord {
  /** Opcode in bits 0-7, flags in 8-15, ioprio in 16-31. */
  HEAD = 0,
  FD = 1,
  OFF_LOW = 2,
  OFF_HIGH = 3,
  ADDR_LOW = 4,
  ADDR_HIGH = 5,
  LEN = 6,
  OP_FLAGS = 7,
  USER_DATA_LOW = 8,
  USER_DATA_HIGH = 9,
  /** buf_index in bits 0-15, personality in 16-31. */
  BUFFER = 10,
  SPLICE_FD_IN = 11,
  ADDR3_LOW = 12,
  ADDR3_HIGH = 13,
  PAD2_LOW = 14,
  PAD2_HIGH = 15,
}

export const opcodeOf = (head: number): number => head & 0xff;
export const flagsOf = (head: number): number => (head >>> 8) & 0xff;
export const ioprioOf = (head: number): number => head >>> 16;
export const bufferIndexOf = (buffer: number): number => buffer & 0xffff;
export const personalityOf = (buffer: number): number => buffer >>> 16;

/** An unsigned 64-bit field as a number: exact below 2^53, monotonic above. */
export const unsigned64 = (low: number, high: number): number =>
  (high >>> 0) * 0x1_0000_0000 + (low >>> 0);

/**
 * Whether a non-negative 64-bit offset and an unsigned 32-bit length leave the range of a signed
 * one.
 */
export const leavesFile = (low: number, high: number, length: number): boolean =>
  high === 0x7fff_ffff && (low >>> 0) + length > 0xffff_ffff;
