/**
 * The `emulated` engine: no io_uring at all. The host takes the guest's SQEs, judges them as the
 * kernel would and performs them itself: files at once, streams as soon as they are ready, inside
 * the guest's own enter calls. For systems where io_uring is denied or does not exist. Policy,
 * bounds, errno, link chains and CQE_SKIP_SUCCESS are those of Linux 6.18, except that a multishot
 * POLL_ADD is EINVAL.
 *
 * Back-pressure: an operation is taken only while operations in flight and CQEs that wait for room
 * are fewer than four times the CQ's entries; beyond that enter takes nothing and answers -EBUSY
 * until the guest reaps or cancels.
 */
import { EnterFlag, Errno, FILE_SLOTS, Op, RingMode, SqeFlag } from "../../abi";
import type { Syscalls } from "../../ffi/syscalls";
import { ArenaWindows } from "../arena-window";
import { CompletionSignal } from "../completion-signal";
import type { EngineContext, EngineStats, RingEngine, RingLayout, StopSignal } from "../engine";
import { SLICE_MS } from "../engine";
import { GuestRing } from "../guest-ring";
import { Policing } from "../policing";
import { Preparation } from "../preparation";
import { SlotTable, sharedSlotsOf } from "../slot-table";
import { SQE_WORDS, SqeWord } from "../sqe-word";
import { Executor } from "./execute";
import type { FileBackend } from "./files";
import { LinuxFiles } from "./linux-files";
import { NodeFiles } from "./node-files";
import { NONE, Operations } from "./operations";
import { Overflow } from "./overflow";
import { Pending } from "./pending";
import { PollSet } from "./poll-set";
import { PENDING, Transfers } from "./transfer";

/** Without system calls of our own the files go through node:fs. */
export type EmulatedContext = Omit<EngineContext, "syscalls"> & { syscalls: Syscalls | null };

/** What a guest may say in enter's flags. Not SQ_WAIT: it waits without end on words that the guest writes. */
const GUEST_FLAGS = EnterFlag.GETEVENTS | EnterFlag.SQ_WAKEUP;
const LINKS = SqeFlag.IO_LINK | SqeFlag.IO_HARDLINK;
/** The bound of back-pressure, in units of the CQ's entries. */
const BACKLOG_FACTOR = 4;
/** How long a wait rests when files are ready but of no use to any operation. */
const REST_MS = 1;

class EmulatedEngine implements RingEngine {
  readonly name = "emulated";
  readonly layout: RingLayout;
  readonly ringFd = -1;
  readonly mappings = [];
  readonly opcodes: readonly number[];
  readonly personalities: ReadonlyMap<string, number> = new Map();
  readonly #backend: FileBackend;
  readonly #stop: StopSignal;
  readonly #ring: GuestRing;
  readonly #policing: Policing;
  readonly #preparation = new Preparation();
  readonly #slots: SlotTable;
  readonly #windows: ArenaWindows;
  readonly #operations: Operations;
  readonly #overflow: Overflow;
  readonly #pending: Pending;
  readonly #executor: Executor;
  readonly #signal: CompletionSignal;
  readonly #restWord = new Int32Array(new SharedArrayBuffer(4));
  #enterCalls = 0;
  #submitted = 0;
  #denied = 0;
  #closed = false;

