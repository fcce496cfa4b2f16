/**
 * Checks everything that an embedder said before anything starts: the module, its imports, the policy, the numbers,
 * the grants. What passes becomes a `Guest` that only needs to run; what does not throws one clear error and leaves
 * nothing behind.
 */
import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { SQ_ENTRIES_MAX } from "../abi";
import { checkDevices } from "../datapath/check";
import { type Devices, openDevices } from "../datapath/devices";
import { WasmUringError } from "../errors";
import { loadSyscalls } from "../ffi";
import type { Syscalls } from "../ffi/syscalls";
import { type OpenedGrants, openGrants } from "../grant";
import { checkPolled } from "../grant/polled";
import type { GrantRequest } from "../grant/request";
import { SharedSlots } from "../grant/shared-slots";
import { compilePolicy } from "../policy";
import type { RingPlan, SqpollOptions } from "../ring/engine";
import { kernelOpcodes } from "../ring/kernel-opcodes";
import { ringBytes, sqesBytes } from "../ring/layout";
import { wasiFunctionNames } from "../wasi";
import { checkOptions } from "./check-options";
import { checkProgram } from "./check-program";
import { checkRing, wantsInterrupts } from "./check-ring";
import { badOption, checkTogether, defaultPolicy } from "./check-together";
import { type EventFdPair, openEventFds } from "./event-fd";
import { Guest } from "./guest";
import { openGuestFiles } from "./guest-files";
import { checkInterface, checkMemoryRoom, compileGuest, type GuestModule } from "./module";
import type { GuestOptions, GuestResult } from "./options";

const ENTRIES_DEFAULT = 64;
const SQPOLL_IDLE_MS_DEFAULT = 50;
const SQPOLL_IDLE_MS_MAX = 60_000;
const ENGINES = ["auto", "mapped", "mirrored", "emulated"] as const;
/** setTimeout's largest delay. */
const DEADLINE_MS_MAX = 2 ** 31 - 1;

/** A Map: a module may be called "constructor". */
const PROVIDED: ReadonlyMap<string, ReadonlySet<string>> = new Map([
  ["uring", new Set(["query", "grant", "setup", "enter", "arena", "personality"])],
  ["virtio", new Set(["find", "window", "read", "write", "wait"])],
  ["wasi_snapshot_preview1", new Set(wasiFunctionNames())],
  ["env", new Set(["abort", "seed"])],
]);

function checkEntries(entries: number): number {
  const power = Number.isInteger(entries) && entries > 0 && (entries & (entries - 1)) === 0;
  if (power && entries <= SQ_ENTRIES_MAX) return entries;
  throw badOption(
    `entries ${entries}`,
    `is not a power of two from 1 to ${SQ_ENTRIES_MAX}`,
    "use 64 unless you measured otherwise",
  );
}

function checkSqpoll(option: GuestOptions["sqpoll"]): SqpollOptions | null {
  if (option === undefined || option === false) return null;
  const { idleMs, cpu } =
    option === true ? { idleMs: SQPOLL_IDLE_MS_DEFAULT, cpu: undefined } : option;
  if (!Number.isInteger(idleMs) || idleMs < 1 || idleMs > SQPOLL_IDLE_MS_MAX) {
    throw badOption(
      `sqpoll idle time ${idleMs} ms`,
      `is not a whole number from 1 to ${SQPOLL_IDLE_MS_MAX}`,
      "use 50 unless you measured otherwise",
    );
  }
  if (cpu !== undefined && (!Number.isInteger(cpu) || cpu < 0)) {
    throw badOption(
      `sqpoll cpu ${cpu}`,
      "is not the number of a CPU",
      "leave it out to run on any",
    );
  }
  return cpu === undefined ? { idleMs } : { idleMs, cpu };
}

function checkEngine(engine: string): RingPlan["engine"] {
  const found = ENGINES.find((name) => name === engine);
  if (found !== undefined) return found;
  throw badOption(`engine "${engine}"`, "does not exist", `use one of ${ENGINES.join(", ")}`);
}

function checkDeadline(deadlineMs: number | undefined): void {
  if (deadlineMs === undefined) return;
  if (Number.isFinite(deadlineMs) && deadlineMs > 0 && deadlineMs <= DEADLINE_MS_MAX) return;
  throw badOption(
    `deadline ${deadlineMs} ms`,
    `is not a number above 0 and up to ${DEADLINE_MS_MAX}`,
    "leave it out for none",
  );
}

/** For the kernel 0 means "leave it as it is", which is no cap at all. */
function checkIoWorkers(caps: readonly [number, number]): void {
  const valid =
    Array.isArray(caps) &&
    caps.length === 2 &&
    caps.every((cap) => Number.isInteger(cap) && cap >= 1);
  if (valid) return;
  throw badOption(
    `ioWorkersMax ${JSON.stringify(caps)}`,
    "is not two whole numbers from 1 upwards, bounded and unbounded",
    "leave it out for [2, 2]",
  );
}

