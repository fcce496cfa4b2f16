/**
 * What each opcode makes of the fields of its SQE, and why an opcode is not for guests. One table
 * says which fields are descriptors, addresses and lengths; validation, restriction, tracing and
 * documentation read it. Both tables are keyed by the opcode's name: `OperandsOf[Op[n]]`.
 */

/** Kinds of operand: bits, several to an opcode. A field that no bit speaks of has no meaning. */
export enum Operand {
  /** `fd` is a descriptor, or a slot with SqeFlag.FIXED_FILE. */
  FD = 1,
  /**
   * A descriptor of the process's own table, in spite of SqeFlag.FIXED_FILE: in `fd` (EPOLL_CTL,
   * and the directory of path opcodes), `off` (EPOLL_CTL), `splice_fd_in`, `len` (the second
   * directory).
   */
  RAW_FD = 2,
  /** `addr` is a pointer that the kernel follows in the submitter's memory. */
  ADDRESS = 4,
  /** The data lies in registered buffer `buf_index`; `addr` is checked against its bounds. */
  FIXED_ADDRESS = 8,
  /** `addr2`, which is `off`, is such a pointer. */
  ADDRESS2 = 16,
  /** `addr3` is such a pointer. */
  ADDRESS3 = 32,
  /** `attr_ptr` is such a pointer when `attr_type_mask` is not 0 (Feature.RW_ATTR). */
  ATTRIBUTE = 64,
  /** What a pointer points to holds further pointers: iovecs, a msghdr, a command. */
  INDIRECT = 128,
  /** `len` is a length in bytes. */
  LENGTH = 256,
  /** `addr` is a length in bytes. */
  ADDRESS_LENGTH = 512,
  /** `len` is a number: of segments, of events, of connections. */
  COUNT = 1024,
  /** `len` is a mode, a mask or flags. */
  MODE = 2048,
  /** `off` is an offset in the file, or its new length. SPLICE reads at `addr`. */
  OFFSET = 4096,
  /** `addr` is the user_data of another request; an update's new one is in `off`. */
  REQUEST = 8192,
  /** The flags word has a meaning: rw_flags, fsync_flags, poll32_events, ... */
  OP_FLAGS = 16384,
  /** `ioprio` has a meaning: an I/O priority, or flags of the opcode. */
  IOPRIO = 32768,
  /** `buf_index` selects a registered buffer, or a group of provided ones. */
  BUFFER_INDEX = 65536,
  /**
   * `file_index` (FILES_UPDATE: `off`) selects slots of the fixed file table to fill or to empty.
   */
  FILE_INDEX = 131072,
  /** The pointers are paths, resolved with the submitter's directories and credentials. */
  PATH = 262144,
  /** Reaches authority that is no descriptor: network, credentials, processes, descriptor table. */
  AMBIENT = 524288,
  /** Is refused with SqeFlag.FIXED_FILE, so it is dead where that flag is required. */
  NO_FIXED_FILE = 1048576,
}

