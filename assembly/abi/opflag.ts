/**
 * The flags and modes that belong to one opcode or a family of them. Unless a comment says
 * otherwise they go into Sqe.OP_FLAGS, which each opcode names differently (rw_flags, fsync_flags,
 * ...).
 */

/** fsync_flags of FSYNC: IORING_FSYNC_*. */
export enum Fsync {
  DATASYNC = 1,
}

/** rw_flags of reads and writes: RWF_*, as of preadv2(2). */
export enum Rwf {
  HIPRI = 1,
  DSYNC = 2,
  SYNC = 4,
  NOWAIT = 8,
  APPEND = 16,
  /** 6.9: writes at the offset although the file was opened with O_APPEND. */
  NOAPPEND = 32,
  ATOMIC = 64,
  DONTCACHE = 128,
  NOSIGNAL = 256,
}

/** poll32_events of POLL_ADD and the result of it: POLL*, as of poll(2). */
export enum Poll {
  IN = 1,
  PRI = 2,
  OUT = 4,
  ERR = 8,
  HUP = 16,
  NVAL = 32,
  RDNORM = 64,
  RDBAND = 128,
  WRNORM = 256,
  WRBAND = 512,
  MSG = 1024,
  REMOVE = 4096,
  RDHUP = 8192,
}

/** Sqe.LEN of POLL_ADD and POLL_REMOVE: IORING_POLL_*. */
export enum PollFlag {
  ADD_MULTI = 1,
  UPDATE_EVENTS = 2,
  UPDATE_USER_DATA = 4,
  ADD_LEVEL = 8,
}

/** fadvise_advice of FADVISE: POSIX_FADV_*, as of posix_fadvise(2). */
export enum Fadvise {
  NORMAL = 0,
  RANDOM = 1,
  SEQUENTIAL = 2,
  WILLNEED = 3,
  DONTNEED = 4,
  NOREUSE = 5,
}

/** Sqe.LEN of FALLOCATE: FALLOC_FL_*, as of fallocate(2). */
export enum FallocateMode {
  KEEP_SIZE = 1,
  PUNCH_HOLE = 2,
  NO_HIDE_STALE = 4,
  COLLAPSE_RANGE = 8,
  ZERO_RANGE = 16,
  INSERT_RANGE = 32,
  UNSHARE_RANGE = 64,
  WRITE_ZEROES = 128,
}

/** sync_range_flags of SYNC_FILE_RANGE: SYNC_FILE_RANGE_*. */
export enum SyncFileRange {
  WAIT_BEFORE = 1,
  WRITE = 2,
  WAIT_AFTER = 4,
}

/** cancel_flags of ASYNC_CANCEL and of SyncCancelReg: IORING_ASYNC_CANCEL_*. */
export enum AsyncCancel {
  ALL = 1,
  FD = 2,
  ANY = 4,
  FD_FIXED = 8,
  USERDATA = 16,
  OP = 32,
}

/** Sqe.LEN of SHUTDOWN: SHUT_*, as of shutdown(2). */
export enum Shutdown {
  RD = 0,
  WR = 1,
  RDWR = 2,
}

/** timeout_flags of TIMEOUT, TIMEOUT_REMOVE, LINK_TIMEOUT: IORING_TIMEOUT_*. */
export enum Timeout {
  ABS = 1,
  UPDATE = 2,
  BOOTTIME = 4,
  REALTIME = 8,
  /** IORING_LINK_TIMEOUT_UPDATE. */
  LINK_UPDATE = 16,
  ETIME_SUCCESS = 32,
  MULTISHOT = 64,
  IMMEDIATE_ARG = 128,
}

/** Sqe.IOPRIO of the send and receive family: IORING_RECVSEND_*, others with the prefix kept. */
export enum RecvSend {
  POLL_FIRST = 1,
  RECV_MULTISHOT = 2,
  FIXED_BUF = 4,
  SEND_ZC_REPORT_USAGE = 8,
  BUNDLE = 16,
  SEND_VECTORIZED = 32,
}

/** Sqe.IOPRIO of ACCEPT: IORING_ACCEPT_*. */
export enum Accept {
  MULTISHOT = 1,
  DONTWAIT = 2,
  POLL_FIRST = 4,
}

/** nop_flags of NOP: IORING_NOP_*. */
export enum Nop {
  INJECT_RESULT = 1,
  FILE = 2,
  FIXED_FILE = 4,
  FIXED_BUFFER = 8,
  TW = 16,
  CQE32 = 32,
}

/** Sqe.ADDR of MSG_RING, the command: IORING_MSG_*. */
export enum MsgRing {
  DATA = 0,
  SEND_FD = 1,
}

/** msg_ring_flags of MSG_RING: IORING_MSG_RING_*. */
export enum MsgRingFlag {
  CQE_SKIP = 1,
  FLAGS_PASS = 2,
}

/** install_fd_flags of FIXED_FD_INSTALL: IORING_FIXED_FD_*. */
export enum FixedFdInstall {
  NO_CLOEXEC = 1,
}

/** uring_cmd_flags of URING_CMD: IORING_URING_CMD_*. */
export enum UringCmd {
  FIXED = 1,
  MULTISHOT = 2,
}
