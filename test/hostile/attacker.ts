/**
 * A hostile guest in TypeScript: owns a WebAssembly.Memory, calls the very `uring` import functions that a guest gets,
 * and writes whatever it likes into its ring. Linear memory is laid out with canary pages around every region:
 *
 *   0         1 page    2         3        ...
 *   | request | canary  | ring    | canary | SQEs | canary | arena | canary ... end |
 */
import { closeSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ABI_VERSION, Cqe, Errno, GUEST_ADDRESS_BASE, SetupRequest, Sqe } from "../../host/abi";
import { linuxSyscalls } from "../../host/ffi";
import type { Syscalls } from "../../host/ffi/syscalls";
import type { OpenedGrants } from "../../host/grant";
import { UringImports } from "../../host/guest/uring-imports";
import { GuestMemory } from "../../host/memory/guest-memory";
import { compilePolicy, type PolicyOption } from "../../host/policy";
import { SAFE_OP_NAMES } from "../../host/policy-reasons";
import { Control, WorkerState } from "../../host/ring/control";
import type { EngineName, RingEngine, RingPlan, SqpollOptions } from "../../host/ring/engine";
import { GuestCanary, HostCanary } from "./canary";
import { grantAll } from "./granted";
import { waitForPollThreads } from "./poll-threads";
import { type RawSqe, writeRawSqe } from "./raw-sqe";

export const PAGE = 4096;
const WASM_PAGE = 65536;

export const ENGINES: readonly EngineName[] = ["mapped", "mirrored", "emulated"];

/** As of a worker whose guest is running: only then may it set a ring up. */
function runningControl(): Control {
  const control = new Control();
  control.advance(WorkerState.STARTING, WorkerState.RUNNING);
  return control;
}

/** What a policy may allow, without FALLOCATE: random lengths of it would fill the tester's disk. */
export const HARMLESS_OP_NAMES = SAFE_OP_NAMES.filter((name) => name !== "FALLOCATE");

export interface AttackerOptions {
  engine: "auto" | EngineName;
  policy?: PolicyOption;
  shared?: boolean;
  sqEntries?: number;
  cqEntries?: number;
  arenaPages?: number;
  sqpoll?: SqpollOptions;
  iopoll?: boolean;
  personalities?: RingPlan["personalities"];
  /** null: a platform without system calls. Default: the real ones. */
  syscalls?: Syscalls | null;
}

export interface Place {
  offset: number;
  length: number;
}

const roundUp = (bytes: number, to: number) => Math.ceil(bytes / to) * to;

export class Attacker {
  readonly memory: WebAssembly.Memory;
  readonly ring: Place;
  readonly sqes: Place;
  readonly arena: Place;
  readonly host: HostCanary;
  readonly refusals: string[] = [];
  readonly control = runningControl();
  imports: UringImports;
  readonly syscalls: Syscalls;
  /** The host's own ends of the granted pipe: [read, write]. */
  readonly pipe: [number, number];
  readonly sqEntries: number;
  readonly cqEntries: number;
  readonly plan: RingPlan;
  readonly #given: Syscalls | null;
  readonly #canary: GuestCanary;
  readonly #folder = mkdtempSync(join(tmpdir(), "wasm-uring-hostile-"));
  readonly #grants: OpenedGrants;
  #tail = 0;

