/** What a user can do about what a probe found: whole sentences, the most useful first. */
import { Errno } from "../abi";
import { errnoName } from "../errors";
import type {
  AttributeOracle,
  Capability,
  EngineChoice,
  Environment,
  OpcodeSupport,
} from "./report";

export interface AdviceInput {
  environment: Environment;
  /** Why there are no system calls at all; empty when there are. */
  syscallsReason: string;
  setupErrno: number;
  capabilities: readonly Capability[];
  opcodes: readonly OpcodeSupport[];
  choice: EngineChoice;
  oracle: AttributeOracle;
  escaped: boolean;
}

/** An arena that some guests will ask for; below this limit it is worth a word. */
const MEMLOCK_COMFORT_BYTES = 64 * 1024 * 1024;

function deniedAdvice({ environment, setupErrno }: AdviceInput): string[] {
  const { ioUringDisabled, ioUringGroup, seccomp, capabilities } = environment;
  if (setupErrno === Errno.ENOSYS) {
    return [
      "This kernel has no io_uring (or a sandbox such as gVisor hides it): use Linux 6.5 or later; " +
        "until then guests run by the emulated engine.",
    ];
  }
  if (ioUringDisabled === 2) {
    return [
      "kernel.io_uring_disabled is 2, which forbids io_uring to everybody: " +
        "`sudo sysctl kernel.io_uring_disabled=0` allows it.",
    ];
  }
  // Root of a container often is no administrator.
  if (ioUringDisabled === 1 && !capabilities.includes("CAP_SYS_ADMIN")) {
    const group =
      ioUringGroup === null || ioUringGroup < 0
        ? "a group named by kernel.io_uring_group"
        : `group ${ioUringGroup}`;
    return [
      "kernel.io_uring_disabled is 1, which allows io_uring only to CAP_SYS_ADMIN and to one group: " +
        `make this user a member of ${group}, or \`sudo sysctl kernel.io_uring_disabled=0\`.`,
    ];
  }
  if (seccomp === "filter") {
    return [
      "A seccomp filter most likely forbids io_uring (Docker's default profile does since version 25, Podman's " +
        "always did): use a profile that allows io_uring_setup, io_uring_enter and io_uring_register, " +
        "as with `--security-opt seccomp=PROFILE.json`.",
    ];
  }
  return [
    `io_uring_setup failed with ${errnoName(setupErrno)}: a security module (SELinux, AppArmor) may forbid it.`,
  ];
}

function placementAdvice({ capabilities }: AdviceInput): string[] {
  const can = (name: string) =>
    capabilities.some((found) => found.name === name && found.available);
  if (!can("NO_MMAP, one page") && !can("mmap(MAP_FIXED)")) {
    return [
      "This kernel cannot place rings in a guest's memory (6.1.51 to 6.4 cannot): " +
        "Linux 6.5 or later gives the mapped engine; until then the host copies each request (mirrored).",
    ];
  }
  if (!can("NO_MMAP, many pages")) {
    return ["Rings larger than 64 SQ entries need Linux 6.10 here: keep `--entries` at 64."];
  }
  return [];
}

function memlockAdvice({ environment }: AdviceInput): string[] {
  const { memlockSoftBytes, capabilities } = environment;
  if (memlockSoftBytes === null || capabilities.includes("CAP_IPC_LOCK")) return [];
  if (memlockSoftBytes >= MEMLOCK_COMFORT_BYTES) return [];
  return [
    `RLIMIT_MEMLOCK is ${memlockSoftBytes} bytes for all rings and arenas of this user together: ` +
      "keep arenas below it, or raise it with `ulimit -l` or LimitMEMLOCK=.",
  ];
}

function oracleAdvice({ oracle }: AdviceInput): string[] {
  if (oracle.present !== true) return [];
  return [
    "This kernel (6.14 and later) follows a hidden pointer of reads and writes: a hostile guest cannot read host " +
      "memory with it, but can tell mapped from unmapped and zero from non-zero. Against guests that you do not trust " +
      'with that, use `--engine mirrored` or a policy with "vetHiddenFields": true.',
  ];
}

function noSyscallsAdvice({ environment, syscallsReason }: AdviceInput): string[] {
  const whatToDo =
    environment.platform === "linux"
      ? "install koffi with its binary for this platform (npm leaves it out with --omit=optional)"
      : "on Linux 6.5 or later they get real rings";
  return [`${syscallsReason}: guests run by the emulated engine; ${whatToDo}.`];
}

export function adviceFor(input: AdviceInput): string[] {
  if (input.escaped) {
    return [
      "A hostile check was not refused: do not run untrusted guests by this engine on this machine, " +
        "use `--engine emulated`, and report the kernel's version.",
    ];
  }
  if (input.syscallsReason !== "") return noSyscallsAdvice(input);
  if (input.setupErrno !== 0) return deniedAdvice(input);
  const missing = input.opcodes.filter((opcode) => !opcode.supported).map((opcode) => opcode.name);
  const opcodeAdvice =
    missing.length === 0
      ? []
      : [`This kernel does not know ${missing.join(", ")}: leave them out of a policy.`];
  return [
    ...placementAdvice(input),
    ...memlockAdvice(input),
    ...oracleAdvice(input),
    ...opcodeAdvice,
  ];
}
