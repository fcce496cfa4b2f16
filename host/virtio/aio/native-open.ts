/** Makes the context, the eventfd and the ring's view of aio "native"; a step that fails undoes those before it. */
import { Errno } from "../../abi";
import { errnoName, WasmUringError } from "../../errors";
import { type AioCalls, aioCalls } from "../../ffi/aio";
import { nativeMemory } from "../../ffi/native-memory";
import type { Syscalls } from "../../ffi/syscalls";
import { AioEvents } from "./aio-events";
import type { BlockBackend } from "./backend";
import { eventFdError, makeEventFd } from "./event";
import { NativeBackend } from "./native";

export interface NativeRequest {
  fd: number;
  depth: number;
  syscalls: Syscalls;
  /** The real ones by default. */
  aio?: AioCalls;
}

function setupError(depth: number, errno: number): WasmUringError {
  const what = `opening aio "native", a Linux AIO context of ${depth} requests`;
  const detail = { what, why: errnoName(errno), syscall: "io_setup", errno };
  if (errno === Errno.EAGAIN) {
    return new WasmUringError("ERR_SETUP", {
      ...detail,
      likelyCause: "all contexts of this machine together exceed fs.aio-max-nr",
      whatToDo: "raise it: `sudo sysctl fs.aio-max-nr=1048576`, or ask for less depth",
    });
  }
  return new WasmUringError("ERR_ENGINE_UNAVAILABLE", {
    ...detail,
    likelyCause:
      errno === Errno.ENOSYS
        ? "a kernel without CONFIG_AIO, or a sandbox such as gVisor"
        : "a seccomp filter or a security module that forbids io_setup",
    whatToDo: 'use aio "io_uring" or "threads"',
  });
}

/** @throws WasmUringError ERR_ENGINE_UNAVAILABLE, ERR_SETUP; nothing is left behind */
export function openNative(request: NativeRequest): BlockBackend {
  const { fd, depth, syscalls } = request;
  const calls = request.aio ?? aioCalls();
  const context = calls.setup(depth);
  if (context < 0) throw setupError(depth, -context);
  const eventFd = makeEventFd(syscalls);
  if (eventFd < 0) {
    calls.destroy(context);
    throw eventFdError("native", -eventFd);
  }
  const events = new AioEvents({ calls, memory: nativeMemory(), syscalls, context, depth });
  return new NativeBackend({ fd, depth, syscalls, calls, context, eventFd, events });
}
