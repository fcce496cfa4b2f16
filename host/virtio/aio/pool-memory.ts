/**
 * What the thread that serves a disk shares with the workers of aio "threads": slots of requests by tag, a queue of
 * tags that any worker takes from, a bitmap of tags that are done. Lock-free, without holes: a worker that dies
 * between two instructions leaves nothing that the others would wait for.
 */
import type { BlockOperation } from "./backend";
import {
  DONE_WORDS,
  LINE_WORDS,
  POOL_SLOTS,
  POOL_THREADS_MAX,
  PoolSignal,
  PoolState,
  QUEUE_MASK,
  SLOT_DOUBLES,
  SLOT_WORDS,
  SLOTS_DOUBLE,
  SlotDouble,
  SlotWord,
  Word,
} from "./pool-layout";

/** One thread's view of the memory. */
export class PoolMemory {
  readonly #words: Int32Array;
  readonly #doubles: Float64Array;
  /** The serving thread's: the tail, published by `publish`. */
  #tail: number;

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory);
    this.#doubles = new Float64Array(memory);
    this.#tail = Atomics.load(this.#words, Word.TAIL);
  }

  get state(): PoolState {
    return Atomics.load(this.#words, Word.STATE);
  }

  /** The embedder's thread. Wakes everybody, so that it is seen. */
  setState(state: PoolState): void {
    Atomics.store(this.#words, Word.STATE, state);
    Atomics.add(this.#words, Word.WAKE, 1);
    Atomics.notify(this.#words, Word.WAKE);
  }

  get eventFd(): number {
    return this.#words[Word.EVENT_FD] ?? -1;
  }

  /** A pool serves one back end at a time. @returns whether it was free */
  attach(fd: number): boolean {
    if (Atomics.compareExchange(this.#words, Word.ATTACHED, 0, 1) !== 0) return false;
    // Published with the first request's tail.
    this.#words[Word.FD] = fd;
    return true;
  }

  /** When it is quiet: forgets all requests and lets another back end have the pool. */
  detach(): void {
    const words = this.#words;
    Atomics.store(words, Word.SIGNAL, PoolSignal.NONE);
    words.fill(0, Word.DONE, Word.DONE + DONE_WORDS);
    for (let tag = 0; tag < POOL_SLOTS; tag++)
      words[Word.SLOTS + tag * SLOT_WORDS + SlotWord.IN_FLIGHT] = 0;
    Atomics.store(words, Word.ATTACHED, 0);
  }

  // The serving thread's side.

  put(
    operation: BlockOperation,
    tag: number,
    offset: number,
    vectors: number,
    count: number,
    length: number,
    unmap: boolean,
  ): void {
    const double = SLOTS_DOUBLE + tag * SLOT_DOUBLES;
    this.#doubles[double + SlotDouble.OFFSET] = offset;
    this.#doubles[double + SlotDouble.VECTORS] = vectors;
    this.#doubles[double + SlotDouble.LENGTH] = length;
    const word = Word.SLOTS + tag * SLOT_WORDS;
    this.#words[word + SlotWord.OPERATION] = operation;
    this.#words[word + SlotWord.COUNT] = count;
    this.#words[word + SlotWord.UNMAP] = unmap ? 1 : 0;
    this.#words[word + SlotWord.IN_FLIGHT] = 1;
    // Never full: a tag is queued once, and there are as many places as tags.
    this.#words[Word.QUEUE + (this.#tail & QUEUE_MASK)] = tag;
    this.#tail = (this.#tail + 1) | 0;
  }

  /** Lets the workers have the last `count` requests, and wakes as many as there are. */
  publish(count: number): void {
    const words = this.#words;
    // Release: pairs with the load in `take`.
    Atomics.store(words, Word.TAIL, this.#tail);
    const sleepers = Atomics.load(words, Word.SLEEPERS);
    if (sleepers === 0) return;
    Atomics.add(words, Word.WAKE, 1);
    Atomics.notify(words, Word.WAKE, Math.min(count, sleepers));
  }

  /** Whether a completion waits to be taken. */
  hasDone(depth: number): boolean {
    for (let first = 0; first < depth; first += 32) {
      if (Atomics.load(this.#words, Word.DONE + (first >>> 5)) !== 0) return true;
    }
    return false;
  }

  /**
   * Takes finished tags into `tags` and `results` from `count` on. @returns the new count
   */
  takeDone(depth: number, tags: Int32Array, results: Int32Array, count: number): number {
    const words = this.#words;
    for (let first = 0; first < depth && count < tags.length; first += 32) {
      const at = Word.DONE + (first >>> 5);
      if (Atomics.load(words, at) === 0) continue; // the exchange costs more
      // Acquire: pairs with the or in `finish`.
      let bits = Atomics.exchange(words, at, 0);
      while (bits !== 0 && count < tags.length) {
        const bit = 31 - Math.clz32(bits & -bits);
        bits &= bits - 1;
        const tag = first + bit;
        const word = Word.SLOTS + tag * SLOT_WORDS;
        words[word + SlotWord.IN_FLIGHT] = 0;
        tags[count] = tag;
        results[count++] = words[word + SlotWord.RESULT] ?? 0;
      }
      if (bits !== 0) Atomics.or(words, at, bits);
    }
    return count;
  }

  /** Ends every request that is in flight and not done: their workers are gone. Results are the caller's to make. */
  takeLost(depth: number, tags: Int32Array, count: number): number {
    for (let tag = 0; tag < depth && count < tags.length; tag++) {
      const at = Word.SLOTS + tag * SLOT_WORDS + SlotWord.IN_FLIGHT;
      if (this.#words[at] === 0 || this.#isDone(tag)) continue;
      this.#words[at] = 0;
      tags[count++] = tag;
    }
    return count;
  }

  /** Takes back what no worker has begun. */
  withdraw(): void {
    while (this.take() >= 0);
  }

  /** After `withdraw`: whether no worker is at a request any more. */
  isQuiet(): boolean {
    if (this.state === PoolState.DEAD) return true;
    for (let worker = 0; worker < POOL_THREADS_MAX; worker++) {
      // Pairs with `setBusy`, which comes before the worker's exchange of the head.
      if (Atomics.load(this.#words, Word.BUSY + worker * LINE_WORDS) !== 0) return false;
    }
    return true;
  }

  #isDone(tag: number): boolean {
    return (Atomics.load(this.#words, Word.DONE + (tag >>> 5)) & (1 << (tag & 31))) !== 0;
  }

  /** Asks for a signal at the next completion. Look for completions afterwards. */
  wantSignal(signal: PoolSignal): void {
    // Sequentially consistent with the workers' or, then load: one of the two sees the other.
    Atomics.store(this.#words, Word.SIGNAL, signal);
  }

  /** Sleeps until a worker answers PoolSignal.NOTIFY. */
  awaitSignal(timeoutMs: number): void {
    Atomics.wait(this.#words, Word.SIGNAL, PoolSignal.NOTIFY, timeoutMs);
  }

  // The workers' side.

  /** Before `take`, and after `finish` or when there was nothing to take. */
  setBusy(worker: number, busy: boolean): void {
    Atomics.store(this.#words, Word.BUSY + worker * LINE_WORDS, busy ? 1 : 0);
  }

  /** The tag of a request that is now this worker's, -1 when there is none. */
  take(): number {
    const words = this.#words;
    for (;;) {
      const head = Atomics.load(words, Word.HEAD);
      // Acquire: pairs with the store in `publish`.
      if (head === Atomics.load(words, Word.TAIL)) return -1;
      // Before the exchange: afterwards the place may be used again.
      const tag = Atomics.load(words, Word.QUEUE + (head & QUEUE_MASK));
      if (Atomics.compareExchange(words, Word.HEAD, head, (head + 1) | 0) === head) return tag;
    }
  }

  /** Sleeps until there may be work, at most `timeoutMs`. */
  sleep(timeoutMs: number): void {
    const words = this.#words;
    const wake = Atomics.load(words, Word.WAKE);
    // Sequentially consistent with the tail: either `publish` sees this sleeper or the load below sees its tail.
    Atomics.add(words, Word.SLEEPERS, 1);
    const idle =
      Atomics.load(words, Word.HEAD) === Atomics.load(words, Word.TAIL) &&
      this.state === PoolState.RUNNING;
    if (idle) Atomics.wait(words, Word.WAKE, wake, timeoutMs);
    Atomics.sub(words, Word.SLEEPERS, 1);
  }

  get fd(): number {
    return this.#words[Word.FD] ?? -1;
  }

  operationOf(tag: number): BlockOperation {
    return this.#words[Word.SLOTS + tag * SLOT_WORDS + SlotWord.OPERATION] ?? 0;
  }

  countOf(tag: number): number {
    return this.#words[Word.SLOTS + tag * SLOT_WORDS + SlotWord.COUNT] ?? 0;
  }

  mayUnmap(tag: number): boolean {
    return this.#words[Word.SLOTS + tag * SLOT_WORDS + SlotWord.UNMAP] === 1;
  }

  offsetOf(tag: number): number {
    return this.#doubles[SLOTS_DOUBLE + tag * SLOT_DOUBLES + SlotDouble.OFFSET] ?? 0;
  }

  vectorsOf(tag: number): number {
    return this.#doubles[SLOTS_DOUBLE + tag * SLOT_DOUBLES + SlotDouble.VECTORS] ?? 0;
  }

  lengthOf(tag: number): number {
    return this.#doubles[SLOTS_DOUBLE + tag * SLOT_DOUBLES + SlotDouble.LENGTH] ?? 0;
  }

  /** Answers a request. @returns how the serving thread wants to hear of it; NOTIFY is done already */
  finish(tag: number, result: number): PoolSignal {
    const words = this.#words;
    words[Word.SLOTS + tag * SLOT_WORDS + SlotWord.RESULT] = result;
    // Release: pairs with the exchange in `takeDone`.
    Atomics.or(words, Word.DONE + (tag >>> 5), 1 << (tag & 31));
    return this.signal();
  }

  /** Takes the serving thread's wish, so that one worker alone fulfils it. */
  signal(): PoolSignal {
    const words = this.#words;
    const wish = Atomics.load(words, Word.SIGNAL);
    if (wish === PoolSignal.NONE) return wish;
    if (Atomics.compareExchange(words, Word.SIGNAL, wish, PoolSignal.NONE) !== wish)
      return PoolSignal.NONE;
    if (wish === PoolSignal.NOTIFY) Atomics.notify(words, Word.SIGNAL);
    return wish;
  }
}
