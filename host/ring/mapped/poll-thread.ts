/**
 * The kernel thread of an SQPOLL ring. It outlives the close of the ring's descriptor by some milliseconds and still
 * writes its flags word into the ring's pages then, so a teardown that gives the memory back has to see it end.
 */
import { existsSync, readFileSync } from "node:fs";

/** A thread that was just made may have to wait for a CPU before it shows. */
const FIND_TRIES = 250;
const END_TIMEOUT_MS = 2000;
const PAUSE_MS = 1;

const pauseWord = new Int32Array(new SharedArrayBuffer(4));

/** The thread's name tells it from the one that made the ring, whose id the kernel shows until the thread has run. */
function isPollThread(threadId: number): boolean {
  return readFileSync(`/proc/self/task/${threadId}/comm`, "latin1").startsWith("iou-sqp");
}

/**
 * The thread's id, -1 when the kernel does not tell. Only for a ring that no guest has touched: reading the fdinfo of
 * a hostile one prints every overflowed CQE (kernel-facts 5). It tells nothing while the thread holds the ring's lock.
 */
export function findPollThread(ringFd: number): number {
  for (let attempt = 0; attempt < FIND_TRIES; attempt++) {
    try {
      const text = readFileSync(`/proc/self/fdinfo/${ringFd}`, "latin1");
      const found = Number(/^SqThread:\s*(\d+)$/m.exec(text)?.[1] ?? -1);
      if (found > 0 && isPollThread(found)) return found;
    } catch {
      return -1; // no /proc
    }
    Atomics.wait(pauseWord, 0, 0, PAUSE_MS);
  }
  return -1;
}

/** Waits for the thread to be gone, a bounded time; nothing for -1. */
export function waitForPollThread(threadId: number): void {
  if (threadId < 0) return;
  const end = performance.now() + END_TIMEOUT_MS;
  while (existsSync(`/proc/self/task/${threadId}`) && performance.now() < end) {
    Atomics.wait(pauseWord, 0, 0, PAUSE_MS);
  }
}
