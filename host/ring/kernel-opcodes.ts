/**
 * The opcodes that the running kernel knows (IORING_REGISTER_PROBE), asked once in a process with a ring of one entry
 * that is never enabled: so that a guest hears of what its policy allows and its kernel has before it sets a ring up.
 */
import { Params, SetupFlag } from "../abi";
import type { Syscalls } from "../ffi/syscalls";
import { probeOpcodes } from "./register";

function ask(syscalls: Syscalls): readonly number[] | null {
  const params = new DataView(new ArrayBuffer(Params.SIZE));
  params.setUint32(Params.FLAGS, SetupFlag.R_DISABLED, true);
  const ringFd = syscalls.ioUringSetup(1, new Uint8Array(params.buffer));
  if (ringFd < 0) return null;
  try {
    return [...probeOpcodes(syscalls, ringFd)];
  } catch {
    // A kernel that cannot be asked (5.5) has no restrictions either.
    return null;
  } finally {
    syscalls.close(ringFd);
  }
}

let known: readonly number[] | null | undefined;

/** null when the kernel has no io_uring, or denies it. */
export function kernelOpcodes(syscalls: Syscalls | null): readonly number[] | null {
  if (syscalls === null) return null;
  if (known === undefined) known = ask(syscalls);
  return known;
}
