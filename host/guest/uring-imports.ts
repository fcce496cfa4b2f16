/**
 * The import module `uring` for one guest: query, grant, setup, enter, arena, personality. Every argument is
 * hostile; the answers are errno values for what the guest did wrong, and exceptions only for what ends the guest
 * (the stop signal, a failure of the environment).
 */
import { ABI_VERSION, ARENAS_MAX, Errno, GrantInfo, Limits, SetupRequest } from "../abi";
import { WasmUringError } from "../errors";
import type { Syscalls } from "../ffi/syscalls";
import type { SharedSlots, SlotSnapshot } from "../grant/shared-slots";
import type { GuestMemory } from "../memory/guest-memory";
import { ReservedRanges } from "../memory/reserved";
import { type Control, WorkerState } from "../ring/control";
import type { GrantSlot, RingEngine, RingLayout, RingPlan } from "../ring/engine";
import { slotChanges } from "../ring/files";
import { ARENA_LENGTH_MAX_BYTES, checkArena, checkRequest } from "../ring/layout";
import { updateFile } from "../ring/register";
import { setupRing } from "../ring/setup";
import { sharedSlotsOf } from "../ring/slot-table";
import type { RingReport } from "./options";

/** Unwinds a guest that is to end. */
export class GuestStopped extends Error {}

const NAME_BYTES_MAX = 255;
/** A guest can be refused in a loop; its owner is told of the first few. */
const REFUSALS_MAX = 16;

export interface UringOptions {
  memory: () => GuestMemory;
  syscalls: Syscalls | null;
  syscallsReason: string;
  plan: RingPlan;
  control: Control;
  /** What of the guest's memory is taken by others. Default: nothing. */
  reserved?: ReservedRanges;
  onRing: (report: RingReport) => void;
  onRefusal: (reason: string) => void;
}

export type UringFunctions = Record<
  "query" | "grant" | "setup" | "enter" | "arena" | "personality",
  (...values: number[]) => number
>;

export class UringImports {
  /** The guest's ring once it has one. */
  engine: RingEngine | null = null;
  readonly #options: UringOptions;
  readonly #pageBytes: number;
  readonly #slots: SharedSlots;
  readonly #reserved: ReservedRanges;
  /** By index: whether a fixed buffer is registered there. */
  readonly #arenas = new Uint8Array(ARENAS_MAX);
  #refusals = 0;

  constructor(options: UringOptions) {
    this.#options = options;
    this.#pageBytes = options.syscalls?.pageSize() ?? 4096;
    this.#slots = sharedSlotsOf(options.plan);
    this.#reserved = options.reserved ?? new ReservedRanges();
  }

  functions(): UringFunctions {
    const { control } = this.#options;
    return {
      query: (limits = 0) => this.#query(limits >>> 0),
      grant: (name = 0, length = 0, info = 0) => this.#grant(name >>> 0, length >>> 0, info >>> 0),
      setup: (request = 0) => this.#undisturbed(() => this.#setup(request >>> 0)),
      arena: (offset = 0, length = 0, index = 0) =>
        this.#undisturbed(() => this.#arena(offset >>> 0, length >>> 0, index >>> 0)),
      personality: (name = 0, length = 0) => this.#personality(name >>> 0, length >>> 0),
      enter: (toSubmit = 0, minComplete = 0, flags = 0, timeoutUs = 0) => {
        const { engine } = this;
        if (engine === null) return -Errno.EBADF;
        // The module's own declaration chose the types: a float would pass as it is.
        const result = engine.enter(toSubmit >>> 0, minComplete >>> 0, flags | 0, timeoutUs | 0);
        if (result === -Errno.EINTR && control.stopped()) throw new GuestStopped();
        return result;
      },
    };
  }

