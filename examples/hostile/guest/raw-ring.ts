/**
 * A ring by hand, without the SDK's care: every word of the set-up request, every SQE and the
 * ring's own header can be written as one likes. Canary pages lie around the arena:
 *
 *   page 0      1      2      3      4 5 6 7   8
 *   |canary   |ring  |SQEs  |canary| arena   |canary|
 */
import {
  ABI_VERSION,
  Cqe,
  EnterFlag,
  Limits,
  RingMode,
  SetupRequest,
  Sqe,
  monotonicNs,
} from "../../../assembly";
import { uringEnter, uringQuery, uringSetup } from "../../../assembly/host";

/** 64 SQ and 128 CQ entries are one page each. */
export const SQ_ENTRIES: u32 = 64;
const CQ_ENTRIES: u32 = 128;
const ARENA_PAGES: usize = 4;
const PAGES: usize = 9;
const CANARY: u64 = 0xc5c5c5c5c5c5c5c5;
const UNTOUCHED: u64 = 0xa7a7a7a7a7a7a7a7;

/** Nothing came back within a second. */
export const NO_ANSWER: i32 = i32.MIN_VALUE;
const WAIT_NS: u64 = 1_000_000_000;
const WAIT_SLICE_US = 20_000;

/** Whether every word of [start, end) is `word`. */
function isFilled(start: usize, end: usize, word: u64): bool {
  for (let at = start; at < end; at += 8) if (load<u64>(at) != word) return false;
  return true;
}

export class RawRing {
  readonly limits: usize = heap.alloc(Limits.SIZE);
  /** The set-up request, then the host's reply. */
  readonly request: usize = heap.alloc(SetupRequest.SIZE);
  readonly page: usize;
  readonly base: usize;
  /** user_data of the last SQE. */
  private serial: u64 = 0;
  /** Private, so that scribbling the header does not confuse us. */
  private sqTail: u32 = 0;
  private cqHead: u32 = 0;

  constructor() {
    uringQuery(this.limits);
    this.page = load<u32>(this.limits, Limits.PAGE_SIZE);
    this.base = (heap.alloc((PAGES + 1) * this.page) + this.page - 1) & ~(this.page - 1);
    this.paintCanaries();
    this.paintArena();
  }

  @inline get arena(): usize {
    return this.base + 4 * this.page;
  }

  @inline get arenaEnd(): usize {
    return this.arena + ARENA_PAGES * this.page;
  }

  /** Writes an ordinary request, to be spoilt by the caller. */
  fillRequest(): void {
    memory.fill(this.request, 0, SetupRequest.SIZE);
    this.setRequest(SetupRequest.ABI_VERSION, ABI_VERSION);
    this.setRequest(SetupRequest.SQ_ENTRIES, SQ_ENTRIES);
    this.setRequest(SetupRequest.CQ_ENTRIES, CQ_ENTRIES);
    this.setRequest(SetupRequest.RING_OFFSET, <u32>(this.base + this.page));
    this.setRequest(SetupRequest.RING_LENGTH, <u32>this.page);
    this.setRequest(SetupRequest.SQES_OFFSET, <u32>(this.base + 2 * this.page));
    this.setRequest(SetupRequest.SQES_LENGTH, <u32>this.page);
    this.setRequest(SetupRequest.ARENA_OFFSET, <u32>this.arena);
    this.setRequest(SetupRequest.ARENA_LENGTH, <u32>(ARENA_PAGES * this.page));
  }

  @inline setRequest(field: u32, value: u32): void {
    store<u32>(this.request + field, value);
  }

  setup(): i32 {
    this.fillRequest();
    const result = uringSetup(this.request);
    if (result < 0) return result;
    this.sqTail = atomic.load<u32>(this.word(SetupRequest.SQ_TAIL));
    this.cqHead = atomic.load<u32>(this.word(SetupRequest.CQ_HEAD));
    const array: usize = load<u32>(this.request, SetupRequest.SQ_ARRAY);
    for (let index: u32 = 0; array != 0 && index < SQ_ENTRIES; index++)
      store<u32>(array + 4 * index, index);
    return 0;
  }

