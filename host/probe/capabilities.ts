/**
 * Finds out what io_uring can do here by doing it, one call at a time, on rings of its own that are
 * closed at once.
 */
import { Errno, Feature, Op, Params, Register, SetupFlag } from "../abi";
import { errnoName, WasmUringError } from "../errors";
import type { Syscalls } from "../ffi/syscalls";
import type { GuestMemory } from "../memory/guest-memory";
import { compilePolicy } from "../policy";
import { SAFE_OP_NAMES } from "../policy-reasons";
import { registerBufferTable } from "../ring/buffers";
import type { CheckedRequest } from "../ring/engine";
import { createKernelRing, type Placement, unmapRing } from "../ring/mapped/create";
import {
  cancelAll,
  capIoWorkers,
  enableRing,
  probeOpcodes,
  registerFiles,
  registerRestrictions,
} from "../ring/register";
import { registerArena } from "../ring/relocate";
import { restrictionsOf } from "../ring/restrictions";
import type { Capability, OpcodeSupport } from "./report";
import { LARGE_REQUEST, PROBE_REQUEST } from "./stage";

const ENTRIES = 8;
const IO_WORKERS_MAX = [2, 2] as const;
const CANCEL_TIMEOUT_MS = 100;

export interface KernelFindings {
  capabilities: Capability[];
  opcodes: OpcodeSupport[];
  features: string[];
  /** null without io_uring. */
  knownOpcodes: ReadonlySet<number> | null;
  /** errno of a plain io_uring_setup; 0 when it is allowed. */
  setupErrno: number;
}

/** A plain ring with these flags: its descriptor or a negated errno, and its features. */
function trySetup(syscalls: Syscalls, flags: number): { fd: number; features: number } {
  const params = new DataView(new ArrayBuffer(Params.SIZE));
  params.setUint32(Params.FLAGS, flags, true);
  if ((flags & SetupFlag.SQPOLL) !== 0) params.setUint32(Params.SQ_THREAD_IDLE, 1, true);
  const fd = syscalls.ioUringSetup(ENTRIES, new Uint8Array(params.buffer));
  return { fd, features: params.getUint32(Params.FEATURES, true) };
}

/** Each: what it is called, the flags, what it is good for. */
const SETUP_CHECKS: readonly (readonly [name: string, flags: number, meaning: string])[] = [
  ["SUBMIT_ALL", SetupFlag.SUBMIT_ALL, "a denied request does not stop the batch (5.18)"],
  ["NO_SQARRAY", SetupFlag.NO_SQARRAY, "one indirection less (6.6)"],
  ["COOP_TASKRUN", SetupFlag.COOP_TASKRUN, "no interrupt for a completion (5.19)"],
  [
    "DEFER_TASKRUN",
    SetupFlag.SINGLE_ISSUER | SetupFlag.DEFER_TASKRUN,
    "completions only when asked for (6.1)",
  ],
  ["SQPOLL", SetupFlag.SQPOLL, "a kernel thread submits: no system call at all"],
];

/** Runs one attempt; what it throws is the answer. */
function attempt(name: string, meaning: string, action: () => number): Capability {
  try {
    const result = action();
    const answer = result < 0 ? errnoName(-result) : "ok";
    return { name, available: result >= 0, answer, meaning };
  } catch (error) {
    const errno = error instanceof WasmUringError ? error.errno : undefined;
    const answer = errno ?? (error instanceof Error ? error.message : String(error));
    return { name, available: false, answer, meaning };
  }
}

/** Makes a disabled ring, lets `action` use it, closes it. */
function onRing(syscalls: Syscalls, action: (fd: number) => number): number {
  const { fd } = trySetup(syscalls, SetupFlag.R_DISABLED);
  if (fd < 0) return fd;
  try {
    return action(fd);
  } finally {
    syscalls.close(fd);
  }
}

function tryPlacement(
  syscalls: Syscalls,
  stage: GuestMemory,
  placement: Placement,
  request: CheckedRequest,
): number {
  const base = stage.baseAddress(syscalls);
  const ring = createKernelRing(syscalls, request, { sqpoll: null }, placement, base);
  if (typeof ring === "number") return -ring;
  syscalls.close(ring.fd);
  if (placement === "MAP_FIXED") unmapRing(syscalls, base, request);
  return 0;
}

function tryRestrictions(syscalls: Syscalls, fd: number): number {
  const policy = compilePolicy("file-read");
  const { entries, count } = restrictionsOf(policy, probeOpcodes(syscalls, fd));
  registerRestrictions(syscalls, fd, entries, count);
  enableRing(syscalls, fd);
  return 0;
}

