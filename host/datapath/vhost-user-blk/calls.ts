/** The families of system calls that this data path needs, of the thread that asks. */
import { epollCalls } from "../../ffi/epoll";
import { eventFds } from "../../ffi/event-fd";
import type { Syscalls } from "../../ffi/syscalls";
import { unixSocketCalls } from "../../ffi/unix-socket";
import type { SessionCalls } from "./session";

/** Throws what koffi throws when libc cannot be loaded. */
export function vhostUserCalls(syscalls: Syscalls): SessionCalls {
  return {
    syscalls,
    sockets: unixSocketCalls(),
    eventFds: eventFds(),
    epoll: epollCalls(),
  };
}
