/**
 * The `mirrored` engine: the guest's rings are its own memory only, the kernel's ring is the
 * host's. Each enter copies the guest's SQEs once, rewrites them (`rewrite.ts`) onto the host's
 * ring, makes one io_uring_enter for the batch and moves the CQEs back. For kernels that cannot put
 * a ring into given memory, and for policies that want every field of an SQE vetted.
 *
 * Back-pressure: CQEs that find no room in the guest's queue stay on the host's ring. When that is
 * full as well, so that the kernel has to allocate for more, enter takes no SQE and answers -EBUSY
 * until the guest reaps.
 */
import { EnterFlag, Errno, RingMode } from "../../abi";
import { memoryMovedError } from "../../memory/guest-memory";
import { CompletionSignal } from "../completion-signal";
import type { EngineContext, EngineStats, NativeMapping, RingEngine, RingLayout } from "../engine";
import { GuestRing } from "../guest-ring";
import type { HostRing } from "../host-ring";
import { closeRing } from "../mapped/close";
import { Enter, firstSliceUs } from "../mapped/enter";
import { registerEventfd, unregisterEventfd } from "../register";
import { SlotTable, sharedSlotsOf } from "../slot-table";
import { SQE_WORDS } from "../sqe-word";
import { Rewriter } from "./rewrite";
import { type HostRingStart, registerHostArena, startHostRing } from "./start";

/** What a guest may say in enter's flags. Not SQ_WAIT: it waits without end on words that the guest writes. */
const GUEST_FLAGS = EnterFlag.GETEVENTS | EnterFlag.SQ_WAKEUP;

export interface MirroredStart {
  engine: RingEngine;
  /** SetupFlag bits of the host's ring. */
  setupFlags: number;
}

class MirroredEngine implements RingEngine {
  readonly name = "mirrored";
  readonly layout: RingLayout;
  readonly ringFd: number;
  readonly mappings: readonly NativeMapping[];
  readonly opcodes: readonly number[];
  readonly personalities: ReadonlyMap<string, number>;
  readonly #context: EngineContext;
  readonly #host: HostRing;
  readonly #guest: GuestRing;
  readonly #slots: SlotTable;
  readonly #rewriter: Rewriter;
  readonly #enter: Enter;
  readonly #signal: CompletionSignal;
  readonly #base: bigint;
  #moved = false;
  /** The private copy of the SQE that is being looked at. */
  readonly #copy = new Int32Array(SQE_WORDS);
  #enterCalls = 0;
  #submitted = 0;
  #closed = false;

  constructor(context: EngineContext, { host, opcodes, personalities }: HostRingStart) {
    const { memory, syscalls, request, plan, stop } = context;
    // Like DEFER_TASKRUN: a CQE reaches the guest's queue only inside enter.
    const polled = plan.iopoll === true;
    const mode = RingMode.MIRRORED | RingMode.DEFER_TASKRUN | (polled ? RingMode.IOPOLL : 0);
    this.#guest = new GuestRing(memory, request, mode);
    this.opcodes = opcodes;
    this.personalities = personalities;
    this.#base = memory.baseAddress(syscalls);
    this.#slots = new SlotTable(sharedSlotsOf(plan));
    const ids = personalities.values();
    this.#rewriter = new Rewriter(plan, request, this.#slots, ids, Number(this.#base));
    this.#enter = new Enter(syscalls, host.fd, 0, stop, polled);
    this.#context = context;
    this.#host = host;
    this.layout = this.#guest.layout;
    this.#signal = new CompletionSignal(memory, this.layout.cqFlags, plan.eventFd);
    this.ringFd = host.fd;
    this.mappings = host.mappings;
  }

  enter(toSubmit: number, minComplete: number, flags: number, timeoutUs: number): number {
    const result = this.#enterOnce(toSubmit, minComplete, flags, timeoutUs);
    this.#signal.update(this.#guest.posted);
    return result;
  }

