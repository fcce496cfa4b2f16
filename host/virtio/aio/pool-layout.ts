/** Where everything lies in the memory that aio "threads" shares with its workers, and what its words may hold. */

/** The deepest back end; a power of two. */
export const POOL_SLOTS = 1024;
export const POOL_THREADS_MAX = 64;
export const LINE_WORDS = 16;

/** What the thread that serves the disk needs of a pool. Structured-cloneable. */
export interface PoolHandle {
  readonly memory: SharedArrayBuffer;
  /** Non-blocking; stays the pool's. */
  readonly eventFd: number;
}

export const enum PoolState {
  RUNNING = 0,
  /** Workers finish what they are at and end. */
  STOPPING = 1,
  /** No worker is left: what is not done never will be. */
  DEAD = 2,
}

/** How the serving thread wants to hear of the next completion. */
export const enum PoolSignal {
  NONE = 0,
  /** It sleeps on this very word. */
  NOTIFY = 1,
  EVENT = 2,
}

/** Indices of 32-bit words; what different threads write lies on lines of its own. */
export const enum Word {
  STATE = 0,
  ATTACHED = 1,
  FD = 2,
  EVENT_FD = 3,
  /** Free-running index of the next tag to take. */
  HEAD = 16,
  /** Of the next free place. */
  TAIL = 32,
  /** Changes when there is work for sleeping workers. */
  WAKE = 48,
  SLEEPERS = 64,
  SIGNAL = 80,
  /** One bit for each tag. */
  DONE = 96,
  /** For each worker, on a line of its own: 1 while it may have a request. */
  BUSY = 128,
  QUEUE = BUSY + POOL_THREADS_MAX * LINE_WORDS,
  SLOTS = QUEUE + POOL_SLOTS,
}

export const DONE_WORDS = POOL_SLOTS / 32;
export const QUEUE_MASK = POOL_SLOTS - 1;
export const SLOT_BYTES = 64;
export const SLOT_WORDS = SLOT_BYTES / 4;
export const SLOT_DOUBLES = SLOT_BYTES / 8;
export const SLOTS_DOUBLE = Word.SLOTS / 2;

/** Doubles of a slot. */
export const enum SlotDouble {
  OFFSET = 0,
  VECTORS = 1,
  LENGTH = 2,
}

/** Words of a slot, behind its doubles. */
export const enum SlotWord {
  OPERATION = 6,
  COUNT = 7,
  UNMAP = 8,
  RESULT = 9,
  /** 1 from `put` to `takeDone`; written by the serving thread alone. */
  IN_FLIGHT = 10,
}

export function makePoolMemory(eventFd: number): SharedArrayBuffer {
  const memory = new SharedArrayBuffer(Word.SLOTS * 4 + POOL_SLOTS * SLOT_BYTES);
  new Int32Array(memory)[Word.EVENT_FD] = eventFd;
  return memory;
}
