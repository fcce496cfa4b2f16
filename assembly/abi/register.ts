/**
 * io_uring_register(2): its opcodes, its flags and the structures it takes. A structure is an enum
 * of byte offsets with its SIZE; integers are little-endian and have the width that the comment
 * gives, u32 where there is none. Offsets of fields that overlay each other appear under each name.
 */

/**
 * Opcodes of io_uring_register(2): IORING_REGISTER_*, and IORING_UNREGISTER_* with the prefix kept.
 */
export enum Register {
  BUFFERS = 0,
  UNREGISTER_BUFFERS = 1,
  FILES = 2,
  UNREGISTER_FILES = 3,
  EVENTFD = 4,
  UNREGISTER_EVENTFD = 5,
  FILES_UPDATE = 6,
  EVENTFD_ASYNC = 7,
  PROBE = 8,
  PERSONALITY = 9,
  UNREGISTER_PERSONALITY = 10,
  RESTRICTIONS = 11,
  ENABLE_RINGS = 12,
  FILES2 = 13,
  FILES_UPDATE2 = 14,
  BUFFERS2 = 15,
  BUFFERS_UPDATE = 16,
  IOWQ_AFF = 17,
  UNREGISTER_IOWQ_AFF = 18,
  IOWQ_MAX_WORKERS = 19,
  RING_FDS = 20,
  UNREGISTER_RING_FDS = 21,
  PBUF_RING = 22,
  UNREGISTER_PBUF_RING = 23,
  SYNC_CANCEL = 24,
  FILE_ALLOC_RANGE = 25,
  PBUF_STATUS = 26,
  NAPI = 27,
  UNREGISTER_NAPI = 28,
  CLOCK = 29,
  CLONE_BUFFERS = 30,
  SEND_MSG_RING = 31,
  ZCRX_IFQ = 32,
  RESIZE_RINGS = 33,
  MEM_REGION = 34,
  QUERY = 35,
  ZCRX_CTRL = 36,
  BPF_FILTER = 37,
  /** IORING_REGISTER_LAST: one past the last. */
  LAST,
}

/** Or-ed to a register opcode: the fd is an index of a registered ring. Does not fit an i32. */
export const REGISTER_USE_REGISTERED_RING = 0x80000000;

/** An fd of a files update that leaves its slot alone (IORING_REGISTER_FILES_SKIP). */
export const REGISTER_FILES_SKIP = -2;

/** An fd of a files registration or update that leaves or makes its slot empty. */
export const REGISTER_FILES_EMPTY = -1;

/** IORING_RSRC_REGISTER_SPARSE: a table of empty slots, `data` is 0. */
export const RSRC_REGISTER_SPARSE = 1;

/** IO_URING_OP_SUPPORTED: the one flag of a ProbeOp. */
export const OP_SUPPORTED = 1;

/** Indices of the two u32 that Register.IOWQ_MAX_WORKERS takes (IO_WQ_*, enum io_wq_type). */
export enum IoWorker {
  BOUND = 0,
  UNBOUND = 1,
}

/**
 * struct io_uring_rsrc_register, for FILES2 and BUFFERS2.
 *
 *     0       4       8               16              24              32
 *     | nr    | flags | resv2         | data          | tags          |
 */
export const enum RsrcRegister {
  NR = 0,
  FLAGS = 4,
  /** u64, 0. */
  RESV2 = 8,
  /** u64: address of the array of fds or iovecs. */
  DATA = 16,
  /** u64: address of the array of u64 tags, or 0. */
  TAGS = 24,
  SIZE = 32,
}

/**
 * struct io_uring_rsrc_update2, for FILES_UPDATE2 and BUFFERS_UPDATE.
 *
 *     0       4       8               16              24      28      32
 *     | offset| resv  | data          | tags          | nr    | resv2 |
 */
export const enum RsrcUpdate2 {
  /** The first slot. */
  OFFSET = 0,
  RESV = 4,
  /** u64: address of the array of fds or iovecs. */
  DATA = 8,
  /** u64: address of the array of u64 tags, or 0. */
  TAGS = 16,
  NR = 24,
  RESV2 = 28,
  SIZE = 32,
}

/**
 * struct io_uring_files_update, the same bytes as struct io_uring_rsrc_update. For FILES_UPDATE.
 */
export const enum FilesUpdate {
  /** The first slot. */
  OFFSET = 0,
  RESV = 4,
  /** u64: address of the array of i32 fds. */
  FDS = 8,
  SIZE = 16,
}

/** struct io_uring_file_index_range, for FILE_ALLOC_RANGE. */
export const enum FileIndexRange {
  OFF = 0,
  LEN = 4,
  /** u64, 0. */
  RESV = 8,
  SIZE = 16,
}

/**
 * struct io_uring_restriction; RESTRICTIONS takes an array of them.
 *
 *     0       2    3    4                      16
 *     | opcode| op | 0  | resv2 (zero)         |
 */
export const enum Restriction {
  /** u16: one of `RestrictionKind`. */
  OPCODE = 0,
  /** u8: one of `Register`. */
  REGISTER_OP = 2,
  /** u8: one of `Op`. */
  SQE_OP = 2,
  /** u8: bits of `SqeFlag`. */
  SQE_FLAGS = 2,
  /** u8, 0. */
  RESV = 3,
  /** Three u32, 0. */
  RESV2 = 4,
  SIZE = 16,
}

