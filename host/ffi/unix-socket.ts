/**
 * Stream sockets of the Unix domain, which can hand over file descriptors (SCM_RIGHTS). Nothing here waits: who may
 * wait does so by poll (`event-fd.ts`). Descriptors are sent but never taken: receiving without a control buffer
 * makes the kernel drop what a peer sent along, so that none can be forced on this process.
 */
import { loadLibc } from "./libc";

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_NONBLOCK = 0x800;
const SOCK_CLOEXEC = 0x80000;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const ENAMETOOLONG = 36;
const EINVAL = 22;

/** struct sockaddr_un: u16 family, then the path, which ends with a zero byte. */
const SOCKADDR_BYTES = 110;
const PATH_OFFSET = 2;

/** One area at a fixed address: struct msghdr, struct iovec, the control message, the data. */
const enum Scratch {
  MSGHDR = 0,
  IOVEC = 64,
  CONTROL = 128,
  DATA = 1024,
  SIZE = 8192,
}

/** Offsets in struct msghdr of a 64-bit system. */
const enum Msghdr {
  IOV = 16,
  IOVLEN = 24,
  CONTROL = 32,
  CONTROLLEN = 40,
}

/** struct cmsghdr: u64 length, i32 level, i32 type; then the descriptors. */
const CMSGHDR_BYTES = 16;

/** SCM_RIGHTS takes 253; a message of vhost-user at most 8. */
const DESCRIPTORS_MAX = 8;

export interface UnixSocketCalls {
  /** A connected, non-blocking socket, or a negated errno: -EAGAIN when too many wait to be accepted. */
  connect(path: string): number;
  /** Sends bytes, at most 7 KiB, and descriptors with them. How many bytes went, or a negated errno. */
  send(fd: number, bytes: Uint8Array, descriptors: readonly number[]): number;
  /**
   * Receives into `target`: how many bytes, 0 when the peer hung up, or a negated errno: -EAGAIN when there are none.
   */
  receive(fd: number, target: Uint8Array): number;
  close(fd: number): number;
}

function socketAddress(path: string): Uint8Array | null {
  const name = Buffer.from(path, "utf8");
  if (name.length > SOCKADDR_BYTES - PATH_OFFSET - 1) return null;
  const bytes = new Uint8Array(SOCKADDR_BYTES);
  new DataView(bytes.buffer).setUint16(0, AF_UNIX, true);
  bytes.set(name, PATH_OFFSET);
  return bytes;
}

/** Writes struct msghdr and what it points to for `length` bytes of data. */
function prepareMessage(
  scratch: DataView,
  base: number,
  length: number,
  descriptors: readonly number[],
): void {
  const u64 = (offset: number, value: number) => scratch.setBigUint64(offset, BigInt(value), true);
  u64(Scratch.IOVEC, base + Scratch.DATA);
  u64(Scratch.IOVEC + 8, length);
  u64(Scratch.MSGHDR + Msghdr.IOV, base + Scratch.IOVEC);
  u64(Scratch.MSGHDR + Msghdr.IOVLEN, 1);
  const control = CMSGHDR_BYTES + 4 * descriptors.length;
  const some = descriptors.length > 0;
  u64(Scratch.MSGHDR + Msghdr.CONTROL, some ? base + Scratch.CONTROL : 0);
  u64(Scratch.MSGHDR + Msghdr.CONTROLLEN, some ? Math.ceil(control / 8) * 8 : 0);
  u64(Scratch.CONTROL, control);
  scratch.setInt32(Scratch.CONTROL + 8, SOL_SOCKET, true);
  scratch.setInt32(Scratch.CONTROL + 12, SCM_RIGHTS, true);
  descriptors.forEach((descriptor, index) => {
    scratch.setInt32(Scratch.CONTROL + CMSGHDR_BYTES + 4 * index, descriptor, true);
  });
}

function makeUnixSocketCalls(): UnixSocketCalls {
  const { koffi, number, checked } = loadLibc();
  const socket = number("int socket(int domain, int type, int protocol)");
  const connect = number("int connect(int fd, void *address, uint32_t length)");
  const sendmsg = number("int64_t sendmsg(int fd, uintptr_t message, int flags)");
  const recv = number("int64_t recv(int fd, void *buffer, size_t length, int flags)");
  const close = number("int close(int fd)");
  const bytes = new Uint8Array(Scratch.SIZE);
  const scratch = new DataView(bytes.buffer);
  const base = Number(koffi.address(bytes));

  return {
    connect: (path) => {
      const address = socketAddress(path);
      if (address === null) return -ENAMETOOLONG;
      const fd = checked(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
      if (fd < 0) return fd;
      const result = checked(connect(fd, address, SOCKADDR_BYTES));
      if (result === 0) return fd;
      close(fd);
      return result;
    },
    send: (fd, data, descriptors) => {
      if (data.length > Scratch.SIZE - Scratch.DATA) return -EINVAL;
      if (descriptors.length > DESCRIPTORS_MAX) return -EINVAL;
      bytes.set(data, Scratch.DATA);
      prepareMessage(scratch, base, data.length, descriptors);
      return checked(sendmsg(fd, base + Scratch.MSGHDR, MSG_DONTWAIT | MSG_NOSIGNAL));
    },
    receive: (fd, target) => checked(recv(fd, target, target.length, MSG_DONTWAIT)),
    close: (fd) => checked(close(fd)),
  };
}

let table: UnixSocketCalls | undefined;

/** The table of this thread. Throws what koffi throws when libc cannot be loaded. */
export function unixSocketCalls(): UnixSocketCalls {
  table ??= makeUnixSocketCalls();
  return table;
}