  #query(offset: number): number {
    const memory = this.#options.memory();
    if (!memory.contains(offset, Limits.SIZE)) return -Errno.EFAULT;
    const { plan } = this.#options;
    const { view } = memory;
    const word = (field: number, value: number) => view.setUint32(offset + field, value, true);
    word(Limits.ABI_VERSION, ABI_VERSION);
    word(Limits.PAGE_SIZE, this.#pageBytes);
    word(Limits.SQ_ENTRIES, plan.entries);
    word(Limits.SQ_ENTRIES_MAX, plan.entriesMax);
    word(Limits.ARENA_LENGTH_MAX, ARENA_LENGTH_MAX_BYTES);
    word(Limits.SQE_FLAGS_ALLOWED, plan.policy.sqeFlagsAllowed);
    word(Limits.SQE_FLAGS_REQUIRED, plan.policy.sqeFlagsRequired);
    word(Limits.GRANTS, (this.#slots.snapshot().slots.at(-1)?.slot ?? -1) + 1);
    const bits = this.#opcodes().reduce((all, opcode) => all | (1n << BigInt(opcode)), 0n);
    view.setBigUint64(offset + Limits.OPCODES, bits, true);
    return 0;
  }

  /** What the ring takes; before there is one, what the kernel knows of the policy. */
  #opcodes(): readonly number[] {
    const { plan } = this.#options;
    if (this.engine !== null) return this.engine.opcodes;
    const known = plan.engine === "emulated" ? null : plan.kernelOpcodes;
    if (known === null || known === undefined) return plan.policy.opcodes;
    return plan.policy.opcodes.filter((opcode) => known.includes(opcode));
  }

  /** A name in guest memory, or a negated errno. */
  #name(offset: number, length: number): string | number {
    if (length > NAME_BYTES_MAX) return -Errno.ENAMETOOLONG;
    const bytes = this.#options.memory().copyOut(offset, length);
    if (bytes === null) return -Errno.EFAULT;
    // Buffer copies (the memory may be shared), and costs each thread 200 KiB less than a TextDecoder.
    return Buffer.from(bytes).toString("utf8");
  }

  #grant(offset: number, length: number, info: number): number {
    const memory = this.#options.memory();
    const name = this.#name(offset, length);
    if (typeof name === "number") return name;
    if (info !== 0 && !memory.contains(info, GrantInfo.SIZE)) return -Errno.EFAULT;
    const found = this.#slots.snapshot().slots.find((slot) => slot.name === name);
    if (found === undefined) return -Errno.ENOENT;
    if (info !== 0) writeGrantInfo(memory, info, found);
    return found.slot;
  }

  #personality(offset: number, length: number): number {
    const name = this.#name(offset, length);
    if (typeof name === "number") return name;
    if (this.engine === null) return -Errno.EBADF;
    return this.engine.personalities.get(name) ?? -Errno.ENOENT;
  }

  /**
   * The thread is not ended in the middle of a set-up: what is half-made would be left behind. A guest that is to end
   * begins none, so that it cannot hide in one set-up after another.
   */
  #undisturbed(step: () => number): number {
    const { control } = this.#options;
    if (control.stopped() || !control.advance(WorkerState.RUNNING, WorkerState.SETTING_UP)) {
      throw new GuestStopped();
    }
    try {
      return step();
    } finally {
      control.advance(WorkerState.SETTING_UP, WorkerState.RUNNING);
    }
  }

  #refuse(reason: string): void {
    if (this.#refusals++ < REFUSALS_MAX) this.#options.onRefusal(reason);
  }

  #setup(offset: number): number {
    const { plan, syscalls, syscallsReason, control } = this.#options;
    if (this.engine !== null) {
      this.#refuse("uring.setup was called a second time: a guest has one ring");
      return -Errno.EBUSY;
    }
    const started = performance.now();
    const memory = this.#options.memory();
    const request = checkRequest(memory, offset, plan, this.#pageBytes);
    if ("errno" in request) {
      this.#refuse(`uring.setup was refused: ${request.reason}`);
      return -request.errno;
    }
    const regions = [
      ["ring", request.ringOffset, request.ringLength],
      ["SQE array", request.sqesOffset, request.sqesLength],
      ["arena", request.arenaOffset, request.arenaLength],
    ] as const;
    for (const [name, offset, length] of regions) {
      const taken = this.#reserved.overlapped(offset, length);
      if (taken === null) continue;
      this.#refuse(`uring.setup was refused: the ${name} overlaps the ${taken}`);
      return -Errno.EINVAL;
    }
    const setup = this.#withGrants((snapshot) => {
      const grants = { slots: snapshot.slots, grants: this.#slots.shared };
      const made = setupRing({
        ...{ memory, syscalls, syscallsReason, request, stop: control },
        plan: { ...plan, ...grants },
      });
      this.engine = made.engine;
      this.#publish(made.engine, snapshot);
      return made;
    });
    for (const [name, offset, length] of regions) this.#reserved.add(name, offset, length);
    this.#arenas[0] = 1;
    writeReply(memory, offset, setup.engine.layout);
    this.#options.onRing({
      engine: setup.engine.name,
      reason: setup.reason,
      ladder: setup.ladder,
      mode: plan.sqpoll === null ? "enter" : "sqpoll",
      setupFlags: setup.setupFlags,
      layout: setup.engine.layout,
      arenaLengthBytes: request.arenaLength,
      setupUs: Math.round((performance.now() - started) * 1000),
    });
    return 0;
  }

  /** While it runs no descriptor that it saw is closed. */
  #withGrants<Result>(step: (snapshot: SlotSnapshot) => Result): Result {
    this.#slots.beginUse();
    try {
      return step(this.#slots.snapshot());
    } finally {
      this.#slots.endUse();
    }
  }

  /** From here on the embedder changes the ring's files itself; what it changed since the snapshot is caught up. */
  #publish({ ringFd, mappings }: RingEngine, snapshot: SlotSnapshot): void {
    const { syscalls, control } = this.#options;
    if (ringFd < 0 || syscalls === null) return;
    control.publishRing(ringFd, mappings, true);
    try {
      for (let before = snapshot; before.generation !== this.#slots.generation; ) {
        const after = this.#slots.snapshot();
        for (const { slot, fd } of slotChanges(before, after)) {
          updateFile(syscalls, ringFd, slot, fd, "that was made or revoked during set-up");
        }
        before = after;
      }
    } finally {
      control.returnRing(ringFd);
    }
  }

  #arena(offset: number, length: number, index: number): number {
    const { engine } = this;
    if (engine === null) return -Errno.EBADF;
    const refuse = (errno: Errno, reason: string): number => {
      this.#refuse(`uring.arena was refused: ${reason}`);
      return -errno;
    };
    if (index >= ARENAS_MAX) {
      return refuse(Errno.EINVAL, `index ${index} is not one from 1 to ${ARENAS_MAX - 1}`);
    }
    if (this.#arenas[index] !== 0) {
      return refuse(Errno.EBUSY, `there is an arena of index ${index} already`);
    }
    const memory = this.#options.memory();
    const refusal = checkArena(memory, offset, length, this.#pageBytes);
    if (refusal !== null) return refuse(refusal.errno, refusal.reason);
    const taken = this.#reserved.overlapped(offset, length);
    if (taken !== null) return refuse(Errno.EINVAL, `it overlaps the ${taken}`);
    try {
      engine.addArena(index, offset, length);
    } catch (error) {
      // The guest can go on without; but not when its memory is no longer what the kernel sees.
      const harmless = error instanceof WasmUringError && error.code !== "ERR_MEMORY_MOVED";
      if (!harmless) throw error;
      const number = error.detail.errno ?? Errno.EIO;
      return refuse(number, error.message);
    }
    this.#reserved.add(`arena of index ${index}`, offset, length);
    this.#arenas[index] = 1;
    return 0;
  }
}

