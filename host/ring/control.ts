/**
 * The few words that the guest's worker and the embedder's thread share: the stop flag, the ring's descriptor for the
 * teardown when the worker is gone, and the state. Host-private memory; no guest sees it.
 */
import { assert } from "../errors";
import type { NativeMapping, StopSignal } from "./engine";

/** No engine maps more than its two rings and its SQEs. */
const MAPPINGS_MAX = 3;

const enum Word {
  STOP = 0,
  /** 0: there is none. fd + 1: it is free to be borrowed or claimed. -(fd + 1): one side is using it. */
  RING_FD = 1,
  STATE = 2,
  /** Pairs of 64-bit words: address, length; 0 when there is none. */
  MAPPINGS = 4,
  COUNT = 4 + 4 * MAPPINGS_MAX,
}

/** How long a claim waits for the other side to give the ring back. */
const CLAIM_TIMEOUT_MS = 5000;
const CLAIM_SLICE_MS = 10;

/**
 * What the worker is at. While SETTING_UP and CLEANING it holds things half-made or half-closed (pages moved to
 * their guest address, a ring that nobody knows of): its thread must not be ended then, and the time is bounded.
 * Every step is a compare-and-exchange, so that worker and embedder agree who of them goes on: once ENDING, the
 * worker starts neither.
 */
export const enum WorkerState {
  STARTING = 0,
  RUNNING = 1,
  SETTING_UP = 2,
  CLEANING = 3,
  DONE = 4,
  /** The embedder is about to end the thread. */
  ENDING = 5,
}

export class Control implements StopSignal {
  readonly shared: SharedArrayBuffer;
  readonly #words: Int32Array;
  readonly #mappings: BigInt64Array;

  constructor(shared: SharedArrayBuffer = new SharedArrayBuffer(Word.COUNT * 4)) {
    this.shared = shared;
    this.#words = new Int32Array(shared);
    this.#mappings = new BigInt64Array(shared, Word.MAPPINGS * 4, MAPPINGS_MAX * 2);
  }

  stop(): void {
    Atomics.store(this.#words, Word.STOP, 1);
  }

  stopped(): boolean {
    return Atomics.load(this.#words, Word.STOP) !== 0;
  }

  /**
   * Publishes the open ring so that the embedder's thread can close it if the worker dies, and change its files.
   *
   * @param borrowed the worker goes on using it for itself alone until `returnRing`
   */
  publishRing(fd: number, mappings: readonly NativeMapping[] = [], borrowed = false): void {
    assert(mappings.length <= MAPPINGS_MAX, "more mappings of a ring than Control has room for");
    mappings.forEach(({ address, length }, index) => {
      this.#mappings[index * 2] = address;
      this.#mappings[index * 2 + 1] = BigInt(length);
    });
    Atomics.store(this.#words, Word.RING_FD, borrowed ? -(fd + 1) : fd + 1);
  }

  /**
   * Has the ring for oneself, so that nobody closes it meanwhile and its descriptor means no other file.
   *
   * @returns its descriptor; "busy" when the other side has it, "none" when there is none
   */
  borrowRing(): number | "busy" | "none" {
    const word = Atomics.load(this.#words, Word.RING_FD);
    if (word === 0) return "none";
    if (word < 0) return "busy";
    const taken = Atomics.compareExchange(this.#words, Word.RING_FD, word, -word) === word;
    return taken ? word - 1 : "busy";
  }

  /** Gives back what was borrowed. */
  returnRing(fd: number): void {
    Atomics.store(this.#words, Word.RING_FD, fd + 1);
    Atomics.notify(this.#words, Word.RING_FD);
  }

  /** What the ring's engine had mapped. For who claimed the ring of a worker that is gone. */
  ringMappings(): NativeMapping[] {
    const found: NativeMapping[] = [];
    for (let index = 0; index < this.#mappings.length; index += 2) {
      const address = this.#mappings[index] ?? 0n;
      if (address !== 0n) found.push({ address, length: Number(this.#mappings[index + 1]) });
    }
    return found;
  }

  /**
   * Takes the duty of closing the ring; -1 when nobody has one or somebody else took it. Waits, a bounded time, for who
   * has borrowed it; -1 as well when that does not end, and the ring is the other side's to close.
   */
  claimRing(): number {
    const end = performance.now() + CLAIM_TIMEOUT_MS;
    for (;;) {
      const word = Atomics.load(this.#words, Word.RING_FD);
      if (word === 0) return -1;
      if (word < 0) {
        if (performance.now() >= end) return -1;
        Atomics.wait(this.#words, Word.RING_FD, word, CLAIM_SLICE_MS);
      } else if (Atomics.compareExchange(this.#words, Word.RING_FD, word, 0) === word) {
        return word - 1;
      }
    }
  }

  /** As `claimRing`, when the worker is gone: whoever had borrowed it will not give it back. */
  inheritRing(): number {
    return Math.abs(Atomics.exchange(this.#words, Word.RING_FD, 0)) - 1;
  }

  /** Takes a step that only one side may take; false when the state is another by now. */
  advance(from: WorkerState, to: WorkerState): boolean {
    return Atomics.compareExchange(this.#words, Word.STATE, from, to) === from;
  }

  get state(): WorkerState {
    return Atomics.load(this.#words, Word.STATE);
  }
}