  constructor(context: EmulatedContext, backend: FileBackend) {
    const { memory, request, plan, stop } = context;
    // Like DEFER_TASKRUN: a CQE reaches the guest's queue only inside enter.
    this.#ring = new GuestRing(memory, request, RingMode.EMULATED | RingMode.DEFER_TASKRUN);
    this.layout = this.#ring.layout;
    this.#backend = backend;
    this.#stop = stop;
    this.#policing = new Policing(plan.policy);
    this.#signal = new CompletionSignal(memory, this.layout.cqFlags, plan.eventFd);
    const slots = new SlotTable(sharedSlotsOf(plan));
    const poll = new PollSet(backend);
    const windows = new ArenaWindows(request);
    this.#slots = slots;
    this.#windows = windows;
    this.opcodes = plan.policy.opcodes;
    this.#operations = new Operations(request.cqEntries * BACKLOG_FACTOR);
    this.#overflow = new Overflow(request.cqEntries * BACKLOG_FACTOR);
    const transfers = new Transfers(this.#operations, backend, windows, poll, FILE_SLOTS);
    this.#pending = new Pending(this.#operations, slots, poll, transfers);
    this.#executor = new Executor(this.#operations, backend, slots, this.#pending, poll, transfers);
  }

  enter(toSubmit: number, minComplete: number, flags: number, timeoutUs: number): number {
    // What lies between uses the grants' descriptors, and sees first which of them went.
    this.#slots.beginUse();
    if (this.#slots.refresh()) this.#dropLost();
    const result = this.#enter(toSubmit, minComplete, flags, timeoutUs);
    this.#slots.endUse();
    this.#signal.update(this.#ring.posted);
    return result;
  }

  #enter(toSubmit: number, minComplete: number, flags: number, timeoutUs: number): number {
    this.#enterCalls++;
    if (this.#closed) return -Errno.EBADF;
    if ((flags & ~GUEST_FLAGS) !== 0) return -Errno.EINVAL;
    if (this.#ring.refresh()) this.#backend.refresh();
    const { cqEntries } = this.layout;
    const wanted = Math.min(minComplete >>> 0, cqEntries);
    const end = timeoutUs < 0 || wanted === 0 ? Infinity : performance.now() + timeoutUs / 1000;
    this.#overflow.flush(this.#ring);
    if (this.#pending.count > 0) this.#progress(0);
    const published = this.#ring.pending();
    const count = Math.min(toSubmit >>> 0, published);
    const room = this.#operations.capacity - this.#operations.count - this.#overflow.count;
    if (count > 0 && room === 0) return -Errno.EBUSY;
    const taken = this.#submit(Math.min(count, room));
    if (taken < count || wanted === 0) return taken;
    const waited = this.#wait(wanted, end);
    return taken > 0 && waited !== -Errno.EINTR ? taken : waited;
  }

  stats(): EngineStats {
    return {
      enterCalls: this.#enterCalls,
      enterSyscalls: 0,
      submitted: this.#submitted,
      completed: this.#ring.posted,
      denied: this.#denied,
    };
  }

  addArena(index: number, offset: number, length: number): void {
    this.#windows.add(index, offset, length);
  }

  signalTo(): boolean {
    return false;
  }

  /** Nothing runs outside enter: what is pending is dropped. */
  close(): void {
    this.#closed = true;
  }

  /**
   * Takes SQEs and runs them, chain by chain. The end of a submission ends a chain, as in the
   * kernel.
   *
   * @returns how many were taken: all, unless the guest was stopped meanwhile
   */
  #submit(count: number): number {
    const operations = this.#operations;
    let head = NONE;
    let last = NONE;
    let refused = false;
    let taken = 0;
    while (taken < count) {
      const operation = operations.acquire();
      this.#ring.take(operations.words, operation * SQE_WORDS);
      const verdict = this.#judge(operation);
      operations.results[operation] = verdict;
      refused ||= verdict !== 0;
      if (head === NONE) head = operation;
      else operations.link(last, operation);
      last = operation;
      taken++;
      if ((operations.flags(operation) & LINKS) !== 0 && taken < count) continue;
      if (refused) this.#refuseChain(head);
      else operations.enqueue(head);
      this.#work();
      head = NONE;
      refused = false;
      if (this.#stop.stopped()) break;
    }
    this.#submitted += taken;
    if (taken > 0) this.#ring.publishHead();
    // A poll that was changed may be ready by its new events.
    if (taken > 0 && this.#pending.count > 0) this.#progress(0);
    return taken;
  }

  #judge(operation: number): number {
    const verdict = this.#policing.judge(this.#operations.word(operation, SqeWord.HEAD));
    if (verdict === -Errno.EACCES) this.#denied++;
    if (verdict !== 0) return verdict;
    const prepared = this.#preparation.prepare(this.#operations.words, operation * SQE_WORDS);
    if (prepared !== 0 || this.#operations.opcode(operation) !== Op.POLL_ADD) return prepared;
    return this.#operations.word(operation, SqeWord.LEN) !== 0 ? -Errno.EINVAL : 0; // multishot
  }

  /**
   * One refused member fails a whole chain, and none of it runs. The head's CQE is never skipped.
   */
  #refuseChain(head: number): void {
    const operations = this.#operations;
    const skip = (operations.flags(head) & SqeFlag.CQE_SKIP_SUCCESS) !== 0;
    const verdict = operations.results[head] ?? 0;
    const following = operations.next(head);
    this.#complete(head, verdict === 0 ? -Errno.ECANCELED : verdict);
    this.#cancelLinks(following, skip);
  }

  /** Starts and finishes what is queued, until nothing is or the guest is stopped between two. */
  #work(): void {
    const operations = this.#operations;
    while (!this.#stop.stopped()) {
      const next = operations.dequeue();
      if (next === NONE) return;
      if (operations.done[next] === 0) {
        const result = this.#executor.start(next);
        if (result === PENDING) {
          this.#pending.add(next);
          continue;
        }
        operations.results[next] = result;
        operations.failed[next] = this.#executor.failed ? 1 : 0;
      }
      this.#finish(next);
    }
  }

  /** Posts an operation's CQE and lets its chain go on or break. */
  #finish(operation: number): void {
    const operations = this.#operations;
    const flags = operations.flags(operation);
    const skip = (flags & SqeFlag.CQE_SKIP_SUCCESS) !== 0;
    const failed = operations.failed[operation] !== 0;
    const following = operations.next(operation);
    if (failed || !skip) this.#complete(operation, operations.results[operation] ?? 0);
    else operations.release(operation);
    if (following === NONE) return;
    if (failed && (flags & SqeFlag.IO_HARDLINK) === 0) this.#cancelLinks(following, skip);
    else operations.enqueue(following);
  }

  /** The rest of a broken chain: silent when the member that broke it asked to be skipped. */
  #cancelLinks(first: number, silent: boolean): void {
    const operations = this.#operations;
    for (let operation = first; operation !== NONE; ) {
      const following = operations.next(operation);
      const verdict = operations.results[operation] ?? 0;
      if (silent) operations.release(operation);
      else this.#complete(operation, verdict === 0 ? -Errno.ECANCELED : verdict);
      operation = following;
    }
  }

  #complete(operation: number, result: number): void {
    const low = this.#operations.word(operation, SqeWord.USER_DATA_LOW);
    const high = this.#operations.word(operation, SqeWord.USER_DATA_HIGH);
    this.#operations.release(operation);
    // What already waits for room goes first.
    if (this.#overflow.count === 0 && this.#ring.post(low, high, result, 0)) return;
    this.#overflow.push(low, high, result);
    this.#ring.showOverflow(true);
  }

  /**
   * Waits for files, at most so long, and runs what that lets run.
   *
   * @returns as `Pending.progress`
   */
  #progress(timeoutMs: number): number {
    const settled = this.#pending.progress(timeoutMs);
    if (settled > 0) this.#work();
    return settled;
  }