function writeGrantInfo(memory: GuestMemory, offset: number, grant: GrantSlot): void {
  const { view } = memory;
  view.setBigUint64(offset + GrantInfo.SIZE_BYTES, BigInt(grant.sizeBytes), true);
  view.setUint32(offset + GrantInfo.ACCESS, grant.access, true);
  view.setUint32(offset + GrantInfo.KIND, grant.kind, true);
  view.setUint32(offset + GrantInfo.ALIGNMENT, grant.alignmentBytes, true);
  view.setUint32(offset + GrantInfo.RESERVED, 0, true);
}

function writeReply(memory: GuestMemory, offset: number, layout: RingLayout): void {
  const { view } = memory;
  const reply: readonly (readonly [field: number, value: number])[] = [
    [SetupRequest.MODE, layout.mode],
    [SetupRequest.SQ_HEAD, layout.sqHead],
    [SetupRequest.SQ_TAIL, layout.sqTail],
    [SetupRequest.SQ_FLAGS, layout.sqFlags],
    [SetupRequest.SQ_DROPPED, layout.sqDropped],
    [SetupRequest.SQ_ARRAY, layout.sqArray],
    [SetupRequest.SQES, layout.sqes],
    [SetupRequest.CQ_HEAD, layout.cqHead],
    [SetupRequest.CQ_TAIL, layout.cqTail],
    [SetupRequest.CQ_OVERFLOW, layout.cqOverflow],
    [SetupRequest.CQ_FLAGS, layout.cqFlags],
    [SetupRequest.CQES, layout.cqes],
    [SetupRequest.SQ_ENTRIES_ACTUAL, layout.sqEntries],
    [SetupRequest.CQ_ENTRIES_ACTUAL, layout.cqEntries],
  ];
  for (const [field, value] of reply) view.setUint32(offset + field, value, true);
}
