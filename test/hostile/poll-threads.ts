/**
 * Waits for the kernel's SQPOLL threads of this process to be gone. A test gives the pages of a closed ring to the next
 * one at once, which no host does, and on a busy machine an old thread may still write its flags word there.
 */
import { readdirSync, readFileSync } from "node:fs";

const TIMEOUT_MS = 3000;
const pause = new Int32Array(new SharedArrayBuffer(4));

function anyPollThread(): boolean {
  return readdirSync("/proc/self/task").some((thread) => {
    try {
      return readFileSync(`/proc/self/task/${thread}/comm`, "latin1").startsWith("iou-sqp");
    } catch {
      return false; // ended meanwhile
    }
  });
}

export function waitForPollThreads(): void {
  const end = Date.now() + TIMEOUT_MS;
  while (anyPollThread() && Date.now() < end) Atomics.wait(pause, 0, 0, 1);
}
