/**
 * The words that a device's three parties share: the guest's thread, which gives commands and publishes the window;
 * the thread that serves the queue, which obeys and counts; the embedder's thread, which made both and cleans up
 * behind them. Host-private memory: no guest sees it.
 */
import type { WindowMapping } from "../memory/window";
import type { QueueSetup } from "../virtio/service";

const enum Word {
  STATE = 0,
  QUIT = 1,
  /** Number of the last command given, and of the last that was done. */
  GIVEN = 2,
  DONE = 3,
  COMMAND = 4,
  RESULT = 5,
  FAULT = 6,
  BACKEND = 7,
  /** The queue: parameters of START. */
  QUEUE_SIZE = 8,
  QUEUE_DESC = 9,
  QUEUE_AVAIL = 10,
  QUEUE_USED = 11,
  AVAIL_INDEX = 12,
  FEATURES_LOW = 13,
  FEATURES_HIGH = 14,
  /** The window; the descriptor plus 1, 0 when there is none. The address fills two words. */
  WINDOW_MEMFD = 16,
  WINDOW_OFFSET = 17,
  WINDOW_LENGTH = 18,
  WINDOW_ADDRESS = 20,
  REQUESTS = 24,
  ERRORS = 25,
  KICKS = 26,
  INTERRUPTS = 27,
  WAITS = 28,
  /** The memory of the I/O vectors in flight; two words each. */
  VECTORS_ADDRESS = 30,
  VECTORS_LENGTH = 32,
  UNSETTLED = 34,
  COUNT = 36,
}

export const enum ServiceState {
  /** Nobody serves yet, or the guest's own thread does. */
  IDLE = 0,
  /** A thread of its own serves. */
  SERVING = 1,
  /** It ended, whether asked to or not. */
  GONE = 2,
}

export const enum Command {
  START = 1,
  STOP = 2,
}

/** What was counted; written by whoever does it, so none is counted twice. */
export interface DeviceCounts {
  /** Requests answered, errors included. */
  requests: number;
  /** Of those, answered with another status than OK. */
  errors: number;
  kicks: number;
  interrupts: number;
  /** Calls of the guest's `wait`. */
  waits: number;
}

/** A range of this process's address space. */
export interface NativeRange {
  readonly address: number;
  readonly length: number;
}

export class DeviceControl {
  readonly shared: SharedArrayBuffer;
  readonly #words: Int32Array;
  readonly #address: Float64Array;
  readonly #vectors: Float64Array;
  /** The serving thread's: number of the command that it is at. */
  #taken = 0;

  constructor(shared: SharedArrayBuffer = new SharedArrayBuffer(Word.COUNT * 4)) {
    this.shared = shared;
    this.#words = new Int32Array(shared);
    this.#address = new Float64Array(shared, Word.WINDOW_ADDRESS * 4, 1);
    this.#vectors = new Float64Array(shared, Word.VECTORS_ADDRESS * 4, 2);
  }

