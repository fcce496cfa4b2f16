/**
 * Layout of Linux AIO: <linux/aio_abi.h>, and the completion ring that the kernel maps at the context's address. The
 * ring is in no header, but libaio, QEMU and fio read it, so it stays. Host only: no guest sees any of it.
 */

/** IOCB_CMD_*. */
export const enum IocbCommand {
  FDSYNC = 3,
  PREADV = 7,
  PWRITEV = 8,
}

/** IOCB_FLAG_RESFD: `aio_resfd` is an eventfd to signal. */
export const IOCB_FLAG_RESFD = 1;

/**
 * struct iocb.
 *
 *     0       8     12    16    18    20    24      32      40      48      56    60    64
 *     | data  | key | rw  | op  |prio | fd  | buf   | nbytes| offset| resv  |flags|resfd|
 */
export const enum Iocb {
  /** u64: handed back in the event. */
  DATA = 0,
  KEY = 8,
  RW_FLAGS = 12,
  /** u16: IocbCommand. */
  OPCODE = 16,
  /** i16. */
  REQPRIO = 18,
  FILDES = 20,
  /** u64: address of the iovecs. */
  BUF = 24,
  /** u64: number of iovecs. */
  NBYTES = 32,
  /** i64. */
  OFFSET = 40,
  /** u64, 0. */
  RESERVED2 = 48,
  FLAGS = 56,
  RESFD = 60,
  SIZE = 64,
}

/** struct io_event; four 64-bit fields. */
export const enum IoEvent {
  DATA = 0,
  OBJ = 8,
  RES = 16,
  RES2 = 24,
  SIZE = 32,
}

/** struct aio_ring of fs/aio.c: eight u32, then the events. */
export const enum AioRing {
  ID = 0,
  /** Events in the ring; no power of two. */
  NR = 4,
  /** Of the next event to read, written by the reader. */
  HEAD = 8,
  TAIL = 12,
  MAGIC = 16,
  COMPAT_FEATURES = 20,
  INCOMPAT_FEATURES = 24,
  HEADER_LENGTH = 28,
  EVENTS = 32,
}

export const AIO_RING_MAGIC = 0xa10a10a1;
