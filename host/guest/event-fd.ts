/**
 * The embedder's eventfd that is to tell of a guest's completions (the talk's irqfd): checked, and duplicated, so that
 * closing the original while the guest runs does no harm.
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
export function takeEventFd(eventFd: number, syscalls: Syscalls | null): number {
  if (syscalls === null) throw badEventFd(eventFd, "this platform has no eventfds");
  if (!Number.isInteger(eventFd) || !isEventFd(eventFd))
    throw badEventFd(eventFd, "is not an eventfd");
  const fd = syscalls.dup(eventFd);
  if (fd < 0) throw badEventFd(eventFd, `cannot be duplicated: ${errnoName(-fd)}`);
  return fd;
}
