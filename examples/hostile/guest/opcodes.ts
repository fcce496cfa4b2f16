/** Every opcode of io_uring, and what each would give a guest that may use it. */
import { Errno, guestAddress, Limits, Op, Sqe, SqeFlag } from "../../../assembly";
import { Report } from "./report";

/** By opcode. */
const GAINS: StaticArray<string> = [
  "a host descriptor held open (NOP_FILE)", // NOP
  "host memory overwritten through iovecs", // READV
  "host memory read through iovecs", // WRITEV
  "a flush that was not granted", // FSYNC
  "(allowed: fixed buffer, fixed file)", // READ_FIXED
  "a write that was not granted", // WRITE_FIXED
  "unbounded requests in flight", // POLL_ADD
  "another request's end", // POLL_REMOVE
  "a flush that was not granted", // SYNC_FILE_RANGE
  "host memory sent to a peer", // SENDMSG
  "host memory overwritten from a peer", // RECVMSG
  "host memory read by the time it takes", // TIMEOUT
  "host memory read by the time it takes", // TIMEOUT_REMOVE
  "a peer's address written to host memory", // ACCEPT
  "the end of other requests", // ASYNC_CANCEL
  "host memory read by the time it takes", // LINK_TIMEOUT
  "the host's network", // CONNECT
  "the disk filled", // FALLOCATE
  "any file of the host", // OPENAT
  "the host's descriptors closed", // CLOSE
  "any host descriptor put into the table", // FILES_UPDATE
  "metadata of any file, written to host memory", // STATX
  "host memory overwritten from a file", // READ
  "host memory written out to a file", // WRITE
  "(allowed: advice about a granted file)", // FADVISE
  "host memory dropped", // MADVISE
  "host memory sent to a peer", // SEND
  "host memory overwritten from a peer", // RECV
  "any file of the host", // OPENAT2
  "the host's event loop", // EPOLL_CTL
  "data of any open host descriptor", // SPLICE
  "host memory as receive buffers", // PROVIDE_BUFFERS
  "receive buffers taken away", // REMOVE_BUFFERS
  "data of any open host pipe", // TEE
  "a granted socket shut", // SHUTDOWN
  "any file of the host renamed", // RENAMEAT
  "any file of the host removed", // UNLINKAT
  "directories on the host", // MKDIRAT
  "links on the host", // SYMLINKAT
  "links on the host", // LINKAT
  "messages into the host's rings", // MSG_RING
  "attributes set from host memory", // FSETXATTR
  "attributes of any file set", // SETXATTR
  "attributes written to host memory", // FGETXATTR
  "attributes of any file", // GETXATTR
  "the host's network", // SOCKET
  "driver commands with pointers of their own", // URING_CMD
  "host memory sent to a peer", // SEND_ZC
  "host memory sent to a peer", // SENDMSG_ZC
  "reads into buffers of the kernel's choice", // READ_MULTISHOT
  "the host's child processes reaped", // WAITID
  "host memory compared, word by word", // FUTEX_WAIT
  "the host's threads woken", // FUTEX_WAKE
  "host memory compared, word by word", // FUTEX_WAITV
  "the host's descriptor table filled", // FIXED_FD_INSTALL
  "a file cut off", // FTRUNCATE
  "the host's network", // BIND
  "the host's network", // LISTEN
  "packets of the host's network card", // RECV_ZC
  "events written to host memory", // EPOLL_WAIT
  "host memory probed through iovecs", // READV_FIXED
  "host memory probed through iovecs", // WRITEV_FIXED
  "descriptor numbers written to host memory", // PIPE
  "a host descriptor held open (NOP_FILE)", // NOP128
  "driver commands with pointers of their own", // URING_CMD128
];

/** Opcodes up to here are older than the restrictions: a kernel that confines at all knows them. */
const OLDER_THAN_RESTRICTIONS = Op.TEE;

/** Where Linux puts the text of a program that is not position independent, as node is. */
export const PROGRAM_TEXT: u64 = 0x400000;

/**
 * Whether the policy lets the opcode pass: it is then no escape, and the other attempts are about
 * its operands.
 */
export function isAllowed(report: Report, opcode: u32): bool {
  return opcode < 64 && ((load<u64>(report.ring.limits, Limits.OPCODES) >> opcode) & 1) != 0;
}

/**
 * A pointer into the host wherever the opcode looks for one; the answer must not come from
 * following it.
 */
function tryOpcode(report: Report, opcode: u32): i32 {
  const sqe = report.ring.sqe();
  store<u8>(sqe, <u8>opcode);
  store<u8>(sqe, SqeFlag.FIXED_FILE, Sqe.FLAGS);
  store<u64>(sqe, PROGRAM_TEXT, Sqe.ADDR);
  store<u32>(sqe, 1, Sqe.LEN);
  return report.ring.run();
}

export function tryOpcodes(report: Report): void {
  for (let opcode: u32 = 0; opcode < <u32>Op.LAST; opcode++) {
    if (isAllowed(report, opcode)) continue;
    const attempt = "opcode " + opcode.toString() + " " + Op[opcode];
    // What the kernel does not know is EINVAL; of what it knows, any answer but EACCES would mean
    // that it was executed.
    const or = opcode <= <u32>OLDER_THAN_RESTRICTIONS ? Errno.EACCES : Errno.EINVAL;
    report.refusal(attempt, GAINS[opcode], tryOpcode(report, opcode), Errno.EACCES, or);
  }
  report.refusal("opcode 255", "whatever comes one day", tryOpcode(report, 255), Errno.EINVAL);
  tryChain(report);
}

/**
 * A denied request at the end of a chain: the whole chain is dropped, nothing of it is executed.
 */
function tryChain(report: Report): void {
  const ring = report.ring;
  if ((load<u32>(ring.limits, Limits.SQE_FLAGS_ALLOWED) & SqeFlag.IO_LINK) == 0) return;
  ring.paintArena();
  const read = ring.sqe(0);
  store<u8>(read, <u8>Op.READ_FIXED);
  store<u8>(read, SqeFlag.FIXED_FILE | SqeFlag.IO_LINK, Sqe.FLAGS);
  store<u64>(read, guestAddress(ring.arena), Sqe.ADDR);
  store<u32>(read, <u32>ring.page, Sqe.LEN);
  const denied = ring.sqe(1);
  store<u8>(denied, <u8>Op.MADVISE);
  store<u8>(denied, SqeFlag.FIXED_FILE, Sqe.FLAGS);
  ring.publish(2);
  ring.enter(2, 2);
  const first = ring.answer();
  const second = ring.answer();
  const dropped =
    first == -(<i32>Errno.ECANCELED) && second == -(<i32>Errno.EACCES) && ring.arenaIsUntouched();
  const answer = Errno[-min(first, 0)] + ", " + Errno[-min(second, 0)];
  report.judge(
    "MADVISE linked to an ordinary read",
    "a denied opcode behind an allowed one",
    answer,
    dropped,
  );
}