/** All or nothing: a refused eventfd closes the grants. */
function openSignals(
  eventFd: number | undefined,
  guest: GuestModule,
  syscalls: Syscalls | null,
  grants: OpenedGrants,
  devices: Devices,
): EventFdPair {
  try {
    return openEventFds(eventFd, wantsInterrupts(guest), syscalls);
  } catch (error) {
    grants.close();
    devices.close();
    throw error;
  }
}

/** Files, then the disks on the guest's ring. All or nothing: a refused grant closes the devices. */
function openAllGrants(
  files: Readonly<Record<string, GrantRequest>>,
  devices: Devices,
  syscalls: Syscalls | null,
  iopoll: boolean,
): OpenedGrants {
  let grants: OpenedGrants | null = null;
  try {
    grants = openGrants({ ...files, ...devices.grants }, syscalls);
    devices.checkGranted(grants.slots);
    if (iopoll) checkPolled(grants.slots);
    return grants;
  } catch (error) {
    grants?.close();
    devices.close();
    throw error;
  }
}

async function readSource(source: string | URL, what: string): Promise<Uint8Array> {
  try {
    return await readFile(source);
  } catch (cause) {
    throw new WasmUringError("ERR_BAD_MODULE", {
      what: `reading the guest ${what}`,
      why: cause instanceof Error ? cause.message : String(cause),
      whatToDo: "check the path",
      cause,
    });
  }
}

function nameOf(source: string | URL | Uint8Array | WebAssembly.Module): string {
  if (typeof source === "string") return source;
  if (source instanceof URL)
    return source.protocol === "file:" ? fileURLToPath(source) : source.href;
  return "the module";
}

/**
 * Prepares a guest: reads, compiles and checks the module, compiles the policy, opens and vets the grants.
 * Nothing of the guest runs yet.
 *
 * @param source path or file: URL of a .wasm file, its bytes, or a compiled module
 * @throws WasmUringError ERR_BAD_OPTION, ERR_BAD_MODULE, ERR_BAD_POLICY or ERR_BAD_GRANT, nothing left behind
 */
export async function createGuest(
  source: string | URL | Uint8Array | WebAssembly.Module,
  options: GuestOptions = {},
): Promise<Guest> {
  checkOptions(options);
  const entries = checkEntries(options.entries ?? ENTRIES_DEFAULT);
  const sqpoll = checkSqpoll(options.sqpoll);
  const engine = checkEngine(options.engine ?? "auto");
  const ioWorkersMax = options.ioWorkersMax ?? ([2, 2] as const);
  checkDeadline(options.deadlineMs);
  checkIoWorkers(ioWorkersMax);
  const files = options.files ?? {};
  const requests = checkDevices(options.devices === undefined ? {} : options.devices);
  const asked =
    options.policy === undefined ? defaultPolicy(files, requests) : compilePolicy(options.policy);
  checkTogether(asked, engine, sqpoll, files, requests);

  const what = nameOf(source);
  const isPath = typeof source === "string" || source instanceof URL;
  const guest = await compileGuest(isPath ? await readSource(source, what) : source, what);
  checkInterface(guest, what, PROVIDED);
  const program = checkProgram(options, isPath ? basename(what) : "guest", guest);
  checkMemoryRoom(guest, what, ringBytes(entries, entries * 2) + sqesBytes(entries));
  const { policy, iopoll, personalities } = checkRing(options, asked, { engine, sqpoll }, guest);

  const { syscalls, reason } = loadSyscalls();
  const devices = openDevices(requests, { syscalls, reason });
  const grants = openAllGrants(files, devices, syscalls, iopoll);
  const signals = openSignals(options.eventFd, guest, syscalls, grants, devices);
  const opened = openGuestFiles(options, () => {
    grants.close();
    devices.close();
    signals.close();
  });
  const plan: RingPlan = {
    ...signals.fds,
    engine,
    policy,
    slots: grants.slots,
    grants: SharedSlots.of(grants.slots).shared,
    sqpoll,
    iopoll,
    personalities,
    kernelOpcodes: kernelOpcodes(syscalls),
    entries,
    entriesMax: SQ_ENTRIES_MAX,
    ioWorkersMax,
  };
  return new Guest({
    module: guest,
    plan,
    grants,
    signals,
    devices,
    opened,
    program,
    deadlineMs: options.deadlineMs,
    signal: options.signal,
  });
}

/** createGuest, run and close in one call. */
export async function runGuest(
  source: string | URL | Uint8Array | WebAssembly.Module,
  options: GuestOptions = {},
): Promise<GuestResult> {
  const guest = await createGuest(source, options);
  try {
    return await guest.run();
  } finally {
    await guest.close();
  }
}
