/**
 * The placement ladder of design D2: `mapped` by NO_MMAP, `mapped` by MAP_FIXED, `mirrored`, `emulated`. Walks it for
 * one checked request and reports every step with its reason; an engine that was asked for by name is taken or
 * refused, never replaced.
 */
import { SetupFlag } from "../abi";
import { type ErrorCode, WasmUringError } from "../errors";
import type { Syscalls } from "../ffi/syscalls";
import type { GuestMemory } from "../memory/guest-memory";
import { startEmulated } from "./emulated/engine";
import type { CheckedRequest, EngineName, RingEngine, RingPlan, StopSignal } from "./engine";
import { isDenied, type Placement, placementReason } from "./mapped/create";
import { startMapped } from "./mapped/start";
import { startMirrored } from "./mirrored/engine";

/** One step of the ladder: an engine that was tried, and what came of it. */
export interface LadderStep {
  engine: string;
  taken: boolean;
  reason: string;
}

export interface RingSetup {
  engine: RingEngine;
  /** Why this engine. */
  reason: string;
  ladder: LadderStep[];
  /** Names of IORING_SETUP_* flags; empty for emulated. */
  setupFlags: string[];
}

export interface SetupContext {
  memory: GuestMemory;
  /** null: this platform has none, `reason` says why. */
  syscalls: Syscalls | null;
  syscallsReason: string;
  request: CheckedRequest;
  plan: RingPlan;
  stop: StopSignal;
}

/** An attempt at one rung: the engine, or why not and whether the rungs that also need io_uring are hopeless. */
type Attempt =
  | { engine: RingEngine; setupFlags: number; reason: string }
  | { refused: string; denied: boolean };

interface Rung {
  engine: EngineName;
  label: string;
  needsIoUring: boolean;
  attempt(context: SetupContext): Attempt;
}

function mappedRung(placement: Placement): Rung {
  const label = `mapped (${placement})`;
  const attempt = (context: SetupContext): Attempt => {
    const { syscalls } = context;
    if (syscalls === null) return { refused: context.syscallsReason, denied: true };
    if (context.plan.policy.vetHiddenFields) {
      return { refused: "the policy asks for hidden fields to be vetted", denied: false };
    }
    const started = startMapped({ ...context, syscalls }, placement);
    if (typeof started === "number") {
      return { refused: placementReason(placement, started), denied: isDenied(started) };
    }
    const reason = `the kernel took the rings in the guest's memory (${placement})`;
    return { engine: started.engine, setupFlags: started.setupFlags, reason };
  };
  return { engine: "mapped", label, needsIoUring: true, attempt };
}

const mirroredRung: Rung = {
  engine: "mirrored",
  label: "mirrored",
  needsIoUring: true,
  attempt(context) {
    const { syscalls } = context;
    if (syscalls === null) return { refused: context.syscallsReason, denied: true };
    if (context.plan.sqpoll !== null) {
      return { refused: "SQPOLL needs the rings to be mapped", denied: false };
    }
    const started = startMirrored({ ...context, syscalls });
    if (typeof started === "number") {
      return { refused: placementReason("NO_MMAP", started), denied: isDenied(started) };
    }
    const reason = "the host vets and copies each SQE onto a kernel ring";
    return { engine: started.engine, setupFlags: started.setupFlags, reason };
  },
};

const emulatedRung: Rung = {
  engine: "emulated",
  label: "emulated",
  needsIoUring: false,
  attempt(context) {
    const { sqpoll, iopoll = false, personalities = {} } = context.plan;
    if (sqpoll !== null) return { refused: "SQPOLL needs io_uring", denied: false };
    if (iopoll) return { refused: "IOPOLL needs io_uring", denied: false };
    if (Object.keys(personalities).length > 0) {
      return { refused: "personalities need io_uring", denied: false };
    }
    const engine = startEmulated(context);
    return { engine, setupFlags: 0, reason: "the host performs the I/O by ordinary system calls" };
  },
};

const RUNGS: readonly Rung[] = [
  mappedRung("NO_MMAP"),
  mappedRung("MAP_FIXED"),
  mirroredRung,
  emulatedRung,
];

function unavailable(plan: RingPlan, ladder: readonly LadderStep[]): WasmUringError {
  const why = ladder.map((step) => `${step.engine}: ${step.reason}`).join("; ");
  const forced = plan.engine !== "auto";
  const sqpoll = plan.sqpoll !== null;
  return new WasmUringError("ERR_ENGINE_UNAVAILABLE", {
    what: `setting a ring up with ${forced ? `the ${plan.engine} engine` : "any engine"}${sqpoll ? " and SQPOLL" : ""}`,
    why,
    whatToDo: sqpoll
      ? "leave SQPOLL out, or see `wasm-uring probe` for what this kernel allows"
      : "let the engine be chosen (auto), or see `wasm-uring probe`",
  });
}

function flagNames(flags: number): string[] {
  const names: string[] = [];
  for (let bit = 1; bit <= flags; bit *= 2) {
    if ((flags & bit) !== 0) names.push(SetupFlag[bit] ?? `0x${bit.toString(16)}`);
  }
  return names;
}

/** What a rung may fail with half-way and another may cure: an older kernel's register calls, a taken address. */
const CURABLE: ReadonlySet<ErrorCode> = new Set([
  "ERR_ENGINE_UNAVAILABLE",
  "ERR_SETUP",
  "ERR_MEMORY_MOVED",
]);

/** A rung that fails half-way has undone itself and, unless it was asked for by name, counts as refused. */
function tryRung(rung: Rung, context: SetupContext): Attempt {
  try {
    return rung.attempt(context);
  } catch (error) {
    const curable = error instanceof WasmUringError && CURABLE.has(error.code);
    if (!curable || context.plan.engine !== "auto") throw error;
    const { what, why, likelyCause } = error.detail;
    const cause = likelyCause === undefined ? "" : ` (likely cause: ${likelyCause})`;
    return { refused: `${what}: ${why}${cause}`, denied: false };
  }
}

/**
 * Sets a ring up in the guest's memory.
 *
 * @throws WasmUringError ERR_ENGINE_UNAVAILABLE when no allowed rung holds, and what a rung throws for a failure that
 *   no other rung would cure (locked-memory limit, self-test); nothing is left behind
 */
export function setupRing(context: SetupContext): RingSetup {
  const { plan } = context;
  const ladder: LadderStep[] = [];
  let denied = false;
  for (const rung of RUNGS) {
    if (plan.engine !== "auto" && plan.engine !== rung.engine) continue;
    if (denied && rung.needsIoUring) continue;
    const attempt = tryRung(rung, context);
    if ("refused" in attempt) {
      ladder.push({ engine: rung.label, taken: false, reason: attempt.refused });
      denied ||= attempt.denied;
      continue;
    }
    ladder.push({ engine: rung.label, taken: true, reason: attempt.reason });
    const before = ladder.slice(0, -1).map((step) => `${step.engine}: ${step.reason}`);
    const asked = plan.engine === "auto" ? "" : "asked for; ";
    const instead = before.length > 0 ? ` (not ${before.join("; not ")})` : "";
    const reason = `${asked}${attempt.reason}${instead}`;
    return { engine: attempt.engine, reason, ladder, setupFlags: flagNames(attempt.setupFlags) };
  }
  throw unavailable(plan, ladder);
}