  /** What waits for a file that was taken away is cancelled; its descriptor may then be closed. */
  #dropLost(): void {
    this.#pending.cancelLost();
    this.#slots.acknowledge();
    this.#work();
  }

  #wait(wanted: number, end: number): number {
    for (;;) {
      if (this.#slots.refresh()) this.#dropLost();
      if (this.#overflow.count > 0) this.#overflow.flush(this.#ring);
      if (this.#ring.available() >= wanted) return 0;
      if (this.#stop.stopped()) return -Errno.EINTR;
      const leftMs = end - performance.now();
      if (leftMs <= 0) return -Errno.ETIME;
      const sliceMs = Math.min(leftMs, SLICE_MS);
      if (this.#pending.count === 0) this.#rest(sliceMs);
      else if (this.#progress(Math.ceil(sliceMs)) < 0) this.#rest(REST_MS);
    }
  }

  /** Sleeps on a word that nobody but this engine can see. */
  #rest(timeoutMs: number): void {
    Atomics.wait(this.#restWord, 0, 0, timeoutMs);
  }
}

/** Starts the engine for a checked request. It needs nothing that could be refused. */
export function startEmulated(context: EmulatedContext): RingEngine {
  const { syscalls, memory } = context;
  const backend = syscalls === null ? new NodeFiles(memory) : new LinuxFiles(syscalls, memory);
  return new EmulatedEngine(context, backend);
}
