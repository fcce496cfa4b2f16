/**
 * The import module `uring` for one guest: query, grant, setup, enter. Every argument is hostile; the answers are
 * errno values for what the guest did wrong, and exceptions only for what ends the guest (the stop signal, a failure
 * of the environment).
 */
import { ABI_VERSION, Errno, FILE_SLOTS, GrantInfo, Limits, SetupRequest } from "../abi";
import type { Syscalls } from "../ffi/syscalls";
import type { GuestMemory } from "../memory/guest-memory";
import { type Control, WorkerState } from "../ring/control";
import type { GrantSlot, RingEngine, RingLayout, RingPlan } from "../ring/engine";
import { ARENA_LENGTH_MAX_BYTES, checkRequest } from "../ring/layout";
import { setupRing } from "../ring/setup";
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
  onRing: (report: RingReport) => void;
  onRefusal: (reason: string) => void;
}

export type UringFunctions = Record<
  "query" | "grant" | "setup" | "enter",
  (...values: number[]) => number
>;

export class UringImports {
  /** The guest's ring once it has one. */
  engine: RingEngine | null = null;
  readonly #options: UringOptions;
  readonly #pageBytes: number;
  #refusals = 0;

  constructor(options: UringOptions) {
    this.#options = options;
    this.#pageBytes = options.syscalls?.pageSize() ?? 4096;
  }

  functions(): UringFunctions {
    const { control } = this.#options;
    return {
      query: (limits = 0) => this.#query(limits >>> 0),
      grant: (name = 0, length = 0, info = 0) => this.#grant(name >>> 0, length >>> 0, info >>> 0),
      setup: (request = 0) => this.#setupUndisturbed(request >>> 0),
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
    word(Limits.GRANTS, plan.slots.length);
    const bits = plan.policy.opcodes.reduce((all, opcode) => all | (1n << BigInt(opcode)), 0n);
    view.setBigUint64(offset + Limits.OPCODES, bits, true);
    return 0;
  }

  #grant(name: number, length: number, info: number): number {
    const memory = this.#options.memory();
    if (length > NAME_BYTES_MAX) return -Errno.ENAMETOOLONG;
    const bytes = memory.copyOut(name, length);
    if (bytes === null) return -Errno.EFAULT;
    if (info !== 0 && !memory.contains(info, GrantInfo.SIZE)) return -Errno.EFAULT;
    // Buffer copies (the memory may be shared), and costs each thread 200 KiB less than a TextDecoder.
    const wanted = Buffer.from(bytes).toString("utf8");
    const found = this.#options.plan.slots.find((slot) => slot.name === wanted);
    if (found === undefined || found.slot >= FILE_SLOTS) return -Errno.ENOENT;
    if (info !== 0) writeGrantInfo(memory, info, found);
    return found.slot;
  }

  /**
   * The thread is not ended in the middle of a set-up: what is half-made would be left behind. A guest that is to end
   * begins none, so that it cannot hide in one set-up after another.
   */
  #setupUndisturbed(offset: number): number {
    const { control } = this.#options;
    if (control.stopped() || !control.advance(WorkerState.RUNNING, WorkerState.SETTING_UP)) {
      throw new GuestStopped();
    }
    try {
      return this.#setup(offset);
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
    const setup = setupRing({ memory, syscalls, syscallsReason, request, plan, stop: control });
    this.engine = setup.engine;
    const { ringFd, mappings } = setup.engine;
    if (ringFd >= 0) control.publishRing(ringFd, mappings);
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
