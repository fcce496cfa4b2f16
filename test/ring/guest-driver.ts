/**
 * A guest in a few lines of TypeScript, for the tests of the engines: it owns a WebAssembly.Memory,
 * writes SQEs where the layout says, publishes them, enters, and reaps CQEs, by the same rules as
 * the guest SDK.
 */
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Cqe, GrantAccess, GrantKind, GUEST_ADDRESS_BASE, Sqe, SqeFlag } from "../../host/abi";
import { linuxSyscalls } from "../../host/ffi";
import { GuestMemory } from "../../host/memory/guest-memory";
import { compilePolicy, type OpName } from "../../host/policy";
import type { CheckedRequest, EngineContext, GrantSlot, RingEngine } from "../../host/ring/engine";

export const PAGE = 4096;

/** Opcodes of all policies: what the engines have to know. */
export const EVERY_OPCODE: readonly OpName[] = [
  ...([
    "FSYNC",
    "READ_FIXED",
    "WRITE_FIXED",
    "POLL_ADD",
    "POLL_REMOVE",
    "SYNC_FILE_RANGE",
  ] as const),
  ...(["ASYNC_CANCEL", "FALLOCATE", "FADVISE", "SHUTDOWN", "FTRUNCATE"] as const),
];

export interface SqeFields {
  opcode: number;
  /** Default: FIXED_FILE. */
  flags?: number;
  ioprio?: number;
  fd?: number;
  off?: bigint;
  addr?: bigint;
  len?: number;
  opFlags?: number;
  userData?: bigint;
  bufIndex?: number;
  personality?: number;
  spliceFdIn?: number;
  addr3?: bigint;
  pad2?: bigint;
}

export interface Completion {
  userData: bigint;
  result: number;
  flags: number;
}

export interface DriverOptions {
  slots?: readonly GrantSlot[];
  opcodes?: readonly OpName[];
  sqEntries?: number;
  cqEntries?: number;
  arenaPages?: number;
  shared?: boolean;
  stopped?: () => boolean;
}

export type StartEngine = (context: EngineContext) => RingEngine;

function makeContext(options: DriverOptions): EngineContext {
  const sqEntries = options.sqEntries ?? 64;
  const cqEntries = options.cqEntries ?? 128;
  const pagesOf = (bytes: number) => Math.ceil(bytes / PAGE) * PAGE;
  const ringOffset = 4 * PAGE;
  const ringLength = pagesOf(64 + cqEntries * Cqe.SIZE + sqEntries * 4);
  const sqesOffset = ringOffset + ringLength;
  const sqesLength = pagesOf(sqEntries * Sqe.SIZE);
  const arenaOffset = sqesOffset + sqesLength + PAGE;
  const arenaLength = (options.arenaPages ?? 16) * PAGE;
  const pages = Math.ceil((arenaOffset + arenaLength + PAGE) / 65536);
  const shared = options.shared ?? false;
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages + 16, shared });
  const request: CheckedRequest = {
    sqEntries,
    cqEntries,
    ringOffset,
    ringLength,
    sqesOffset,
    sqesLength,
    arenaOffset,
    arenaLength,
  };
  return {
    memory: new GuestMemory(memory),
    syscalls: linuxSyscalls(),
    request,
    plan: {
      engine: "auto",
      policy: compilePolicy({ opcodes: options.opcodes ?? EVERY_OPCODE }),
      slots: options.slots ?? [],
      sqpoll: null,
      entries: sqEntries,
      entriesMax: 4096,
      ioWorkersMax: [2, 2],
    },
    stop: { stopped: options.stopped ?? (() => false) },
  };
}

export class GuestDriver {
  readonly engine: RingEngine;
  readonly memory: WebAssembly.Memory;
  readonly context: EngineContext;
  #tail: number;

  constructor(start: StartEngine, options: DriverOptions = {}) {
    this.context = makeContext(options);
    this.memory = this.context.memory.memory;
    this.engine = start(this.context);
    // Not 0: the self-test of a kernel ring has used two entries.
    this.#tail = Atomics.load(this.words, this.engine.layout.sqTail >>> 2);
  }

  get view(): DataView {
    return new DataView(this.memory.buffer);
  }

  get words(): Int32Array {
    return new Int32Array(this.memory.buffer);
  }

  /** The guest address of a byte of the arena. */
  address(offsetInArena = 0): bigint {
    return BigInt(GUEST_ADDRESS_BASE + this.context.request.arenaOffset + offsetInArena);
  }

  arena(start: number, length: number): Uint8Array {
    return new Uint8Array(this.memory.buffer, this.context.request.arenaOffset + start, length);
  }

