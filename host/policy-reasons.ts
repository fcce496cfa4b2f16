/**
 * Why an opcode or an SQE flag is not for guests, in words: what a hostile guest could do with it
 * although FIXED_FILE is required, and what to use instead. The facts are the table `HazardOf` of
 * the ABI; this file only words them, and the sentences end up in error messages and in the
 * documentation.
 */
import { Hazard, HazardOf, Op } from "./abi";

export type OpName = Exclude<keyof typeof Op, "LAST">;

/** Every opcode's name, in the kernel's order. */
export const OP_NAMES: readonly OpName[] = (Object.keys(Op) as (keyof typeof Op)[]).filter(
  (name): name is OpName => name !== "LAST" && Number.isNaN(Number(name)),
);

/**
 * The opcodes that a policy may name: those the kernel confines to the arena and the fixed file
 * table.
 */
export const SAFE_OP_NAMES: readonly OpName[] = OP_NAMES.filter(isSafe);

/**
 * What a hostile guest gains, one sentence a hazard, the worst first: a message gives the first
 * that applies.
 */
const GAIN: readonly (readonly [hazard: Hazard, sentence: string])[] = [
  [
    Hazard.HOST_MEMORY_WRITE,
    "a pointer in it is resolved in the host's address space: a guest could overwrite host memory",
  ],
  [
    Hazard.HOST_MEMORY_READ,
    "a pointer in it is resolved in the host's address space: a guest could read host memory",
  ],
  [
    Hazard.RAW_DESCRIPTOR,
    "it takes a descriptor number of the host process in spite of FIXED_FILE: " +
      "a guest could reach files that nobody granted",
  ],
  [
    Hazard.AMBIENT,
    "it reaches what no grant gave (network, file system, processes): " +
      "a guest would act with the host's own authority",
  ],
  [
    Hazard.ORACLE,
    "its result or its timing depends on host memory at an address the guest chooses: " +
      "a guest could find out what lies there",
  ],
  [
    Hazard.EXHAUSTION,
    "it fills the host's descriptor table: a guest could keep the host from opening files",
  ],
  [Hazard.USELESS, "it is refused, or does nothing, on a ring as the host sets it up"],
];

/** What makes some opcodes what they are; said before the gain. */
const DETAIL: Partial<Record<OpName, string>> = {
  NOP: "NOP_FILE took a raw descriptor, and leaked it, on kernels before the fix of 2026",
  READV: "takes an iovec array by pointer",
  WRITEV: "takes an iovec array by pointer",
  READV_FIXED: "takes an iovec array by pointer, only the segments are bounded",
  WRITEV_FIXED: "takes an iovec array by pointer, only the segments are bounded",
  SENDMSG: "takes a message header by pointer",
  RECVMSG: "takes a message header by pointer",
  SENDMSG_ZC: "takes a message header by pointer",
  SEND_ZC: "the bit that confines it (FIXED_BUF) is in ioprio, which no restriction sees",
  TIMEOUT: "takes a timespec by pointer, and fires after what it found there",
  LINK_TIMEOUT: "takes a timespec by pointer, and fires after what it found there",
  MADVISE: "drops the pages of any address range",
  ACCEPT: "the peer's address is written through a pointer",
  EPOLL_CTL: "both of its descriptors are raw",
  SPLICE: "its source, splice_fd_in, is raw",
  TEE: "its source, splice_fd_in, is raw",
  PROVIDE_BUFFERS: "provides any address as a buffer, and a later receive writes there",
  MSG_RING: "needs another ring in the file table, which the kernel refuses",
  READ_MULTISHOT: "needs a buffer ring, which guests do not have",
  LISTEN: "is only of use with a socket that the host bound",
};

const INSTEAD: Partial<Record<OpName, string>> = {
  NOP: "leave it out",
  READV: "use READ_FIXED",
  READ: "use READ_FIXED",
  READV_FIXED: "use READ_FIXED",
  READ_MULTISHOT: "use READ_FIXED",
  RECV: "use READ_FIXED, which works on sockets",
  RECVMSG: "use READ_FIXED, which works on sockets",
  RECV_ZC: "use READ_FIXED, which works on sockets",
  WRITEV: "use WRITE_FIXED",
  WRITE: "use WRITE_FIXED",
  WRITEV_FIXED: "use WRITE_FIXED",
  SEND: "use WRITE_FIXED, which works on sockets",
  SENDMSG: "use WRITE_FIXED, which works on sockets",
  SEND_ZC: "use WRITE_FIXED, which works on sockets",
  SENDMSG_ZC: "use WRITE_FIXED, which works on sockets",
  TIMEOUT: "grant a timerfd and READ_FIXED it",
  LINK_TIMEOUT: "grant a timerfd and READ_FIXED it",
  TIMEOUT_REMOVE: "grant a timerfd and READ_FIXED it",
  ACCEPT: "accept in the host and grant the socket",
  CONNECT: "connect in the host and grant the socket",
  SOCKET: "make the socket in the host and grant it",
  BIND: "bind in the host and grant what it accepts",
  LISTEN: "listen in the host and grant what it accepts",
  OPENAT: "grant the file by name",
  OPENAT2: "grant the file by name",
  PIPE: "make the pipe in the host and grant its ends",
  EPOLL_CTL: "use POLL_ADD",
  EPOLL_WAIT: "use POLL_ADD",
  SPLICE: "use READ_FIXED and WRITE_FIXED, linked",
  TEE: "use READ_FIXED and WRITE_FIXED, linked",
};

/** True when the kernel confines the opcode and a policy may name it. */
export function isSafe(name: OpName): boolean {
  const hazards: number = HazardOf[name];
  return hazards === Hazard.NONE;
}

/** Why an opcode is refused; undefined when it is not. No full stop. */
export function whyRefused(name: OpName): string | undefined {
  const hazards: number = HazardOf[name];
  const gain = GAIN.find(([hazard]) => (hazards & hazard) !== 0);
  if (gain === undefined) return undefined;
  const detail = DETAIL[name];
  return detail === undefined ? gain[1] : `${detail}; ${gain[1]}`;
}

/** What to use in its place; undefined when there is nothing. No full stop. */
export function insteadOf(name: OpName): string | undefined {
  return INSTEAD[name];
}

/** Why the SQE flags that no policy may allow are refused. */
export const FLAG_REFUSED: Readonly<Record<string, string>> = {
  FIXED_FILE: "it is required of every SQE, by every policy: leave it out",
  IO_DRAIN:
    "it makes the kernel hold back the whole ring and keep a list of every request before it, " +
    "a path with a history of kernel bugs; link the requests (IO_LINK) instead",
  ASYNC:
    "it starts a kernel worker thread for every request that carries it: a guest could occupy " +
    "all of them; the kernel goes asynchronous by itself when it must",
  BUFFER_SELECT:
    "it takes the data's address from a buffer ring instead of the registered arena: " +
    "a guest that owns the buffer ring could overwrite host memory",
};