/** IORING_RESTRICTION_*. */
export enum RestrictionKind {
  /** Allows one register opcode. */
  REGISTER_OP = 0,
  /** Allows one SQE opcode. */
  SQE_OP = 1,
  /** The SQE flags that may be set. */
  SQE_FLAGS_ALLOWED = 2,
  /** The SQE flags that must be set. */
  SQE_FLAGS_REQUIRED = 3,
}

/** struct __kernel_timespec. */
export const enum KernelTimespec {
  /** i64. */
  TV_SEC = 0,
  /** i64. */
  TV_NSEC = 8,
  SIZE = 16,
}

/**
 * struct io_uring_sync_cancel_reg, for SYNC_CANCEL.
 *
 *     0               8       12      16              24              32  33       64
 *     | addr          | fd    | flags | tv_sec        | tv_nsec       | op| zeroes |
 */
export const enum SyncCancelReg {
  /** u64: the user_data to match. */
  ADDR = 0,
  /** i32. */
  FD = 8,
  /** Bits of `AsyncCancel`. */
  FLAGS = 12,
  /** A KernelTimespec; both fields -1 wait without end. */
  TIMEOUT = 16,
  TIMEOUT_TV_SEC = 16,
  TIMEOUT_TV_NSEC = 24,
  /**
   * u8: one of `Op`, with AsyncCancel.OP. Padding before Linux 6.6, as are the bytes after it: 0.
   */
  OPCODE = 32,
  SIZE = 64,
}

/** struct io_uring_probe: this header, then an array of `ProbeOp`. SIZE is that of the header. */
export const enum Probe {
  /** u8: the last opcode that the kernel knows. */
  LAST_OP = 0,
  /** u8: entries that the kernel filled. */
  OPS_LEN = 1,
  /** u16. */
  RESV = 2,
  /** Three u32. */
  RESV2 = 4,
  OPS = 16,
  SIZE = 16,
}

/** struct io_uring_probe_op. */
export const enum ProbeOp {
  /** u8: one of `Op`. */
  OP = 0,
  /** u8. */
  RESV = 1,
  /** u16: OP_SUPPORTED or 0. */
  FLAGS = 2,
  RESV2 = 4,
  SIZE = 8,
}

/** struct iovec of a 64-bit process. */
export const enum IoVec {
  /** u64: iov_base. */
  BASE = 0,
  /** u64: iov_len. */
  LEN = 8,
  SIZE = 16,
}

/** struct io_uring_getevents_arg, for io_uring_enter(2) with EnterFlag.EXT_ARG. */
export const enum GeteventsArg {
  /** u64: address of a signal set, or 0. */
  SIGMASK = 0,
  /** Bytes of the signal set. */
  SIGMASK_SZ = 8,
  /** Padding before Linux 6.12 (Feature.MIN_TIMEOUT). */
  MIN_WAIT_USEC = 12,
  /** u64: address of a KernelTimespec, or 0. */
  TS = 16,
  SIZE = 24,
}

/** struct io_uring_buf_reg, for PBUF_RING. */
export const enum BufReg {
  /** u64. */
  RING_ADDR = 0,
  RING_ENTRIES = 8,
  /** u16: the buffer group. */
  BGID = 12,
  /** u16: bits of `PbufRingFlag`. Padding before Linux 6.4. */
  FLAGS = 14,
  /** Reserved in older kernels, as are the bytes after it: 0. */
  MIN_LEFT = 16,
  SIZE = 40,
}

/** IOU_PBUF_RING_*. */
export enum PbufRingFlag {
  MMAP = 1,
  INC = 2,
}

/** struct io_uring_buf: one entry of a buffer ring. */
export const enum Buf {
  /** u64. */
  ADDR = 0,
  LEN = 8,
  /** u16: the buffer's id. */
  BID = 12,
  /** u16. */
  RESV = 14,
  /** u16: the ring's tail lies over RESV of entry 0 (struct io_uring_buf_ring). */
  TAIL = 14,
  SIZE = 16,
}

/** struct io_uring_region_desc: what MemRegionReg.REGION_UPTR points to. */
export const enum RegionDesc {
  /** u64. */
  USER_ADDR = 0,
  /** u64: the field `size`. */
  SIZE_BYTES = 8,
  /** MEM_REGION_TYPE_USER or 0. */
  FLAGS = 16,
  ID = 20,
  /** u64. */
  MMAP_OFFSET = 24,
  /** Four u64, 0. */
  RESV = 32,
  SIZE = 64,
}

/** IORING_MEM_REGION_TYPE_USER: the region is the caller's memory at USER_ADDR. */
export const MEM_REGION_TYPE_USER = 1;

/** struct io_uring_mem_region_reg, for MEM_REGION. */
export const enum MemRegionReg {
  /** u64: address of a RegionDesc. */
  REGION_UPTR = 0,
  /** u64: MEM_REGION_REG_WAIT_ARG or 0. */
  FLAGS = 8,
  /** Two u64, 0. */
  RESV = 16,
  SIZE = 32,
}

/** IORING_MEM_REGION_REG_WAIT_ARG: the region holds `RegWait` entries. */
export const MEM_REGION_REG_WAIT_ARG = 1;

/** struct io_uring_reg_wait, for io_uring_enter(2) with EnterFlag.EXT_ARG_REG. */
export const enum RegWait {
  /** A KernelTimespec. */
  TS = 0,
  MIN_WAIT_USEC = 16,
  /** REG_WAIT_TS or 0. */
  FLAGS = 20,
  /** u64. */
  SIGMASK = 24,
  SIGMASK_SZ = 32,
  SIZE = 64,
}

/** IORING_REG_WAIT_TS: the timespec is valid. */
export const REG_WAIT_TS = 1;
