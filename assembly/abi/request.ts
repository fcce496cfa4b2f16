/**
 * The contract between a guest and wasm-uring: what crosses the `uring` import module. The kernel's own layouts are
 * in the neighbouring files; here stand only the few words that the host adds, because the kernel knows no guests.
 *
 * Imports of module "uring" (all parameters i32, all results i32: >= 0 or a negated Linux errno):
 *
 *   query(limits)                                          fills a `Limits`
 *   grant(name, nameLength, info)                          the slot of a named grant; fills a `GrantInfo` unless 0
 *   setup(request)                                         builds the ring where the `SetupRequest` says
 *   enter(toSubmit, minComplete, flags, timeoutUs)         io_uring_enter(2); timeoutUs -1 waits without end
 *   arena(offset, length, index)                           registers a further arena as fixed buffer `index`
 *   personality(name, nameLength)                          the id of a named personality, for SQEs
 *
 * Exports of a guest that the host calls:
 *
 *   _start()                                               once, where the guest begins
 *   on_completion() or on_completion() -> i32              after it, whenever completions were posted; not 0 ends the guest
 */

/** The version of this contract. A request that names another one is refused with -EPROTONOSUPPORT. */
export const ABI_VERSION = 1;

/** A guest address (what `addr` of an SQE holds) is this plus the linear-memory offset. */
export const GUEST_ADDRESS_BASE = 0x100000000;

/** The slots of the fixed file table; grants take them from 0 upwards. */
export const FILE_SLOTS = 64;

/** Fixed buffers of a ring: 0 is the arena of the set-up request, the others are added by `arena`. */
export const ARENAS_MAX = 16;

/** The largest SQ the kernel accepts (IORING_MAX_ENTRIES). */
export const SQ_ENTRIES_MAX = 32768;

/**
 * Byte offsets in the set-up request, which lies in guest memory. The guest writes the first half,
 * the host the second. All words are u32 little-endian; every offset is from the start of linear memory.
 *
 *   0        4        8        12       16       20       24       28       32       36       40
 *   | version| sqEntr | cqEntr | ringOff| ringLen| sqesOff| sqesLen| arenaOf| arenaLn| flags  |
 *   40 ... 96: reply, see below
 */
export const enum SetupRequest {
  ABI_VERSION = 0,
  /** Wanted SQ entries: a power of two. */
  SQ_ENTRIES = 4,
  /** Wanted CQ entries: a power of two >= SQ_ENTRIES. */
  CQ_ENTRIES = 8,
  /** Where header, CQEs and SQ array go: page aligned. */
  RING_OFFSET = 12,
  RING_LENGTH = 16,
  /** Where the SQEs go: page aligned. */
  SQES_OFFSET = 20,
  SQES_LENGTH = 24,
  /** The window registered as the ring's one fixed buffer: page aligned. */
  ARENA_OFFSET = 28,
  ARENA_LENGTH = 32,
  /** Reserved, must be 0. */
  FLAGS = 36,

  /** Reply: bits of `RingMode`. */
  MODE = 40,
  /** Reply: linear-memory offsets of the words of the rings. */
  SQ_HEAD = 44,
  SQ_TAIL = 48,
  SQ_FLAGS = 52,
  SQ_DROPPED = 56,
  /** Reply: 0 when there is no SQ array (IORING_SETUP_NO_SQARRAY). */
  SQ_ARRAY = 60,
  SQES = 64,
  CQ_HEAD = 68,
  CQ_TAIL = 72,
  CQ_OVERFLOW = 76,
  CQ_FLAGS = 80,
  CQES = 84,
  /** Reply: what the ring really has. */
  SQ_ENTRIES_ACTUAL = 88,
  CQ_ENTRIES_ACTUAL = 92,
  SIZE = 96,
}

/** Bits of the reply's MODE. */
export enum RingMode {
  /** A kernel thread consumes the SQ; enter only when SqFlag.NEED_WAKEUP is set, or to wait. */
  SQPOLL = 1,
  /** Completions may be posted only inside enter with GETEVENTS: a guest that merely looks at the CQ may look for ever. */
  DEFER_TASKRUN = 2,
  /** The kernel consumes these very rings. */
  MAPPED = 4,
  /** The host vets and copies each SQE onto a kernel ring. */
  MIRRORED = 8,
  /** The host performs the I/O; no io_uring is involved. */
  EMULATED = 16,
  /** Completions are polled for on the device (IORING_SETUP_IOPOLL): only reads and writes of O_DIRECT grants. */
  IOPOLL = 32,
}

/** Byte offsets in the answer to `query`: what this host allows and recommends to this guest. */
export const enum Limits {
  ABI_VERSION = 0,
  /** Alignment of every region. */
  PAGE_SIZE = 4,
  /** Recommended SQ entries (the host's option `entries`). */
  SQ_ENTRIES = 8,
  /** Largest SQ accepted. */
  SQ_ENTRIES_MAX = 12,
  /** Largest arena accepted, bytes; 0xffff_ffff when only memory bounds it. */
  ARENA_LENGTH_MAX = 16,
  /** SQE flags that the policy allows and requires. */
  SQE_FLAGS_ALLOWED = 20,
  SQE_FLAGS_REQUIRED = 24,
  /** Slots 0 .. GRANTS-1 are or were filled, at this moment. */
  GRANTS = 28,
  /** u64 bit map of the opcodes that the policy allows. */
  OPCODES = 32,
  SIZE = 40,
}

/** Byte offsets in the answer to `grant`. */
export const enum GrantInfo {
  /** u64: size in bytes of a regular file or block device when it was granted, else 0. */
  SIZE_BYTES = 0,
  /** Bits of `GrantAccess`. */
  ACCESS = 8,
  /** One of `GrantKind`. */
  KIND = 12,
  /** Alignment that addresses, offsets and lengths need; 1 unless O_DIRECT. */
  ALIGNMENT = 16,
  /** Reserved, 0. */
  RESERVED = 20,
  SIZE = 24,
}

export enum GrantAccess {
  READ = 1,
  WRITE = 2,
}

export enum GrantKind {
  FILE = 1,
  BLOCK_DEVICE = 2,
  CHARACTER_DEVICE = 3,
  PIPE = 4,
  SOCKET = 5,
  EVENTFD = 6,
  TIMERFD = 7,
}
