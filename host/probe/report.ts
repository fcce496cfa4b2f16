/**
 * What a probe finds out about this kernel, user and container. Plain data: it is printed, or sent
 * as JSON.
 */
import type { EngineName } from "../ring/engine";
import type { LadderStep } from "../ring/setup";

/** One thing that a kernel can or cannot do, found by doing it. */
export interface Capability {
  name: string;
  /** null: not tried, because something it needs is missing. */
  available: boolean | null;
  /** The kernel's answer: "ok", an errno's name, or why it was not tried. */
  answer: string;
  /** What it is good for, in a few words, with the kernel that brought it. */
  meaning: string;
}

/** One thing that a hostile guest would try. */
export interface HostileCheck {
  name: string;
  /**
   * `control` is the one ordinary request, which must succeed for the refusals to mean anything.
   */
  kind: "control" | "opcode" | "flag" | "slot" | "address" | "canary";
  /** The result that came back: an errno's name, or "N bytes". */
  answer: string;
  verdict: "refused" | "ESCAPED" | "passed" | "failed";
}

/** The `attr_ptr` oracle of kernels from 6.14 on (docs/threat-model.md). */
export interface AttributeOracle {
  /** Whether the guest can tell what lies at a host address; null when it could not be tried. */
  present: boolean | null;
  /** The three answers: for an unmapped page, for zeroes, for other bytes. */
  answers: readonly string[];
}

export interface EngineChoice {
  /** null when no engine could be started. */
  engine: EngineName | null;
  /** Why this one; or why none. */
  reason: string;
  ladder: readonly LadderStep[];
  setupFlags: readonly string[];
}

export interface Environment {
  platform: string;
  /** "6.18.44" on x64, as uname(1) says. */
  kernel: string;
  machine: string;
  node: string;
  userId: number | null;
  /** Names of those capabilities of this process that matter here. */
  capabilities: readonly string[];
  /** RLIMIT_MEMLOCK; null is unlimited or unknown. */
  memlockSoftBytes: number | null;
  memlockHardBytes: number | null;
  /** kernel.io_uring_disabled and kernel.io_uring_group; null where they do not exist. */
  ioUringDisabled: number | null;
  ioUringGroup: number | null;
  seccomp: "off" | "strict" | "filter" | "unknown";
  /** What looks like a container or a sandbox; empty when nothing does. */
  container: readonly string[];
}

export interface OpcodeSupport {
  name: string;
  opcode: number;
  supported: boolean;
}

export interface ProbeReport {
  environment: Environment;
  capabilities: readonly Capability[];
  /**
   * The opcodes that a policy may allow, and whether this kernel knows them; empty without
   * io_uring.
   */
  opcodes: readonly OpcodeSupport[];
  /** IORING_FEAT_* names. */
  features: readonly string[];
  choice: EngineChoice;
  hostile: readonly HostileCheck[];
  oracle: AttributeOracle;
  /** Whole sentences: what the user can do. */
  advice: readonly string[];
}
