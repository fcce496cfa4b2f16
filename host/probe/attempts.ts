/**
 * What a hostile guest would try in a second or two: a sample of every kind, as requests with the
 * answer that a confined ring must give. Each is harmless even if it were executed: pointers are
 * null, or lead to a page that is watched. The whole corpus is the test suite's.
 */
import { Errno, GUEST_ADDRESS_BASE, Op, SqeFlag } from "../abi";
import type { Request } from "./one-request";
import type { HostileCheck } from "./report";
import { PROBE_REQUEST } from "./stage";

export interface Attempt {
  name: string;
  kind: HostileCheck["kind"];
  request: Request;
  /**
   * The errno values that count as refused. A denied opcode must be EACCES: any other errno means
   * it was executed.
   */
  refusedBy: readonly Errno[];
}

const DENIED = [
  "READV",
  "WRITEV",
  "SENDMSG",
  "RECVMSG",
  "TIMEOUT",
  "ACCEPT",
  "OPENAT",
  "CLOSE",
  "READ",
  "WRITE",
  "MADVISE",
  "EPOLL_CTL",
  "SPLICE",
  "PROVIDE_BUFFERS",
  "MSG_RING",
  "SOCKET",
  "URING_CMD",
  "FUTEX_WAIT",
  "FIXED_FD_INSTALL",
  "READV_FIXED",
] as const satisfies readonly (keyof typeof Op)[];

const ARENA = BigInt(GUEST_ADDRESS_BASE) + BigInt(PROBE_REQUEST.arenaOffset);
const ARENA_END = ARENA + BigInt(PROBE_REQUEST.arenaLength);
const BYTES = 4096;

/**
 * A read of zeroes from slot 0 to the start of the arena: allowed. The attempts below change one
 * thing of it.
 */
export const ORDINARY_READ: Request = {
  opcode: Op.READ_FIXED,
  flags: SqeFlag.FIXED_FILE,
  slot: 0,
  address: ARENA,
  length: BYTES,
};

function opcodeAttempts(known: ReadonlySet<string>): Attempt[] {
  return DENIED.filter((name) => known.has(name)).map((name) => ({
    name: `opcode ${name}`,
    kind: "opcode",
    request: { opcode: Op[name], flags: SqeFlag.FIXED_FILE },
    refusedBy: [Errno.EACCES],
  }));
}

function flagAttempts(rawDescriptor: number): Attempt[] {
  const flagged = (name: string, flags: number): Attempt => ({
    name,
    kind: "flag",
    request: { ...ORDINARY_READ, flags },
    refusedBy: [Errno.EACCES, Errno.EINVAL, Errno.EOPNOTSUPP],
  });
  return [
    {
      name: "a descriptor of the host (no FIXED_FILE)",
      kind: "flag",
      request: { ...ORDINARY_READ, flags: 0, slot: rawDescriptor },
      refusedBy: [Errno.EACCES],
    },
    flagged("flag IO_DRAIN", SqeFlag.FIXED_FILE | SqeFlag.IO_DRAIN),
    flagged("flag ASYNC", SqeFlag.FIXED_FILE | SqeFlag.ASYNC),
    flagged("flag BUFFER_SELECT", SqeFlag.FIXED_FILE | SqeFlag.BUFFER_SELECT),
  ];
}

function slotAttempts(): Attempt[] {
  return [1, 63, 64, 0x7fffffff, -1].map((slot) => ({
    name: `slot ${slot}`,
    kind: "slot",
    request: { ...ORDINARY_READ, slot },
    refusedBy: [Errno.EBADF],
  }));
}

function addressAttempts(hostAddresses: HostAddresses): Attempt[] {
  const at = (name: string, change: Partial<Request>): Attempt => ({
    name,
    kind: "address",
    request: { ...ORDINARY_READ, ...change },
    refusedBy: [Errno.EFAULT, Errno.EINVAL],
  });
  return [
    at("a host buffer's real address", { address: hostAddresses.buffer }),
    at("the arena's real address", { address: hostAddresses.arena }),
    at("address 0", { address: 0n }),
    at("below the arena", { address: ARENA - BigInt(BYTES) }),
    at("across the arena's start", { address: ARENA - 1n }),
    at("across the arena's end", { address: ARENA_END - BigInt(BYTES) + 1n }),
    at("above the arena", { address: ARENA_END }),
    at("wrapping around 2^64", { address: 0xffff_ffff_ffff_f800n }),
    at("length 2^32-1", { length: 0xffffffff }),
    at("registered buffer 1", { bufferIndex: 1 }),
  ];
}

export interface HostAddresses {
  /** A page of the host's own, watched. */
  buffer: bigint;
  /** Where the arena really lies. */
  arena: bigint;
}

/**
 * @param known names of the opcodes that this kernel has: others are EINVAL by themselves and prove
 *   nothing
 * @param rawDescriptor a descriptor that is open in this process
 */
export function hostileAttempts(
  known: ReadonlySet<string>,
  rawDescriptor: number,
  hostAddresses: HostAddresses,
): Attempt[] {
  return [
    ...opcodeAttempts(known),
    ...flagAttempts(rawDescriptor),
    ...slotAttempts(),
    ...addressAttempts(hostAddresses),
  ];
}