  /** Writes SQEs and publishes them; enter is the caller's. */
  queue(...sqes: readonly SqeFields[]): void {
    const { view } = this;
    const { sqes: base, sqEntries, sqTail } = this.engine.layout;
    for (const sqe of sqes) {
      const at = base + (this.#tail & (sqEntries - 1)) * Sqe.SIZE;
      view.setUint8(at + Sqe.OPCODE, sqe.opcode);
      view.setUint8(at + Sqe.FLAGS, sqe.flags ?? SqeFlag.FIXED_FILE);
      view.setUint16(at + Sqe.IOPRIO, sqe.ioprio ?? 0, true);
      view.setInt32(at + Sqe.FD, sqe.fd ?? 0, true);
      view.setBigUint64(at + Sqe.OFF, BigInt.asUintN(64, sqe.off ?? 0n), true);
      view.setBigUint64(at + Sqe.ADDR, BigInt.asUintN(64, sqe.addr ?? 0n), true);
      view.setUint32(at + Sqe.LEN, (sqe.len ?? 0) >>> 0, true);
      view.setUint32(at + Sqe.OP_FLAGS, (sqe.opFlags ?? 0) >>> 0, true);
      view.setBigUint64(at + Sqe.USER_DATA, sqe.userData ?? 0n, true);
      view.setUint16(at + Sqe.BUF_INDEX, sqe.bufIndex ?? 0, true);
      view.setUint16(at + Sqe.PERSONALITY, sqe.personality ?? 0, true);
      view.setInt32(at + Sqe.SPLICE_FD_IN, sqe.spliceFdIn ?? 0, true);
      view.setBigUint64(at + Sqe.ADDR3, sqe.addr3 ?? 0n, true);
      view.setBigUint64(at + Sqe.PAD2, sqe.pad2 ?? 0n, true);
      const array = this.engine.layout.sqArray;
      const index = this.#tail & (sqEntries - 1);
      if (array !== 0) view.setUint32(array + index * 4, index, true);
      this.#tail = (this.#tail + 1) | 0;
    }
    Atomics.store(this.words, sqTail >>> 2, this.#tail);
  }

  enter(toSubmit: number, minComplete = 0, timeoutUs = 1_000_000): number {
    return this.engine.enter(toSubmit, minComplete, minComplete > 0 ? 1 : 0, timeoutUs);
  }

  available(): number {
    const { cqHead, cqTail } = this.engine.layout;
    return (Atomics.load(this.words, cqTail >>> 2) - Atomics.load(this.words, cqHead >>> 2)) >>> 0;
  }

  reap(): Completion[] {
    const { view, words } = this;
    const { cqHead, cqTail, cqes, cqEntries } = this.engine.layout;
    const completions: Completion[] = [];
    let head = Atomics.load(words, cqHead >>> 2);
    while (head !== Atomics.load(words, cqTail >>> 2)) {
      const at = cqes + (head & (cqEntries - 1)) * Cqe.SIZE;
      completions.push({
        userData: view.getBigUint64(at + Cqe.USER_DATA, true),
        result: view.getInt32(at + Cqe.RES, true),
        flags: view.getUint32(at + Cqe.FLAGS, true),
      });
      head = (head + 1) | 0;
    }
    Atomics.store(words, cqHead >>> 2, head);
    return completions;
  }

  /**
   * Submits SQEs, numbered from 0 in user_data, and waits for `expected` CQEs (default: one each).
   *
   * @returns "user_data:result" of each CQE in the order of arrival
   */
  run(sqes: readonly SqeFields[], expected = sqes.length): string[] {
    this.queue(...sqes.map((sqe, index) => ({ userData: BigInt(index), ...sqe })));
    this.enter(sqes.length, expected);
    return this.reap().map((completion) => `${completion.userData}:${completion.result}`);
  }

  close(): void {
    this.engine.close();
  }
}

/** Files and pipes of one test, removed by `dispose`. */
export class Files {
  readonly #folder = mkdtempSync(join(tmpdir(), "wasm-uring-"));
  readonly #descriptors: number[] = [];
  #count = 0;

  path(content: string | Uint8Array = ""): string {
    const path = join(this.#folder, `file-${this.#count++}`);
    writeFileSync(path, content);
    return path;
  }

  slot(slot: number, fd: number, kind: GrantKind, access: number): GrantSlot {
    this.#descriptors.push(fd);
    const name = `slot-${slot}`;
    return { slot, name, fd, access, kind, direct: false, alignmentBytes: 1, sizeBytes: 0 };
  }

  file(slot: number, content: string | Uint8Array, mode: "r" | "r+" | "a"): GrantSlot {
    return this.fileAt(slot, this.path(content), mode);
  }

  fileAt(slot: number, path: string, mode: "r" | "r+" | "a"): GrantSlot {
    const access = mode === "r" ? GrantAccess.READ : mode === "a" ? GrantAccess.WRITE : 3;
    return this.slot(slot, openSync(path, mode), GrantKind.FILE, access);
  }

  /** Both ends of a pipe in two slots. */
  pipe(readSlot: number, writeSlot: number): [GrantSlot, GrantSlot] {
    const ends = linuxSyscalls().pipe2(0o2000000);
    if (typeof ends === "number") throw new Error(`pipe2: ${ends}`);
    return [
      this.slot(readSlot, ends[0], GrantKind.PIPE, GrantAccess.READ),
      this.slot(writeSlot, ends[1], GrantKind.PIPE, GrantAccess.WRITE),
    ];
  }

  dispose(): void {
    for (const fd of this.#descriptors) closeSync(fd);
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
