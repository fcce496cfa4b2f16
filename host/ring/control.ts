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
  RING_FD = 1,
  STATE = 2,
  /** Pairs of 64-bit words: address, length; 0 when there is none. */
  MAPPINGS = 4,
  COUNT = 4 + 4 * MAPPINGS_MAX,
}

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

  /** Publishes the open ring so that the embedder's thread can close it if the worker dies. */
  publishRing(fd: number, mappings: readonly NativeMapping[] = []): void {
    assert(mappings.length <= MAPPINGS_MAX, "more mappings of a ring than Control has room for");
    mappings.forEach(({ address, length }, index) => {
      this.#mappings[index * 2] = address;
      this.#mappings[index * 2 + 1] = BigInt(length);
    });
    Atomics.store(this.#words, Word.RING_FD, fd + 1);
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

  /** Takes the duty of closing the ring; -1 when nobody has one or somebody else took it. */
  claimRing(): number {
    return Atomics.exchange(this.#words, Word.RING_FD, 0) - 1;
  }

  /** Takes a step that only one side may take; false when the state is another by now. */
  advance(from: WorkerState, to: WorkerState): boolean {
    return Atomics.compareExchange(this.#words, Word.STATE, from, to) === from;
  }

  get state(): WorkerState {
    return Atomics.load(this.#words, Word.STATE);
  }
}