  /** Whether the thread of its own ended, for whatever reason. */
  gone(): boolean {
    return Atomics.load(this.#words, Word.STATE) === ServiceState.GONE;
  }

  /** Wakes whoever waits for a command to be done: nobody will do it when the thread is gone. */
  setState(state: ServiceState): void {
    Atomics.store(this.#words, Word.STATE, state);
    Atomics.notify(this.#words, Word.DONE);
  }

  /** Asks the serving thread to end; the caller wakes it. */
  quit(): void {
    Atomics.store(this.#words, Word.QUIT, 1);
  }

  quitting(): boolean {
    return Atomics.load(this.#words, Word.QUIT) !== 0;
  }

  /** Why the serving thread takes nothing more: a QueueFault, 0 while all is well. */
  get fault(): number {
    return Atomics.load(this.#words, Word.FAULT);
  }

  setFault(fault: number): void {
    Atomics.store(this.#words, Word.FAULT, fault);
  }

  /** Says that there is an open back end, whose remains the embedder's thread knows. */
  publishBackend(): void {
    Atomics.store(this.#words, Word.BACKEND, 1);
  }

  /** Takes the duty of closing the back end; false when there is none or somebody else took it. */
  claimBackend(): boolean {
    return Atomics.exchange(this.#words, Word.BACKEND, 0) !== 0;
  }

  /** Says that something may be in flight for ever: window and vectors are to stay mapped. */
  keepMapped(): void {
    Atomics.store(this.#words, Word.UNSETTLED, 1);
  }

  mustStayMapped(): boolean {
    return Atomics.load(this.#words, Word.UNSETTLED) !== 0;
  }

  /** Gives a command; the caller wakes the serving thread. Returns the command's number, for `awaitDone`. */
  give(command: Command, queue?: QueueSetup): number {
    const words = this.#words;
    if (queue !== undefined) {
      words[Word.QUEUE_SIZE] = queue.size;
      words[Word.QUEUE_DESC] = queue.descOffset;
      words[Word.QUEUE_AVAIL] = queue.availOffset;
      words[Word.QUEUE_USED] = queue.usedOffset;
      words[Word.AVAIL_INDEX] = queue.availIndex;
      words[Word.FEATURES_LOW] = Number(BigInt.asIntN(32, queue.features));
      words[Word.FEATURES_HIGH] = Number(BigInt.asIntN(32, queue.features >> 32n));
    }
    words[Word.COMMAND] = command;
    // Pairs with `pendingCommand`: whoever sees the number sees the parameters.
    return Atomics.add(words, Word.GIVEN, 1) + 1;
  }

  /** The command that was given and not yet done, or 0. */
  pendingCommand(): Command | 0 {
    const words = this.#words;
    const given = Atomics.load(words, Word.GIVEN);
    if (given === Atomics.load(words, Word.DONE)) return 0;
    this.#taken = given;
    return words[Word.COMMAND] as Command;
  }

  /** The queue of the pending START. */
  queue(): QueueSetup {
    const words = this.#words;
    const unsigned = (at: Word) => (words[at] ?? 0) >>> 0;
    return {
      size: unsigned(Word.QUEUE_SIZE),
      descOffset: unsigned(Word.QUEUE_DESC),
      availOffset: unsigned(Word.QUEUE_AVAIL),
      usedOffset: unsigned(Word.QUEUE_USED),
      availIndex: unsigned(Word.AVAIL_INDEX),
      features: (BigInt(unsigned(Word.FEATURES_HIGH)) << 32n) | BigInt(unsigned(Word.FEATURES_LOW)),
    };
  }

  /** Says that the command of the last `pendingCommand` is done; one that was given meanwhile is not. */
  done(result: number): void {
    this.#words[Word.RESULT] = result;
    // Pairs with `awaitDone`: whoever sees the number sees the result.
    Atomics.store(this.#words, Word.DONE, this.#taken);
    Atomics.notify(this.#words, Word.DONE);
  }

  /** Waits at most `timeoutMs` for a command to be done; whether it is. */
  awaitDone(number: number, timeoutMs: number): boolean {
    const seen = Atomics.load(this.#words, Word.DONE);
    if (seen === number) return true;
    Atomics.wait(this.#words, Word.DONE, seen, timeoutMs);
    return Atomics.load(this.#words, Word.DONE) === number;
  }

  get result(): number {
    return this.#words[Word.RESULT] ?? 0;
  }

  /** For the serving thread, and for the embedder's, which unmaps it in the end. */
  publishWindow(window: WindowMapping): void {
    const words = this.#words;
    words[Word.WINDOW_OFFSET] = window.offset;
    words[Word.WINDOW_LENGTH] = window.length;
    this.#address[0] = window.deviceAddress;
    Atomics.store(words, Word.WINDOW_MEMFD, window.memfd + 1);
  }

  /** The window, or null before there is one. */
  window(): WindowMapping | null {
    const words = this.#words;
    const memfd = Atomics.load(words, Word.WINDOW_MEMFD) - 1;
    if (memfd < 0) return null;
    return {
      offset: (words[Word.WINDOW_OFFSET] ?? 0) >>> 0,
      length: (words[Word.WINDOW_LENGTH] ?? 0) >>> 0,
      memfd,
      deviceAddress: this.#address[0] ?? 0,
    };
  }

  /** Forgets the window: who calls releases it. */
  takeWindow(): WindowMapping | null {
    const window = this.window();
    return Atomics.exchange(this.#words, Word.WINDOW_MEMFD, 0) === 0 ? null : window;
  }

  /** The mapping that holds the I/O vectors of the queue that is served; null when there is none. */
  publishVectors(mapping: NativeRange | null): void {
    this.#vectors[0] = mapping?.address ?? 0;
    this.#vectors[1] = mapping?.length ?? 0;
  }

  /** For whoever cleans up behind a thread that was killed. */
  takeVectors(): NativeRange | null {
    const [address = 0, length = 0] = this.#vectors;
    this.publishVectors(null);
    return address === 0 ? null : { address, length };
  }

  countKick(): void {
    this.#count(Word.KICKS, 1);
  }

  countInterrupt(): void {
    this.#count(Word.INTERRUPTS, 1);
  }

  countWait(): void {
    this.#count(Word.WAITS, 1);
  }

  countRequests(requests: number, errors: number): void {
    this.#count(Word.REQUESTS, requests);
    this.#count(Word.ERRORS, errors);
  }

  counts(): DeviceCounts {
    const unsigned = (at: Word) => Atomics.load(this.#words, at) >>> 0;
    return {
      requests: unsigned(Word.REQUESTS),
      errors: unsigned(Word.ERRORS),
      kicks: unsigned(Word.KICKS),
      interrupts: unsigned(Word.INTERRUPTS),
      waits: unsigned(Word.WAITS),
    };
  }

  /** Each word has one writer, so no read-modify-write that locks is needed. */
  #count(at: Word, by: number): void {
    this.#words[at] = ((this.#words[at] ?? 0) + by) | 0;
  }
}
