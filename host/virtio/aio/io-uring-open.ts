/** Makes the ring, its file and its eventfd of aio "io_uring"; a step that fails undoes those before it. */
import { Errno, Register, SetupFlag } from "../../abi";
import { errnoName, WasmUringError } from "../../errors";
import type { Syscalls } from "../../ffi/syscalls";
import { HostRing, type HostRingFlags } from "../../ring/host-ring";
import { Enter } from "../../ring/mapped/enter";
import type { BlockBackend } from "./backend";
import { eventFdError, makeEventFd } from "./event";
import { IoUringBackend } from "./io-uring";

/**
 * COOP_TASKRUN spares the interrupt for each completion; TASKRUN_FLAG tells a thread that polls when to enter.
 */
const FLAGS: HostRingFlags = {
  required: SetupFlag.CQSIZE,
  optional: [
    SetupFlag.SUBMIT_ALL | SetupFlag.COOP_TASKRUN | SetupFlag.TASKRUN_FLAG | SetupFlag.NO_SQARRAY,
    SetupFlag.SUBMIT_ALL | SetupFlag.COOP_TASKRUN | SetupFlag.TASKRUN_FLAG,
    0,
  ],
};
const NEVER_STOPPED = { stopped: () => false };

export interface IoUringRequest {
  fd: number;
  depth: number;
  syscalls: Syscalls;
}

function denied(errno: number): WasmUringError {
  return new WasmUringError("ERR_ENGINE_UNAVAILABLE", {
    what: 'opening aio "io_uring"',
    why: `io_uring_setup says ${errnoName(errno)}`,
    likelyCause:
      errno === Errno.ENOSYS
        ? "a kernel without io_uring, or a sandbox such as gVisor"
        : "kernel.io_uring_disabled, or a seccomp filter (Docker's default profile forbids io_uring)",
    whatToDo: 'use aio "threads" or "native"; `wasm-uring probe` says what this machine allows',
    syscall: "io_uring_setup",
    errno,
  });
}

function register(
  syscalls: Syscalls,
  ring: HostRing,
  operation: Register,
  fd: number,
  what: string,
): void {
  const fds = new Int32Array([fd]);
  const result = syscalls.ioUringRegister(ring.fd, operation, new Uint8Array(fds.buffer), 1);
  if (result >= 0) return;
  throw new WasmUringError("ERR_SETUP", {
    what: `registering ${what} with the ring of aio "io_uring"`,
    why: errnoName(-result),
    syscall: "io_uring_register",
    errno: -result,
  });
}

/** @throws WasmUringError ERR_ENGINE_UNAVAILABLE, ERR_MEMLOCK, ERR_SETUP; nothing is left behind */
export function openIoUring({ fd, depth, syscalls }: IoUringRequest): BlockBackend {
  const entries = 1 << (32 - Math.clz32(depth - 1));
  const ring = HostRing.create(syscalls, { sqEntries: entries, cqEntries: entries }, FLAGS);
  if (typeof ring === "number") throw denied(ring);
  const eventFd = makeEventFd(syscalls);
  try {
    if (eventFd < 0) throw eventFdError("io_uring", -eventFd);
    register(syscalls, ring, Register.FILES, fd, "the disk's file");
    register(syscalls, ring, Register.EVENTFD, eventFd, "the eventfd");
    ring.muteEvents(true);
    const enter = new Enter(syscalls, ring.fd, 0, NEVER_STOPPED);
    return new IoUringBackend({ depth, syscalls, ring, enter, eventFd });
  } catch (error) {
    syscalls.close(ring.fd);
    ring.unmap();
    if (eventFd >= 0) syscalls.close(eventFd);
    throw error;
  }
}
