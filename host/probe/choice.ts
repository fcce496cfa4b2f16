/**
 * Which engine a guest would get here, found by walking the very ladder that a guest's set-up
 * walks; and the ring that came of it, for the hostile checks.
 */
import { closeSync, openSync } from "node:fs";
import { GrantAccess, GrantKind, SQ_ENTRIES_MAX } from "../abi";
import { WasmUringError } from "../errors";
import type { SyscallsLoad } from "../ffi/load";
import type { GuestMemory } from "../memory/guest-memory";
import { compilePolicy } from "../policy";
import type { GrantSlot, RingPlan } from "../ring/engine";
import { type RingSetup, setupRing } from "../ring/setup";
import { checkHostile, type HostileFindings } from "./hostile";
import type { EngineChoice } from "./report";
import { PROBE_REQUEST } from "./stage";

/**
 * What slot 0 holds: with system calls the source of zeroes, which costs no I/O; without, an
 * ordinary file that is sure to exist, because nothing else can be granted there.
 */
function sourceFor(loaded: SyscallsLoad): { path: string; kind: GrantKind } {
  if (loaded.syscalls === null) return { path: process.execPath, kind: GrantKind.FILE };
  return { path: "/dev/zero", kind: GrantKind.CHARACTER_DEVICE };
}

export interface ChoiceFindings extends HostileFindings {
  choice: EngineChoice;
}

function planFor(source: GrantSlot): RingPlan {
  return {
    engine: "auto",
    policy: compilePolicy("file-read"),
    slots: [source],
    sqpoll: null,
    entries: PROBE_REQUEST.sqEntries,
    entriesMax: SQ_ENTRIES_MAX,
    ioWorkersMax: [2, 2],
  };
}

function sourceSlot(fd: number, kind: GrantKind): GrantSlot {
  return {
    slot: 0,
    name: "source",
    fd,
    access: GrantAccess.READ,
    kind,
    direct: false,
    alignmentBytes: 1,
    sizeBytes: 0,
  };
}

function none(reason: string): ChoiceFindings {
  const choice = { engine: null, reason, ladder: [], setupFlags: [] };
  return { choice, checks: [], oracle: { present: null, answers: [] } };
}

/** Never throws: a ladder that ends in an error is the answer. */
export function probeChoice(
  loaded: SyscallsLoad,
  guest: GuestMemory,
  knownOpcodes: ReadonlySet<number> | null,
): ChoiceFindings {
  const { path, kind } = sourceFor(loaded);
  let sourceFd: number;
  try {
    sourceFd = openSync(path, "r");
  } catch (error) {
    return none(`${path} cannot be opened: ${String(error)}`);
  }
  let setup: RingSetup | null = null;
  try {
    setup = setupRing({
      memory: guest,
      syscalls: loaded.syscalls,
      syscallsReason: loaded.reason,
      request: PROBE_REQUEST,
      plan: planFor(sourceSlot(sourceFd, kind)),
      stop: { stopped: () => false },
    });
    const { engine, reason, ladder, setupFlags } = setup;
    const { syscalls } = loaded;
    const findings = checkHostile({ engine, guest, syscalls, sourceFd, knownOpcodes });
    return { choice: { engine: engine.name, reason, ladder, setupFlags }, ...findings };
  } catch (error) {
    if (error instanceof WasmUringError) return none(error.message);
    throw error;
  } finally {
    setup?.engine.close();
    closeSync(sourceFd);
  }
}
