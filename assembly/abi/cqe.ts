/** The completion queue entry: struct io_uring_cqe as byte offsets, and the bits of its flags. */

/**
 * struct io_uring_cqe.
 *
 *     0                8        12       16
 *     | user_data      | res    | flags  |
 */
export const enum Cqe {
  /** u64: that of the SQE. */
  USER_DATA = 0,
  /** i32: the result, or a negated errno. */
  RES = 8,
  /** u32: bits of `CqeFlag`. */
  FLAGS = 12,
  SIZE = 16,
}

/** Bytes of a CQE with SetupFlag.CQE32. */
export const CQE32_SIZE = 32;

/** IORING_CQE_F_*. */
export enum CqeFlag {
  /** The upper 16 bits are the id of a provided buffer. */
  BUFFER = 1,
  /** More CQEs of the same SQE follow. */
  MORE = 2,
  SOCK_NONEMPTY = 4,
  /** A notification, not a completion. */
  NOTIF = 8,
  BUF_MORE = 16,
  /** A gap: to be ignored. */
  SKIP = 32,
  /** IORING_CQE_F_32: this CQE has 32 bytes (SetupFlag.CQE_MIXED). */
  F_32 = 32768,
  TSTAMP_HW = 65536,
}

/** IORING_CQE_BUFFER_SHIFT: where in the flags the id of a provided buffer begins. */
export const CQE_BUFFER_SHIFT = 16;
