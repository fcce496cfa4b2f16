/**
 * The eventfds that tell of a guest's completions: the embedder's (the talk's irqfd), checked, and duplicated, so that
 * closing the original while the guest runs does no harm; and the host's own that wakes an idle guest.
 */
import { readlinkSync } from "node:fs";
import { errnoName, WasmUringError } from "../errors";
import type { Syscalls } from "../ffi/syscalls";

function badEventFd(eventFd: number, why: string): WasmUringError {
  return new WasmUringError("ERR_BAD_OPTION", {
    what: `eventFd ${eventFd}`,
    why,
    whatToDo: "pass the descriptor of an open eventfd(2), or leave it out",
  });
}

function isEventFd(fd: number): boolean {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`).startsWith("anon_inode:[eventfd");
  } catch {
    return false;
  }
}

/** @throws WasmUringError ERR_BAD_OPTION */
function takeEventFd(eventFd: number, syscalls: Syscalls | null): number {
  if (syscalls === null) throw badEventFd(eventFd, "this platform has no eventfds");
  if (!Number.isInteger(eventFd) || !isEventFd(eventFd))
    throw badEventFd(eventFd, "is not an eventfd");
  const fd = syscalls.dup(eventFd);
  if (fd < 0) throw badEventFd(eventFd, `cannot be duplicated: ${errnoName(-fd)}`);
  return fd;
}

const EFD_CLOEXEC_NONBLOCK = 0o2000000 | 0o4000;

export interface EventFdPair {
  /** For the guest's thread. */
  fds: { eventFd?: number; interruptFd?: number };
  /** When that thread is gone. Idempotent. */
  close(): void;
}

/**
 * @param eventFd the embedder's, if any
 * @param wantsInterrupts whether the guest exports `on_completion`
 * @throws WasmUringError ERR_BAD_OPTION, or ERR_SYSCALL when no eventfd can be made; nothing is left open
 */
export function openEventFds(
  eventFd: number | undefined,
  wantsInterrupts: boolean,
  syscalls: Syscalls | null,
): EventFdPair {
  const fds: EventFdPair["fds"] = {};
  const close = (): void => {
    for (const fd of [fds.eventFd, fds.interruptFd]) if (fd !== undefined) syscalls?.close(fd);
    delete fds.eventFd;
    delete fds.interruptFd;
  };
  if (eventFd !== undefined) fds.eventFd = takeEventFd(eventFd, syscalls);
  if (!wantsInterrupts || syscalls === null) return { fds, close };
  const made = syscalls.eventfd(0, EFD_CLOEXEC_NONBLOCK);
  if (made >= 0) {
    fds.interruptFd = made;
    return { fds, close };
  }
  close();
  throw new WasmUringError("ERR_SYSCALL", {
    what: "making the eventfd that wakes the guest (it exports on_completion)",
    why: errnoName(-made),
    likelyCause: "too many open files (ulimit -n)",
    syscall: "eventfd",
    errno: -made,
  });
}
