/** What a thread that polls tells the kernel's scheduler. */
import { loadLibc } from "./libc";

export interface Scheduler {
  /** sched_yield(2): lets whoever waits for this processor have it. Returns at once when nobody does. */
  yieldProcessor(): number;
}

let table: Scheduler | undefined;

/** The table of this thread. Throws what koffi throws when libc cannot be loaded. */
export function scheduler(): Scheduler {
  if (table !== undefined) return table;
  const schedYield = loadLibc().number("int sched_yield()");
  table = { yieldProcessor: () => schedYield() };
  return table;
}
