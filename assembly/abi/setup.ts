/**
 * io_uring_setup(2): its flags, the features it answers with, the structure it takes, and the words
 * of the rings that it sets up. Structures are enums of byte offsets; all integers are u32 unless
 * said.
 */

/** IORING_SETUP_*, with the kernel that brought each where it matters here. */
export enum SetupFlag {
  IOPOLL = 1,
  SQPOLL = 2,
  SQ_AFF = 4,
  CQSIZE = 8,
  CLAMP = 16,
  ATTACH_WQ = 32,
  /** 5.10. */
  R_DISABLED = 64,
  /** 5.18. */
  SUBMIT_ALL = 128,
  COOP_TASKRUN = 256,
  TASKRUN_FLAG = 512,
  SQE128 = 1024,
  CQE32 = 2048,
  /** 6.0. */
  SINGLE_ISSUER = 4096,
  /** 6.1. */
  DEFER_TASKRUN = 8192,
  /** 6.5. */
  NO_MMAP = 16384,
  REGISTERED_FD_ONLY = 32768,
  /** 6.6. */
  NO_SQARRAY = 65536,
  HYBRID_IOPOLL = 131072,
  CQE_MIXED = 262144,
  SQE_MIXED = 524288,
  SQ_REWIND = 1048576,
}

/** IORING_FEAT_*. */
export enum Feature {
  SINGLE_MMAP = 1,
  NODROP = 2,
  SUBMIT_STABLE = 4,
  RW_CUR_POS = 8,
  CUR_PERSONALITY = 16,
  FAST_POLL = 32,
  POLL_32BITS = 64,
  SQPOLL_NONFIXED = 128,
  EXT_ARG = 256,
  NATIVE_WORKERS = 512,
  RSRC_TAGS = 1024,
  CQE_SKIP = 2048,
  LINKED_FILE = 4096,
  REG_REG_RING = 8192,
  RECVSEND_BUNDLE = 16384,
  MIN_TIMEOUT = 32768,
  /** 6.14: SQEs of reads and writes have `attr_ptr`, which the kernel follows. */
  RW_ATTR = 65536,
  NO_IOWAIT = 131072,
}

/**
 * struct io_uring_params. SQ_OFF and CQ_OFF are where `SqOffset` and `CqOffset` begin.
 *
 *     0     4     8     12    16    20    24    28         40               80               120
 *     | sq  | cq  |flags| cpu | idle|featr|wq_fd| resv     | sq_off         | cq_off         |
 */
export const enum Params {
  SQ_ENTRIES = 0,
  CQ_ENTRIES = 4,
  /** Bits of `SetupFlag`. */
  FLAGS = 8,
  SQ_THREAD_CPU = 12,
  /** Milliseconds. */
  SQ_THREAD_IDLE = 16,
  /** Answer: bits of `Feature`. */
  FEATURES = 20,
  WQ_FD = 24,
  /** Three u32, 0. */
  RESV = 28,
  SQ_OFF = 40,
  CQ_OFF = 80,
  SIZE = 120,
}

/** struct io_sqring_offsets: each word answers where that word of the SQ lies in the ring. */
export const enum SqOffset {
  HEAD = 0,
  TAIL = 4,
  RING_MASK = 8,
  RING_ENTRIES = 12,
  FLAGS = 16,
  DROPPED = 20,
  ARRAY = 24,
  RESV1 = 28,
  /** u64: where the caller wants the SQEs, with SetupFlag.NO_MMAP. */
  USER_ADDR = 32,
  SIZE = 40,
}

/** struct io_cqring_offsets: each word answers where that word of the CQ lies in the ring. */
export const enum CqOffset {
  HEAD = 0,
  TAIL = 4,
  RING_MASK = 8,
  RING_ENTRIES = 12,
  OVERFLOW = 16,
  CQES = 20,
  FLAGS = 24,
  RESV1 = 28,
  /** u64: where the caller wants header, CQEs and SQ array, with SetupFlag.NO_MMAP. */
  USER_ADDR = 32,
  SIZE = 40,
}

/** IORING_SQ_*: the SQ's flags word, written by the kernel. */
export enum SqFlag {
  NEED_WAKEUP = 1,
  CQ_OVERFLOW = 2,
  TASKRUN = 4,
}

/** IORING_CQ_*: the CQ's flags word, written by the application. */
export enum CqFlag {
  EVENTFD_DISABLED = 1,
}

/** IORING_OFF_*: offsets for mmap(2) on the ring's descriptor. */
export enum MmapOffset {
  SQ_RING = 0,
  CQ_RING = 0x8000000,
  SQES = 0x10000000,
}

/**
 * IORING_OFF_PBUF_RING: a buffer ring, its group shifted by MMAP_PBUF_SHIFT. Does not fit an i32.
 */
export const MMAP_PBUF_RING = 0x80000000;

/** IORING_OFF_PBUF_SHIFT. */
export const MMAP_PBUF_SHIFT = 16;
