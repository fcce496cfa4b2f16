/**
 * Chooses the system-call table of this platform: Linux by koffi, or none, in which case only the `emulated` engine
 * runs, over node:fs. Why there is none is kept, because the ladder reports it.
 */
import { linuxSyscalls } from "./linux";
import type { Syscalls } from "./syscalls";

export interface SyscallsLoad {
  syscalls: Syscalls | null;
  /** Why there are none; empty when there are. */
  reason: string;
}

/** Numbers of system calls and layouts of structures are known for these. */
const ARCHITECTURES: readonly string[] = ["x64", "arm64"];

/** Never throws. */
export function loadSyscalls(
  platform: string = process.platform,
  architecture: string = process.arch,
): SyscallsLoad {
  if (platform !== "linux") return { syscalls: null, reason: `${platform} has no io_uring` };
  if (!ARCHITECTURES.includes(architecture)) {
    const known = ARCHITECTURES.join(" and ");
    return {
      syscalls: null,
      reason: `system calls are known for ${known}, not for ${architecture}`,
    };
  }
  try {
    return { syscalls: linuxSyscalls(), reason: "" };
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    // Node adds a stack of requires below the first line.
    const [line] = message.split("\n", 1);
    return { syscalls: null, reason: `koffi cannot load the C library (${line})` };
  }
}
