/** The eventfd with which a back end tells that completions wait. */
import { errnoName, WasmUringError } from "../../errors";
import type { Syscalls } from "../../ffi/syscalls";
import type { AioName } from "./backend";

const EFD_CLOEXEC_NONBLOCK = 0o2000000 | 0o4000;

/** @returns a descriptor or a negated errno */
export function makeEventFd(syscalls: Syscalls): number {
  return syscalls.eventfd(0, EFD_CLOEXEC_NONBLOCK);
}

export function eventFdError(aio: AioName, errno: number): WasmUringError {
  return new WasmUringError("ERR_SETUP", {
    what: `making the eventfd of aio "${aio}"`,
    why: errnoName(errno),
    likelyCause: "the limit of open files (ulimit -n)",
    syscall: "eventfd",
    errno,
  });
}