/** The operands of each opcode: bits of `Operand`. */
export enum OperandsOf {
  NOP = Operand.RAW_FD | Operand.FD | Operand.MODE | Operand.OP_FLAGS | Operand.BUFFER_INDEX,
  READV = Operand.FD |
    Operand.ADDRESS |
    Operand.INDIRECT |
    Operand.COUNT |
    Operand.OFFSET |
    Operand.OP_FLAGS |
    Operand.IOPRIO |
    Operand.BUFFER_INDEX |
    Operand.ATTRIBUTE,
  WRITEV = Operand.FD |
    Operand.ADDRESS |
    Operand.INDIRECT |
    Operand.COUNT |
    Operand.OFFSET |
    Operand.OP_FLAGS |
    Operand.IOPRIO |
    Operand.ATTRIBUTE,
  FSYNC = Operand.FD | Operand.OFFSET | Operand.LENGTH | Operand.OP_FLAGS,
  READ_FIXED = Operand.FD |
    Operand.FIXED_ADDRESS |
    Operand.LENGTH |
    Operand.OFFSET |
    Operand.OP_FLAGS |
    Operand.IOPRIO |
    Operand.BUFFER_INDEX |
    Operand.ATTRIBUTE,
  WRITE_FIXED = Operand.FD |
    Operand.FIXED_ADDRESS |
    Operand.LENGTH |
    Operand.OFFSET |
    Operand.OP_FLAGS |
    Operand.IOPRIO |
    Operand.BUFFER_INDEX |
    Operand.ATTRIBUTE,
  POLL_ADD = Operand.FD | Operand.MODE | Operand.OP_FLAGS,
  POLL_REMOVE = Operand.REQUEST | Operand.MODE | Operand.OP_FLAGS,
  SYNC_FILE_RANGE = Operand.FD | Operand.OFFSET | Operand.LENGTH | Operand.OP_FLAGS,
  SENDMSG = Operand.FD |
    Operand.ADDRESS |
    Operand.INDIRECT |
    Operand.OP_FLAGS |
    Operand.IOPRIO |
    Operand.AMBIENT,
  RECVMSG = Operand.FD |
    Operand.ADDRESS |
    Operand.INDIRECT |
    Operand.OP_FLAGS |
    Operand.IOPRIO |
    Operand.BUFFER_INDEX,
  TIMEOUT = Operand.ADDRESS | Operand.COUNT | Operand.OP_FLAGS,
  TIMEOUT_REMOVE = Operand.REQUEST | Operand.ADDRESS2 | Operand.OP_FLAGS | Operand.NO_FIXED_FILE,
  ACCEPT = Operand.FD |
    Operand.ADDRESS |
    Operand.ADDRESS2 |
    Operand.OP_FLAGS |
    Operand.IOPRIO |
    Operand.FILE_INDEX |
    Operand.AMBIENT,
  /** `len` is an opcode with AsyncCancel.OP; `fd` counts with AsyncCancel.FD. */
  ASYNC_CANCEL = Operand.FD | Operand.REQUEST | Operand.MODE | Operand.OP_FLAGS,
  LINK_TIMEOUT = Operand.ADDRESS | Operand.COUNT | Operand.OP_FLAGS,
  CONNECT = Operand.FD | Operand.ADDRESS | Operand.AMBIENT,
  FALLOCATE = Operand.FD | Operand.OFFSET | Operand.ADDRESS_LENGTH | Operand.MODE,
  OPENAT = Operand.RAW_FD |
    Operand.ADDRESS |
    Operand.PATH |
    Operand.MODE |
    Operand.OP_FLAGS |
    Operand.FILE_INDEX |
    Operand.AMBIENT |
    Operand.NO_FIXED_FILE,
  CLOSE = Operand.RAW_FD | Operand.FILE_INDEX | Operand.NO_FIXED_FILE,
  FILES_UPDATE = Operand.RAW_FD |
    Operand.ADDRESS |
    Operand.COUNT |
    Operand.FILE_INDEX |
    Operand.NO_FIXED_FILE,
  STATX = Operand.RAW_FD |
    Operand.ADDRESS |
    Operand.ADDRESS2 |
    Operand.PATH |
    Operand.MODE |
    Operand.OP_FLAGS |
    Operand.AMBIENT |
    Operand.NO_FIXED_FILE,
  READ = Operand.FD |
    Operand.ADDRESS |
    Operand.LENGTH |
    Operand.OFFSET |
    Operand.OP_FLAGS |
    Operand.IOPRIO |
    Operand.BUFFER_INDEX |
    Operand.ATTRIBUTE,
  WRITE = Operand.FD |
    Operand.ADDRESS |
    Operand.LENGTH |
    Operand.OFFSET |
    Operand.OP_FLAGS |
    Operand.IOPRIO |
    Operand.ATTRIBUTE,
  /** The length is in `addr`, or in `len` when that is 0. */
  FADVISE = Operand.FD |
    Operand.OFFSET |
    Operand.ADDRESS_LENGTH |
    Operand.LENGTH |
    Operand.OP_FLAGS,
  MADVISE = Operand.ADDRESS | Operand.LENGTH | Operand.OP_FLAGS,
  SEND = Operand.FD |
    Operand.ADDRESS |
    Operand.ADDRESS2 |
    Operand.LENGTH |
    Operand.OP_FLAGS |
    Operand.IOPRIO |
    Operand.BUFFER_INDEX |
    Operand.AMBIENT,
  RECV = Operand.FD |
    Operand.ADDRESS |
    Operand.LENGTH |
    Operand.OP_FLAGS |
    Operand.IOPRIO |
    Operand.BUFFER_INDEX,
  OPENAT2 = Operand.RAW_FD |
    Operand.ADDRESS |
    Operand.ADDRESS2 |
    Operand.PATH |
    Operand.LENGTH |
    Operand.FILE_INDEX |
    Operand.AMBIENT |
    Operand.NO_FIXED_FILE,
  EPOLL_CTL = Operand.RAW_FD | Operand.ADDRESS | Operand.MODE,
  SPLICE = Operand.FD | Operand.RAW_FD | Operand.OFFSET | Operand.LENGTH | Operand.OP_FLAGS,
  /** `fd` is the number of buffers, `off` the id of the first. */
  PROVIDE_BUFFERS = Operand.ADDRESS | Operand.LENGTH | Operand.BUFFER_INDEX,
  /** `fd` is the number of buffers. */
  REMOVE_BUFFERS = Operand.BUFFER_INDEX,
  TEE = Operand.FD | Operand.RAW_FD | Operand.LENGTH | Operand.OP_FLAGS,
  SHUTDOWN = Operand.FD | Operand.MODE,
  RENAMEAT = Operand.RAW_FD |
    Operand.ADDRESS |
    Operand.ADDRESS2 |
    Operand.PATH |
    Operand.OP_FLAGS |
    Operand.AMBIENT |
    Operand.NO_FIXED_FILE,
  UNLINKAT = Operand.RAW_FD |
    Operand.ADDRESS |
    Operand.PATH |
    Operand.OP_FLAGS |
    Operand.AMBIENT |
    Operand.NO_FIXED_FILE,
  MKDIRAT = Operand.RAW_FD |
    Operand.ADDRESS |
    Operand.PATH |
    Operand.MODE |
    Operand.AMBIENT |
    Operand.NO_FIXED_FILE,
  SYMLINKAT = Operand.RAW_FD |
    Operand.ADDRESS |
    Operand.ADDRESS2 |
    Operand.PATH |
    Operand.AMBIENT |
    Operand.NO_FIXED_FILE,
  LINKAT = Operand.RAW_FD |
    Operand.ADDRESS |
    Operand.ADDRESS2 |
    Operand.PATH |
    Operand.OP_FLAGS |
    Operand.AMBIENT |
    Operand.NO_FIXED_FILE,
  /** `addr` is the command, `off` the user_data to post, `addr3` the slot to send. */
  MSG_RING = Operand.FD | Operand.MODE | Operand.OP_FLAGS | Operand.FILE_INDEX,
  FSETXATTR = Operand.FD | Operand.ADDRESS | Operand.ADDRESS2 | Operand.LENGTH | Operand.OP_FLAGS,
  SETXATTR = Operand.ADDRESS |
    Operand.ADDRESS2 |
    Operand.ADDRESS3 |
    Operand.PATH |
    Operand.LENGTH |
    Operand.OP_FLAGS |
    Operand.AMBIENT |
    Operand.NO_FIXED_FILE,
  FGETXATTR = Operand.FD | Operand.ADDRESS | Operand.ADDRESS2 | Operand.LENGTH | Operand.OP_FLAGS,
  GETXATTR = Operand.ADDRESS |
    Operand.ADDRESS2 |
    Operand.ADDRESS3 |
    Operand.PATH |
    Operand.LENGTH |
    Operand.OP_FLAGS |
    Operand.AMBIENT |
    Operand.NO_FIXED_FILE,
  /** `fd` is the domain, `off` the type, `len` the protocol. */
  SOCKET = Operand.MODE | Operand.OP_FLAGS | Operand.FILE_INDEX | Operand.AMBIENT,
  /** The command is in `off`; its payload, from `addr3` on, may hold pointers. */
  URING_CMD = Operand.FD |
    Operand.ADDRESS |
    Operand.ADDRESS3 |
    Operand.INDIRECT |
    Operand.OP_FLAGS |
    Operand.BUFFER_INDEX |
    Operand.AMBIENT,
  SEND_ZC = Operand.FD |
    Operand.ADDRESS |
    Operand.ADDRESS2 |
    Operand.LENGTH |
    Operand.OP_FLAGS |
    Operand.IOPRIO |
    Operand.BUFFER_INDEX |
    Operand.AMBIENT,
  SENDMSG_ZC = Operand.FD |
    Operand.ADDRESS |
    Operand.INDIRECT |
    Operand.OP_FLAGS |
    Operand.IOPRIO |
    Operand.BUFFER_INDEX |
    Operand.AMBIENT,
  READ_MULTISHOT = Operand.FD |
    Operand.LENGTH |
    Operand.OFFSET |
    Operand.OP_FLAGS |
    Operand.IOPRIO |
    Operand.BUFFER_INDEX |
    Operand.ATTRIBUTE,
  /** `fd` is a process id, `len` its kind, `file_index` the options. */
  WAITID = Operand.ADDRESS2 | Operand.MODE | Operand.OP_FLAGS | Operand.AMBIENT,
  /** `fd` is the futex's flags, `off` the value, `addr3` the mask. */
  FUTEX_WAIT = Operand.ADDRESS | Operand.OP_FLAGS,
  FUTEX_WAKE = Operand.ADDRESS | Operand.OP_FLAGS | Operand.AMBIENT,
  FUTEX_WAITV = Operand.ADDRESS | Operand.INDIRECT | Operand.COUNT | Operand.OP_FLAGS,
  FIXED_FD_INSTALL = Operand.FD | Operand.OP_FLAGS | Operand.AMBIENT,
  /** `off` is the new length. */
  FTRUNCATE = Operand.FD | Operand.OFFSET,
  /** `off` is the length of the address. */
  BIND = Operand.FD | Operand.ADDRESS | Operand.AMBIENT,
  LISTEN = Operand.FD | Operand.COUNT | Operand.AMBIENT,
  /** `file_index` selects the receive queue. */
  RECV_ZC = Operand.FD | Operand.LENGTH | Operand.OP_FLAGS | Operand.IOPRIO,
  EPOLL_WAIT = Operand.FD | Operand.ADDRESS | Operand.COUNT,
  /** The iovecs lie anywhere, what they point to in the registered buffer. */
  READV_FIXED = Operand.FD |
    Operand.ADDRESS |
    Operand.FIXED_ADDRESS |
    Operand.INDIRECT |
    Operand.COUNT |
    Operand.OFFSET |
    Operand.OP_FLAGS |
    Operand.IOPRIO |
    Operand.BUFFER_INDEX |
    Operand.ATTRIBUTE,
  WRITEV_FIXED = Operand.FD |
    Operand.ADDRESS |
    Operand.FIXED_ADDRESS |
    Operand.INDIRECT |
    Operand.COUNT |
    Operand.OFFSET |
    Operand.OP_FLAGS |
    Operand.IOPRIO |
    Operand.BUFFER_INDEX |
    Operand.ATTRIBUTE,
  PIPE = Operand.ADDRESS | Operand.OP_FLAGS | Operand.FILE_INDEX | Operand.AMBIENT,
  NOP128 = Operand.RAW_FD | Operand.FD | Operand.MODE | Operand.OP_FLAGS | Operand.BUFFER_INDEX,
  URING_CMD128 = Operand.FD |
    Operand.ADDRESS |
    Operand.ADDRESS3 |
    Operand.INDIRECT |
    Operand.OP_FLAGS |
    Operand.BUFFER_INDEX |
    Operand.AMBIENT,
}

