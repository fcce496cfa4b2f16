/**
 * The operations that an emulated ring has taken and not yet finished: private copies of their
 * SQEs, the links between them, and the queue of those that have something to do. A fixed number of
 * places, made once: taking, linking and finishing allocate nothing.
 */
import { flagsOf, opcodeOf, SQE_WORDS, SqeWord } from "../sqe-word";

/** No operation. */
export const NONE = -1;

export class Operations {
  readonly capacity: number;
  /** SQEs: that of operation n begins at n * SQE_WORDS. */
  readonly words: Int32Array;
  /** What an operation came to; before it ran, the errno that it was refused with, or 0. */
  readonly results: Int32Array;
  /** Whether the result breaks a link. */
  readonly failed: Uint8Array;
  /** Whether the result stands: the operation only has to be finished. */
  readonly done: Uint8Array;
  readonly #next: Int32Array;
  readonly #free: Int32Array;
  #freeCount: number;
  readonly #queue: Int32Array;
  #queueHead = 0;
  #queueCount = 0;

  constructor(capacity: number) {
    this.capacity = capacity;
    this.words = new Int32Array(capacity * SQE_WORDS);
    this.results = new Int32Array(capacity);
    this.failed = new Uint8Array(capacity);
    this.done = new Uint8Array(capacity);
    this.#next = new Int32Array(capacity).fill(NONE);
    this.#free = Int32Array.from({ length: capacity }, (_, index) => capacity - 1 - index);
    this.#freeCount = capacity;
    this.#queue = new Int32Array(capacity);
  }

  /** Operations taken and not released. */
  get count(): number {
    return this.capacity - this.#freeCount;
  }

  /** A place for a new operation. The caller has seen that `count` is below `capacity`. */
  acquire(): number {
    const operation = this.#free[--this.#freeCount] ?? NONE;
    this.results[operation] = 0;
    this.failed[operation] = 0;
    this.done[operation] = 0;
    this.#next[operation] = NONE;
    return operation;
  }

  release(operation: number): void {
    this.#free[this.#freeCount++] = operation;
  }

  /** Lets `following` start after `operation`. */
  link(operation: number, following: number): void {
    this.#next[operation] = following;
  }

  /** The next of the chain, or NONE. */
  next(operation: number): number {
    return this.#next[operation] ?? NONE;
  }

  /**
   * Puts an operation, to be started or to be finished, behind the others. It must not be queued
   * already.
   */
  enqueue(operation: number): void {
    this.#queue[(this.#queueHead + this.#queueCount) % this.capacity] = operation;
    this.#queueCount++;
  }

  /** The first of the queue, or NONE. */
  dequeue(): number {
    if (this.#queueCount === 0) return NONE;
    const operation = this.#queue[this.#queueHead] ?? NONE;
    this.#queueHead = (this.#queueHead + 1) % this.capacity;
    this.#queueCount--;
    return operation;
  }

  /** Settles what an operation came to and queues it to be finished. */
  settle(operation: number, result: number, failed: boolean): void {
    this.results[operation] = result;
    this.failed[operation] = failed ? 1 : 0;
    this.done[operation] = 1;
    this.enqueue(operation);
  }

  word(operation: number, index: SqeWord): number {
    return this.words[operation * SQE_WORDS + index] ?? 0;
  }

  setWord(operation: number, index: SqeWord, value: number): void {
    this.words[operation * SQE_WORDS + index] = value;
  }

  opcode(operation: number): number {
    return opcodeOf(this.word(operation, SqeWord.HEAD));
  }

  flags(operation: number): number {
    return flagsOf(this.word(operation, SqeWord.HEAD));
  }

  hasUserData(operation: number, low: number, high: number): boolean {
    return (
      this.word(operation, SqeWord.USER_DATA_LOW) === low &&
      this.word(operation, SqeWord.USER_DATA_HIGH) === high
    );
  }
}
