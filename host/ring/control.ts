/**
 * The few words that the guest's worker and the embedder's thread share: the stop flag, the ring's descriptor for the
 * teardown when the worker is gone, and the state. Host-private memory; no guest sees it.
 */
import type { StopSignal } from "./engine";

const enum Word {
  STOP = 0,
  RING_FD = 1,
  STATE = 2,
  COUNT = 4,
}

/**
 * What the worker is at. From SETTING_UP on it holds things half-made or half-closed (pages moved to their guest
 * address, a ring that nobody knows of): its thread must not be ended then, and the time is bounded.
 */
export const enum WorkerState {
  STARTING = 0,
  RUNNING = 1,
  SETTING_UP = 2,
  CLEANING = 3,
  DONE = 4,
}

export class Control implements StopSignal {
  readonly shared: SharedArrayBuffer;
  readonly #words: Int32Array;

  constructor(shared: SharedArrayBuffer = new SharedArrayBuffer(Word.COUNT * 4)) {
    this.shared = shared;
    this.#words = new Int32Array(shared);
  }

  stop(): void {
    Atomics.store(this.#words, Word.STOP, 1);
  }

  stopped(): boolean {
    return Atomics.load(this.#words, Word.STOP) !== 0;
  }

  /** Publishes the open ring so that the embedder's thread can close it if the worker dies. */
  publishRing(fd: number): void {
    Atomics.store(this.#words, Word.RING_FD, fd + 1);
  }

  /** Takes the duty of closing the ring; -1 when nobody has one or somebody else took it. */
  claimRing(): number {
    return Atomics.exchange(this.#words, Word.RING_FD, 0) - 1;
  }

  set state(state: WorkerState) {
    Atomics.store(this.#words, Word.STATE, state);
  }

  get state(): WorkerState {
    return Atomics.load(this.#words, Word.STATE);
  }
}