/** Why an opcode is not for a guest, even with SqeFlag.FIXED_FILE required: bits. */
export enum Hazard {
  /** Confined by FIXED_FILE and the registered buffer. */
  NONE = 0,
  /** The kernel writes, or drops, host memory where the guest says. */
  HOST_MEMORY_WRITE = 1,
  /** The kernel reads host memory where the guest says, and hands on or acts on what it read. */
  HOST_MEMORY_READ = 2,
  /** Takes descriptors from the host's own table. */
  RAW_DESCRIPTOR = 4,
  /** Reaches authority that no grant gave: network, file system, processes, credentials. */
  AMBIENT = 8,
  /** The answer, or its time, tells about host memory. */
  ORACLE = 16,
  /** Fills the host's descriptor table. */
  EXHAUSTION = 32,
  /** Is refused, or does nothing, on a ring as the host sets it up. */
  USELESS = 64,
}

/** The hazards of each opcode: bits of `Hazard`. NONE is the set that a policy may allow. */
export enum HazardOf {
  /** NOP_FILE took a raw descriptor, and leaked it, before a fix of 2026. */
  NOP = Hazard.RAW_DESCRIPTOR,
  READV = Hazard.HOST_MEMORY_WRITE | Hazard.HOST_MEMORY_READ,
  WRITEV = Hazard.HOST_MEMORY_READ,
  FSYNC = Hazard.NONE,
  READ_FIXED = Hazard.NONE,
  WRITE_FIXED = Hazard.NONE,
  POLL_ADD = Hazard.NONE,
  POLL_REMOVE = Hazard.NONE,
  SYNC_FILE_RANGE = Hazard.NONE,
  SENDMSG = Hazard.HOST_MEMORY_READ | Hazard.AMBIENT,
  RECVMSG = Hazard.HOST_MEMORY_WRITE | Hazard.HOST_MEMORY_READ,
  /** The time until it fires is 16 bytes of host memory. */
  TIMEOUT = Hazard.ORACLE,
  TIMEOUT_REMOVE = Hazard.ORACLE | Hazard.USELESS,
  ACCEPT = Hazard.HOST_MEMORY_WRITE | Hazard.EXHAUSTION,
  ASYNC_CANCEL = Hazard.NONE,
  LINK_TIMEOUT = Hazard.ORACLE,
  CONNECT = Hazard.HOST_MEMORY_READ | Hazard.AMBIENT,
  FALLOCATE = Hazard.NONE,
  OPENAT = Hazard.HOST_MEMORY_READ | Hazard.AMBIENT | Hazard.USELESS,
  CLOSE = Hazard.RAW_DESCRIPTOR | Hazard.USELESS,
  FILES_UPDATE = Hazard.HOST_MEMORY_WRITE |
    Hazard.HOST_MEMORY_READ |
    Hazard.RAW_DESCRIPTOR |
    Hazard.USELESS,
  STATX = Hazard.HOST_MEMORY_WRITE | Hazard.HOST_MEMORY_READ | Hazard.AMBIENT | Hazard.USELESS,
  READ = Hazard.HOST_MEMORY_WRITE,
  WRITE = Hazard.HOST_MEMORY_READ,
  FADVISE = Hazard.NONE,
  MADVISE = Hazard.HOST_MEMORY_WRITE,
  SEND = Hazard.HOST_MEMORY_READ | Hazard.AMBIENT | Hazard.ORACLE,
  /** Safe only with SqeFlag.BUFFER_SELECT and a buffer ring in host-private memory. */
  RECV = Hazard.HOST_MEMORY_WRITE,
  OPENAT2 = Hazard.HOST_MEMORY_READ | Hazard.AMBIENT | Hazard.USELESS,
  EPOLL_CTL = Hazard.HOST_MEMORY_READ | Hazard.RAW_DESCRIPTOR,
  SPLICE = Hazard.RAW_DESCRIPTOR,
  /** A later RECV writes into what was provided. */
  PROVIDE_BUFFERS = Hazard.HOST_MEMORY_WRITE,
  REMOVE_BUFFERS = Hazard.USELESS,
  TEE = Hazard.RAW_DESCRIPTOR,
  SHUTDOWN = Hazard.NONE,
  RENAMEAT = Hazard.HOST_MEMORY_READ | Hazard.AMBIENT | Hazard.USELESS,
  UNLINKAT = Hazard.HOST_MEMORY_READ | Hazard.AMBIENT | Hazard.USELESS,
  MKDIRAT = Hazard.HOST_MEMORY_READ | Hazard.AMBIENT | Hazard.USELESS,
  SYMLINKAT = Hazard.HOST_MEMORY_READ | Hazard.AMBIENT | Hazard.USELESS,
  LINKAT = Hazard.HOST_MEMORY_READ | Hazard.AMBIENT | Hazard.USELESS,
  /** A ring cannot be in a fixed file table. */
  MSG_RING = Hazard.USELESS,
  FSETXATTR = Hazard.HOST_MEMORY_READ,
  SETXATTR = Hazard.HOST_MEMORY_READ | Hazard.AMBIENT | Hazard.USELESS,
  FGETXATTR = Hazard.HOST_MEMORY_WRITE | Hazard.HOST_MEMORY_READ,
  GETXATTR = Hazard.HOST_MEMORY_WRITE | Hazard.HOST_MEMORY_READ | Hazard.AMBIENT | Hazard.USELESS,
  SOCKET = Hazard.AMBIENT | Hazard.EXHAUSTION,
  URING_CMD = Hazard.HOST_MEMORY_WRITE | Hazard.HOST_MEMORY_READ | Hazard.AMBIENT,
  /** RecvSend.FIXED_BUF would confine it, but no restriction sees `ioprio`. */
  SEND_ZC = Hazard.HOST_MEMORY_READ | Hazard.AMBIENT,
  SENDMSG_ZC = Hazard.HOST_MEMORY_READ | Hazard.AMBIENT,
  /** Needs a buffer ring, and has `attr_ptr`. */
  READ_MULTISHOT = Hazard.ORACLE | Hazard.USELESS,
  WAITID = Hazard.HOST_MEMORY_WRITE | Hazard.AMBIENT,
  FUTEX_WAIT = Hazard.ORACLE,
  FUTEX_WAKE = Hazard.AMBIENT | Hazard.ORACLE,
  FUTEX_WAITV = Hazard.HOST_MEMORY_READ | Hazard.ORACLE,
  FIXED_FD_INSTALL = Hazard.EXHAUSTION,
  FTRUNCATE = Hazard.NONE,
  BIND = Hazard.HOST_MEMORY_READ | Hazard.AMBIENT,
  /** Confined, but only of use with a socket that the host bound: the host listens as well. */
  LISTEN = Hazard.AMBIENT,
  /** Needs a registered receive queue. */
  RECV_ZC = Hazard.USELESS,
  EPOLL_WAIT = Hazard.HOST_MEMORY_WRITE,
  /** What is read and written is confined, the iovecs are not. */
  READV_FIXED = Hazard.ORACLE,
  WRITEV_FIXED = Hazard.ORACLE,
  PIPE = Hazard.HOST_MEMORY_WRITE | Hazard.EXHAUSTION,
  /** Needs 128-byte SQEs. */
  NOP128 = Hazard.RAW_DESCRIPTOR | Hazard.USELESS,
  URING_CMD128 = Hazard.HOST_MEMORY_WRITE |
    Hazard.HOST_MEMORY_READ |
    Hazard.AMBIENT |
    Hazard.USELESS,
}
