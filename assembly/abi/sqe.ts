/**
 * The submission queue entry: struct io_uring_sqe as byte offsets, and the bits of its flags byte.
 * Fields that overlay each other appear under each name; what an opcode makes of a field is in
 * `operand.ts`, the flags particular to an opcode are in `opflag.ts`.
 */

/**
 * struct io_uring_sqe.
 *
 *     0    1    2      4        8                16               24       28       32
 *     | op |flag|ioprio| fd     | off / addr2    | addr           | len    |op_flags|
 *     32               40     42     44       48                56               64
 *     | user_data      |bufidx|person|fd_in   | addr3/attr_ptr  | attr_type_mask |
 */
export const enum Sqe {
  /** u8: one of `Op`. */
  OPCODE = 0,
  /** u8: bits of `SqeFlag`. */
  FLAGS = 1,
  /** u16: an I/O priority, or flags of some opcodes (`RecvSend`, `Accept`). */
  IOPRIO = 2,
  /** i32: a descriptor, or a slot with SqeFlag.FIXED_FILE. */
  FD = 4,
  /** u64: an offset in the file. */
  OFF = 8,
  /** u64: a second pointer. */
  ADDR2 = 8,
  /** u32: the command of URING_CMD. */
  CMD_OP = 8,
  /** u64: a pointer, or a length (FALLOCATE, FADVISE). */
  ADDR = 16,
  /** u64: the offset that SPLICE reads at. */
  SPLICE_OFF_IN = 16,
  /** u32: bytes, or the number of segments. */
  LEN = 24,
  /** u32: rw_flags, fsync_flags, poll32_events, sync_range_flags, cancel_flags, ... */
  OP_FLAGS = 28,
  /** u64: handed back in the CQE. */
  USER_DATA = 32,
  /** u16: a registered buffer. */
  BUF_INDEX = 40,
  /** u16: a group of provided buffers, with SqeFlag.BUFFER_SELECT. */
  BUF_GROUP = 40,
  /** u16: registered credentials, or 0. */
  PERSONALITY = 42,
  /** i32. */
  SPLICE_FD_IN = 44,
  /** u32: a slot plus one, or FILE_INDEX_ALLOC. */
  FILE_INDEX = 44,
  /** u16: bytes of the address at ADDR2 (SEND). */
  ADDR_LEN = 44,
  /** u32: bytes at OPTVAL (URING_CMD on a socket). */
  OPTLEN = 44,
  /** u64: a third pointer. */
  ADDR3 = 48,
  /** u64: address of an `AttrPi`, with ATTR_TYPE_MASK (Feature.RW_ATTR). */
  ATTR_PTR = 48,
  /** u64: a pointer (URING_CMD on a socket). */
  OPTVAL = 48,
  /** u64: bits of `RwAttr`. */
  ATTR_TYPE_MASK = 56,
  /** u64. */
  PAD2 = 56,
  SIZE = 64,
}

/** Bytes of an SQE with SetupFlag.SQE128. */
export const SQE128_SIZE = 128;

/** IOSQE_*. */
export enum SqeFlag {
  /** `fd` is a slot of the fixed file table. */
  FIXED_FILE = 1,
  /** Starts when all before it are complete. */
  IO_DRAIN = 2,
  /** The next one starts when this one succeeded. */
  IO_LINK = 4,
  /** The next one starts when this one is complete. */
  IO_HARDLINK = 8,
  /** Goes to a worker thread at once. */
  ASYNC = 16,
  /** The kernel picks a buffer of BUF_GROUP. */
  BUFFER_SELECT = 32,
  /** No CQE unless it fails. */
  CQE_SKIP_SUCCESS = 64,
}

/**
 * FILE_INDEX that lets the kernel choose a free slot (IORING_FILE_INDEX_ALLOC). Does not fit an
 * i32.
 */
export const FILE_INDEX_ALLOC = 0xffffffff;

/** IORING_RW_ATTR_FLAG_*. */
export enum RwAttr {
  PI = 1,
}

/** struct io_uring_attr_pi: what ATTR_PTR points to. */
export const enum AttrPi {
  /** u16. */
  FLAGS = 0,
  /** u16. */
  APP_TAG = 2,
  LEN = 4,
  /** u64. */
  ADDR = 8,
  /** u64. */
  SEED = 16,
  /** u64, 0. */
  RSVD = 24,
  SIZE = 32,
}
