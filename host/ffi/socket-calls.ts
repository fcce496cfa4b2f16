/**
 * System calls on sockets, and the wait for any descriptor to be ready. None of them ever blocks
 * but `wait`, and that only for the time it is given: a thread that is stuck in a system call
 * cannot be ended.
 */
import { Errno } from "../abi";
import { loadLibc } from "./libc";
import { nativeBuffer } from "./native-buffer";

const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const SOCK_CLOEXEC_NONBLOCK = 0x80800;
const SOL_SOCKET = 1;
const SO_TYPE = 3;
const F_GETFL = 3;
const F_SETFL = 4;
const O_NONBLOCK = 0x800;

export interface SocketCalls {
  /** accept4(2): a descriptor that never blocks. The listening socket must not block either. */
  accept(fd: number): number;
  /** recvmsg(2) of a struct msghdr; `flags` are added to MSG_DONTWAIT. */
  receive(fd: number, message: number, flags: number): number;
  /** sendmsg(2) with MSG_DONTWAIT, and without a SIGPIPE for the process. */
  send(fd: number, message: number): number;
  shutdown(fd: number, how: number): number;
  /** SO_TYPE: SOCK_STREAM 1, SOCK_DGRAM 2; -ENOTSOCK. */
  type(fd: number): number;
  /** Sets O_NONBLOCK on the open file that the descriptor shares. */
  setNonBlocking(fd: number): number;
  /** ppoll(2): `entries` is an array of struct pollfd, `timeout` a struct timespec. */
  wait(entries: number, count: number, timeout: number): number;
}

function makeSocketCalls(): SocketCalls {
  const { koffi, number, checked } = loadLibc();
  const option = nativeBuffer(8);
  const accept4 = number("int accept4(int fd, uintptr_t address, uintptr_t length, int flags)");
  const recvmsg = number("int64_t recvmsg(int fd, uintptr_t message, int flags)");
  const sendmsg = number("int64_t sendmsg(int fd, uintptr_t message, int flags)");
  const shutdown = number("int shutdown(int fd, int how)");
  const getsockopt = number(
    "int getsockopt(int fd, int level, int option, uintptr_t value, uintptr_t length)",
  );
  const fcntl = number("int fcntl(int fd, int command, int argument)");
  const ppoll = number("int ppoll(uintptr_t fds, size_t count, uintptr_t timeout, uintptr_t mask)");

  return {
    accept: (fd) => {
      const accepted = accept4(fd, 0, 0, SOCK_CLOEXEC_NONBLOCK);
      return accepted === -1 ? -koffi.errno() : accepted;
    },
    receive: (fd, message, flags) => checked(recvmsg(fd, message, flags | MSG_DONTWAIT)),
    send: (fd, message) => checked(sendmsg(fd, message, MSG_DONTWAIT | MSG_NOSIGNAL)),
    shutdown: (fd, how) => checked(shutdown(fd, how)),
    type: (fd) => {
      // An int for the value and one for its length.
      option.view.setUint32(4, 4, true);
      const { address } = option;
      const result = checked(getsockopt(fd, SOL_SOCKET, SO_TYPE, address, address + 4));
      return result < 0 ? result : option.view.getInt32(0, true);
    },
    setNonBlocking: (fd) => {
      const flags = checked(fcntl(fd, F_GETFL, 0));
      return flags < 0 ? flags : checked(fcntl(fd, F_SETFL, flags | O_NONBLOCK));
    },
    wait: (entries, count, timeout) => checked(ppoll(entries, count, timeout, 0)),
  };
}

let table: SocketCalls | undefined;

/** The table of this thread. Throws what koffi throws when libc cannot be loaded. */
export function socketCalls(): SocketCalls {
  table ??= makeSocketCalls();
  return table;
}

const refuse = (): number => -Errno.ENOSYS;

/** Where there are no system calls: no socket is granted there. */
export const absentSocketCalls: SocketCalls = {
  accept: refuse,
  receive: refuse,
  send: refuse,
  shutdown: refuse,
  type: refuse,
  setNonBlocking: refuse,
  wait: refuse,
};