  #enterOnce(toSubmit: number, minComplete: number, flags: number, timeoutUs: number): number {
    this.#enterCalls++;
    if (this.#closed) return -Errno.EBADF;
    if ((flags & ~GUEST_FLAGS) !== 0) return -Errno.EINVAL;
    if (this.#guest.refresh() || this.#moved) this.#checkBase();
    // What was in flight on a grant that went is cancelled by who took it.
    this.#slots.refresh();
    this.#collect();
    const pending = this.#guest.pending();
    const count = Math.min(toSubmit >>> 0, pending);
    if (count > 0 && this.#host.overflows()) return -Errno.EBUSY;
    const { cqEntries } = this.layout;
    const wanted = Math.min(minComplete >>> 0, cqEntries);
    const end = timeoutUs < 0 || wanted === 0 ? Infinity : performance.now() + timeoutUs / 1000;
    this.#mirror(count);
    const result = this.#submit(count, wanted, flags, timeoutUs);
    if (result > 0) this.#submitted += result;
    if (this.#guest.available() >= wanted) return result < 0 && wanted > 0 ? 0 : result;
    if (result < 0 && result !== -Errno.ETIME && result !== -Errno.EINTR) return result;
    // Fewer than asked were taken (no memory): what the guest waits for may not be among them.
    if (result >= 0 && result < count) return result;
    const waited = this.#wait(wanted, end);
    return result > 0 && waited !== -Errno.EINTR ? result : waited;
  }

  stats(): EngineStats {
    return {
      enterCalls: this.#enterCalls,
      enterSyscalls: this.#enter.syscallCount,
      submitted: this.#submitted,
      completed: this.#guest.posted,
      denied: this.#rewriter.denied,
    };
  }

  addArena(index: number, offset: number, length: number): void {
    if (this.#guest.refresh() || this.#moved) this.#checkBase();
    registerHostArena(this.#context, this.ringFd, index, offset, length);
    this.#rewriter.addArena(index, offset, length);
  }

  /** The host's ring signals what the next enter moves to the guest, whose own eventfd is not touched. */
  signalTo(eventFd: number): boolean {
    unregisterEventfd(this.#context.syscalls, this.ringFd);
    registerEventfd(this.#context.syscalls, this.ringFd, eventFd);
    return true;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    closeRing(this.#context.syscalls, this.ringFd);
    this.#host.unmap();
  }

  /** Copies, judges and rewrites SQEs onto the host's ring. */
  #mirror(count: number): void {
    const { sqes } = this.#host;
    for (let index = 0; index < count; index++) {
      this.#guest.take(this.#copy, 0);
      this.#rewriter.rewrite(this.#copy, sqes, this.#host.sqeAt(index));
    }
    if (count > 0) this.#host.publish(count);
  }

  /** One system call for the batch and the first slice of the wait. */
  #submit(count: number, wanted: number, flags: number, timeoutUs: number): number {
    const missing = wanted - this.#guest.available();
    if (count === 0 && missing <= 0 && (flags & EnterFlag.GETEVENTS) === 0) return 0;
    const result =
      missing > 0
        ? this.#enter.submitAndWait(count, missing, 0, firstSliceUs(timeoutUs))
        : this.#enter.submit(count, EnterFlag.GETEVENTS);
    const taken = Math.max(result, 0);
    if (taken < count) {
      // Not consumed (no memory): the guest finds them still queued, as with the kernel itself.
      this.#host.retract(count - taken);
      this.#guest.giveBack(count - taken);
    }
    if (taken > 0) this.#guest.publishHead();
    this.#collect();
    return result;
  }

  #wait(wanted: number, end: number): number {
    for (let looks = 0; ; looks++) {
      const missing = wanted - this.#guest.available();
      if (missing <= 0) return 0;
      if (this.#context.stop.stopped()) return -Errno.EINTR;
      const leftUs = Math.ceil((end - performance.now()) * 1000);
      if (leftUs <= 0) return -Errno.ETIME;
      const result = this.#enter.submitAndWait(0, missing, 0, firstSliceUs(leftUs));
      this.#collect();
      if (result < 0 && result !== -Errno.ETIME && result !== -Errno.EINTR) return result;
      this.#enter.rest(looks);
    }
  }

  /**
   * Moves what the kernel completed to the guest, and asks for what it keeps on its overflow list.
   */
  #collect(): void {
    const host = this.#host;
    for (;;) {
      const moved = host.moveTo(this.#guest);
      if (host.hasCompletions() || !host.overflows()) break;
      // The kernel flushes its list in an enter that waits for events. No progress: no memory, or a
      // lie about room.
      if (moved === 0 && !this.#guest.hasSpace()) break;
      if (this.#enter.submit(0, EnterFlag.GETEVENTS) < 0 || !host.hasCompletions()) break;
    }
    this.#guest.showOverflow(host.hasCompletions() || host.overflows());
  }

  /** The memory grew. Its base must be where the kernel pinned it. */
  #checkBase(): void {
    const base = this.#context.memory.baseAddress(this.#context.syscalls);
    this.#moved = base !== this.#base;
    // Who owns the ring closes it, at the guest's end.
    if (!this.#moved) return;
    throw memoryMovedError(this.#base, base);
  }
}

/**
 * Starts the engine for a checked request.
 *
 * @returns the engine, or the errno with which the kernel refused to make a ring
 * @throws WasmUringError when a later step fails; nothing is left behind
 */
export function startMirrored(context: EngineContext): MirroredStart | number {
  const started = startHostRing(context);
  if (typeof started === "number") return started;
  return { engine: new MirroredEngine(context, started), setupFlags: started.host.flags };
}