  /** Address of a word of the rings, by its name in the reply. */
  @inline word(field: u32): usize {
    return load<u32>(this.request + field);
  }

  /** A cleared SQE at the tail, `ahead` places further on. */
  sqe(ahead: u32 = 0): usize {
    const index = (this.sqTail + ahead) & (SQ_ENTRIES - 1);
    const sqe = this.word(SetupRequest.SQES) + index * Sqe.SIZE;
    memory.fill(sqe, 0, Sqe.SIZE);
    store<u64>(sqe, ++this.serial, Sqe.USER_DATA);
    return sqe;
  }

  /** Submits what was written by `sqe(0)` and waits for its answer. */
  run(): i32 {
    this.paintArena();
    this.publish(1);
    this.enter(1, 1);
    return this.answer();
  }

  publish(count: u32): void {
    this.sqTail += count;
    // Pairs with the load of the SQ tail by whoever consumes the ring.
    atomic.store<u32>(this.word(SetupRequest.SQ_TAIL), this.sqTail);
  }

  enter(toSubmit: u32, minComplete: u32): i32 {
    const polled = (load<u32>(this.request, SetupRequest.MODE) & RingMode.SQPOLL) != 0;
    const wake = polled ? <u32>EnterFlag.SQ_WAKEUP : 0;
    return uringEnter(toSubmit, minComplete, EnterFlag.GETEVENTS | wake, WAIT_SLICE_US);
  }

  /**
   * The next answer; NO_ANSWER after a second. The tail must be the very next: a scribbled one is
   * not believed.
   */
  answer(): i32 {
    const tail = this.word(SetupRequest.CQ_TAIL);
    const end = monotonicNs() + WAIT_NS;
    // Pairs with the store of the CQ tail by whoever posts completions.
    while (atomic.load<u32>(tail) - this.cqHead - 1 >= CQ_ENTRIES) {
      if (monotonicNs() > end) return NO_ANSWER;
      this.enter(0, 1);
    }
    const cqe = this.word(SetupRequest.CQES) + (this.cqHead & (CQ_ENTRIES - 1)) * Cqe.SIZE;
    const result = load<i32>(cqe, Cqe.RES);
    this.cqHead++;
    atomic.store<u32>(this.word(SetupRequest.CQ_HEAD), this.cqHead);
    return result;
  }

  /** Whether an answer lies ready. */
  hasAnswer(): bool {
    return atomic.load<u32>(this.word(SetupRequest.CQ_TAIL)) != this.cqHead;
  }

  /**
   * Waits until the SQ was consumed as far as it will be; then takes the consumer's place as our
   * own.
   */
  settleTail(): void {
    const head = this.word(SetupRequest.SQ_HEAD);
    const end = monotonicNs() + WAIT_NS / 20;
    while (atomic.load<u32>(head) != this.sqTail && monotonicNs() < end) {}
    this.sqTail = atomic.load<u32>(head);
    atomic.store<u32>(this.word(SetupRequest.SQ_TAIL), this.sqTail);
  }

  paintCanaries(): void {
    memory.fill(this.base, <u8>CANARY, this.page);
    memory.fill(this.base + 3 * this.page, <u8>CANARY, this.page);
    memory.fill(this.arenaEnd, <u8>CANARY, this.page);
  }

  canariesAreIntact(): bool {
    const middle = this.base + 3 * this.page;
    return (
      isFilled(this.base, this.base + this.page, CANARY) &&
      isFilled(middle, this.arena, CANARY) &&
      isFilled(this.arenaEnd, this.arenaEnd + this.page, CANARY)
    );
  }

  paintArena(): void {
    memory.fill(this.arena, <u8>UNTOUCHED, this.arenaEnd - this.arena);
  }

  arenaIsUntouched(): bool {
    return isFilled(this.arena, this.arenaEnd, UNTOUCHED);
  }
}