  constructor(options: AttackerOptions) {
    const { sqEntries = 64, cqEntries = 128, arenaPages = 4, shared = false } = options;
    this.sqEntries = sqEntries;
    this.cqEntries = cqEntries;
    this.syscalls = linuxSyscalls();
    const given = options.syscalls === undefined ? this.syscalls : options.syscalls;
    const ringLength = roundUp(64 + cqEntries * Cqe.SIZE + sqEntries * 4, PAGE);
    const sqesLength = roundUp(sqEntries * Sqe.SIZE, PAGE);
    this.ring = { offset: 2 * PAGE, length: ringLength };
    this.sqes = { offset: this.ring.offset + ringLength + PAGE, length: sqesLength };
    this.arena = { offset: this.sqes.offset + sqesLength + PAGE, length: arenaPages * PAGE };
    const arenaEnd = this.arena.offset + this.arena.length;
    const initial = roundUp(arenaEnd + 4 * PAGE, WASM_PAGE) / WASM_PAGE;
    this.memory = new WebAssembly.Memory({ initial, maximum: initial + 64, shared });
    this.#canary = new GuestCanary(this.memory, [
      { start: PAGE, end: this.ring.offset },
      { start: this.ring.offset + ringLength, end: this.sqes.offset },
      { start: this.sqes.offset + sqesLength, end: this.arena.offset },
      { start: arenaEnd, end: initial * WASM_PAGE },
    ]);
    this.host = new HostCanary(this.syscalls);
    const { grants, pipe } = grantAll(this.syscalls, this.#folder);
    this.#grants = grants;
    this.pipe = pipe;
    const plan: RingPlan = {
      engine: options.engine,
      policy: compilePolicy(options.policy ?? { opcodes: SAFE_OP_NAMES }),
      slots: grants.slots,
      sqpoll: options.sqpoll ?? null,
      iopoll: options.iopoll ?? false,
      personalities: options.personalities ?? {},
      entries: sqEntries,
      entriesMax: 32768,
      ioWorkersMax: [2, 2],
    };
    this.plan = plan;
    this.#given = given;
    this.imports = this.#newImports();
    this.writeRequest();
  }

  #newImports(): UringImports {
    const guestMemory = new GuestMemory(this.memory);
    return new UringImports({
      memory: () => guestMemory,
      syscalls: this.#given,
      syscallsReason: this.#given === null ? "the test took the system calls away" : "",
      plan: this.plan,
      control: this.control,
      onRing: () => {},
      onRefusal: (reason) => this.refusals.push(reason),
    });
  }

  /** A fresh guest in the same memory. */
  renew(): this {
    this.imports = this.#newImports();
    this.writeRequest();
    return this;
  }

  /** Writes a good request at offset 0, with some words replaced. */
  writeRequest(words: Readonly<Partial<Record<SetupRequest, number>>> = {}, offset = 0): void {
    const { ring, sqes, arena, view } = this;
    const fields: Record<number, number> = {
      [SetupRequest.ABI_VERSION]: ABI_VERSION,
      [SetupRequest.SQ_ENTRIES]: this.sqEntries,
      [SetupRequest.CQ_ENTRIES]: this.cqEntries,
      [SetupRequest.RING_OFFSET]: ring.offset,
      [SetupRequest.RING_LENGTH]: ring.length,
      [SetupRequest.SQES_OFFSET]: sqes.offset,
      [SetupRequest.SQES_LENGTH]: sqes.length,
      [SetupRequest.ARENA_OFFSET]: arena.offset,
      [SetupRequest.ARENA_LENGTH]: arena.length,
      [SetupRequest.FLAGS]: 0,
      ...words,
    };
    for (const [field, value] of Object.entries(fields)) {
      view.setUint32(offset + Number(field), value >>> 0, true);
    }
  }

  /** uring.setup; 0 or a negated errno. */
  setup(request = 0): number {
    if (this.plan.sqpoll !== null) waitForPollThreads();
    const result = this.imports.functions().setup(request);
    if (result === 0) this.#tail = Atomics.load(this.words, this.engine.layout.sqTail >>> 2);
    return result;
  }

  /** Like `setup`, for attacks that need the ring. */
  start(): this {
    const result = this.setup();
    if (result !== 0) throw new Error(`setup: ${result} (${this.refusals.join("; ")})`);
    return this;
  }

  get engine(): RingEngine {
    const { engine } = this.imports;
    if (engine === null) throw new Error("the attacker has no ring");
    return engine;
  }

  get view(): DataView {
    return new DataView(this.memory.buffer);
  }

  get words(): Int32Array {
    return new Int32Array(this.memory.buffer);
  }

  get bytes(): Uint8Array {
    return new Uint8Array(this.memory.buffer);
  }

  /** The native address of offset 0: what no guest knows. */
  get nativeBase(): bigint {
    return this.syscalls.addressOf(this.bytes);
  }

  /** The guest address of a byte of the arena. */
  at(offsetInArena = 0): bigint {
    return BigInt(GUEST_ADDRESS_BASE + this.arena.offset + offsetInArena);
  }

  writeSqe(index: number, sqe: RawSqe): void {
    const { layout } = this.engine;
    const slot = index & (layout.sqEntries - 1);
    writeRawSqe(this.view, layout.sqes + slot * Sqe.SIZE, sqe);
    if (layout.sqArray !== 0) this.view.setUint32(layout.sqArray + slot * 4, slot, true);
  }

  /** Writes SQEs behind the tail and publishes them. */
  queue(sqes: readonly RawSqe[]): void {
    for (const sqe of sqes) this.writeSqe(this.#tail++, sqe);
    Atomics.store(this.words, this.engine.layout.sqTail >>> 2, this.#tail | 0);
  }

  enter(
    toSubmit: number,
    minComplete = 0,
    timeoutUs = 200_000,
    flags = minComplete > 0 ? 1 : 0,
  ): number {
    return this.imports.functions().enter(toSubmit, minComplete, flags, timeoutUs);
  }

  ready(): number {
    const { cqHead, cqTail } = this.engine.layout;
    return (Atomics.load(this.words, cqTail >>> 2) - Atomics.load(this.words, cqHead >>> 2)) >>> 0;
  }

  /** Takes all completions: [user_data, result]. */
  reap(): [userData: number, result: number][] {
    const { view, words } = this;
    const { cqHead, cqTail, cqes, cqEntries } = this.engine.layout;
    const found: [number, number][] = [];
    let head = Atomics.load(words, cqHead >>> 2);
    while (head !== Atomics.load(words, cqTail >>> 2) && found.length <= cqEntries) {
      const at = cqes + (head & (cqEntries - 1)) * Cqe.SIZE;
      found.push([view.getUint32(at + Cqe.USER_DATA, true), view.getInt32(at + Cqe.RES, true)]);
      head = (head + 1) | 0;
    }
    Atomics.store(words, cqHead >>> 2, head);
    return found;
  }

  /** Submits SQEs in batches and gives each one's result; NaN for one that was not answered. */
  submitAll(sqes: readonly RawSqe[]): number[] {
    const results = new Array<number>(sqes.length).fill(Number.NaN);
    for (let from = 0; from < sqes.length; from += this.sqEntries) {
      const batch = sqes.slice(from, from + this.sqEntries);
      this.queue(batch.map((sqe, index) => ({ ...sqe, userData: from + index })));
      this.enter(batch.length, batch.length);
      for (const [userData, result] of this.reap()) results[userData] = result;
    }
    return results;
  }

  /** The result of one SQE. */
  submitOne(sqe: RawSqe): number {
    return this.submitAll([sqe])[0] ?? Number.NaN;
  }

  /** Bytes changed where nobody may write. */
  damage(): { guest: number; host: number } {
    return { guest: this.#canary.changedBytes(), host: this.host.changedBytes() };
  }

  /** Ends the guest as the host does. */
  close(): void {
    this.imports.engine?.close();
    this.control.claimRing();
    this.#grants.close();
    for (const fd of this.pipe) closeSync(fd);
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** "EACCES" of -13, "5" of 5, "no answer" of NaN. */
export function answerName(result: number): string {
  if (Number.isNaN(result)) return "no answer";
  return result < 0 ? (Errno[-result] ?? `E#${-result}`) : `${result}`;
}

/** Why an engine cannot run here, or null. The kernel's own words, for a skip aloud. */
export function unavailableReason(engine: EngineName): string | null {
  const attacker = new Attacker({ engine });
  try {
    attacker.start();
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    attacker.close();
  }
}