/** IORING_REGISTER_RING_FDS, and its undoing: the index belongs to this thread, not to the ring. */
function tryRegisteredRing(syscalls: Syscalls, fd: number): number {
  const update = new DataView(new ArrayBuffer(16));
  update.setUint32(0, 0xffffffff, true);
  update.setBigUint64(8, BigInt(fd), true);
  const bytes = new Uint8Array(update.buffer);
  const result = syscalls.ioUringRegister(fd, Register.RING_FDS, bytes, 1);
  if (result !== 1) return result < 0 ? result : -Errno.EINVAL;
  syscalls.ioUringRegister(fd, Register.UNREGISTER_RING_FDS, bytes, 1);
  return 0;
}

function tryRelocation(syscalls: Syscalls, stage: GuestMemory, fd: number): number {
  const { arenaOffset, arenaLength } = PROBE_REQUEST;
  const address = stage.baseAddress(syscalls) + BigInt(arenaOffset);
  registerBufferTable(syscalls, fd);
  registerArena(syscalls, fd, address, arenaOffset, arenaLength);
  return 0;
}

function onRingChecks(syscalls: Syscalls, stage: GuestMemory): Capability[] {
  const check = (name: string, meaning: string, action: (fd: number) => number) =>
    attempt(name, meaning, () => onRing(syscalls, action));
  return [
    check("restrictions and enabling", "the kernel holds the allowlist (5.10)", (fd) =>
      tryRestrictions(syscalls, fd),
    ),
    check("sparse fixed-file table", "grants by slot (5.19)", (fd) => {
      registerFiles(syscalls, fd, []);
      return 0;
    }),
    check("relocated arena", "guest addresses instead of host addresses (5.7)", (fd) =>
      tryRelocation(syscalls, stage, fd),
    ),
    check("SYNC_CANCEL", "an ordered teardown (6.0)", (fd) => {
      enableRing(syscalls, fd);
      return Math.min(cancelAll(syscalls, fd, CANCEL_TIMEOUT_MS), 0);
    }),
    check("IOWQ_MAX_WORKERS", "a bound on worker threads (5.15)", (fd) => {
      capIoWorkers(syscalls, fd, IO_WORKERS_MAX);
      return 0;
    }),
    check("registered ring descriptor", "no descriptor look-up per call (5.18)", (fd) =>
      tryRegisteredRing(syscalls, fd),
    ),
  ];
}

function placementChecks(syscalls: Syscalls, stage: GuestMemory): Capability[] {
  const check = (name: string, meaning: string, placement: Placement, request: CheckedRequest) =>
    attempt(name, meaning, () => tryPlacement(syscalls, stage, placement, request));
  return [
    check("NO_MMAP, one page", "rings in the guest's memory (6.5)", "NO_MMAP", PROBE_REQUEST),
    check("NO_MMAP, many pages", "larger rings there (6.10)", "NO_MMAP", LARGE_REQUEST),
    check(
      "mmap(MAP_FIXED)",
      "the older way to place rings (before 6.4)",
      "MAP_FIXED",
      PROBE_REQUEST,
    ),
  ];
}

function featureNames(bits: number): string[] {
  const names: string[] = [];
  for (let bit = 1; bit <= bits; bit *= 2) {
    if ((bits & bit) !== 0) names.push(Feature[bit] ?? `0x${bit.toString(16)}`);
  }
  return names;
}

function knownOpcodesOf(syscalls: Syscalls): ReadonlySet<number> {
  let known: ReadonlySet<number> = new Set();
  onRing(syscalls, (fd) => {
    known = probeOpcodes(syscalls, fd);
    return 0;
  });
  return known;
}

function safeOpcodes(known: ReadonlySet<number>): OpcodeSupport[] {
  return SAFE_OP_NAMES.map((name) => ({ name, opcode: Op[name], supported: known.has(Op[name]) }));
}

export function probeKernel(syscalls: Syscalls, stage: GuestMemory): KernelFindings {
  const plain = trySetup(syscalls, 0);
  const allowed = attempt("io_uring_setup", "io_uring at all (5.1)", () => plain.fd);
  if (plain.fd < 0) {
    const setupErrno = -plain.fd;
    return { capabilities: [allowed], opcodes: [], features: [], knownOpcodes: null, setupErrno };
  }
  syscalls.close(plain.fd);
  const setupChecks = SETUP_CHECKS.map(([name, flags, meaning]) =>
    attempt(name, meaning, () => {
      const { fd } = trySetup(syscalls, flags);
      if (fd >= 0) syscalls.close(fd);
      return fd;
    }),
  );
  const knownOpcodes = knownOpcodesOf(syscalls);
  return {
    capabilities: [
      allowed,
      ...placementChecks(syscalls, stage),
      ...setupChecks,
      ...onRingChecks(syscalls, stage),
    ],
    opcodes: safeOpcodes(knownOpcodes),
    features: featureNames(plain.features),
    knownOpcodes,
    setupErrno: 0,
  };
}
