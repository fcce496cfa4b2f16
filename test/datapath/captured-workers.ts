/**
 * Every worker thread that this process makes from now on, by the name of its file: so that a test can end one from
 * outside, as a crash would.
 */
import { createRequire, syncBuiltinESMExports } from "node:module";
import { setTimeout as sleep } from "node:timers/promises";
import type { Worker, WorkerOptions } from "node:worker_threads";

const threads: { Worker: typeof Worker } = createRequire(import.meta.url)("node:worker_threads");
const READY_MS_MAX = 15_000;
const RealWorker = threads.Worker;
interface Made {
  file: string;
  worker: Worker;
  data: unknown;
}

const made: Made[] = [];

class CapturedWorker extends RealWorker {
  constructor(file: string | URL, options?: WorkerOptions) {
    super(file, options);
    const name = String(file).split("/").at(-1) ?? "";
    made.push({ file: name, worker: this, data: options?.workerData });
    this.once("exit", () => {
      made.splice(
        made.findIndex(({ worker }) => worker === this),
        1,
      );
    });
  }
}

threads.Worker = CapturedWorker;
syncBuiltinESMExports();

/** Whether the newest guest, whose standard output is captured, has said anything. */
function hasSpoken(): boolean {
  const data = made.findLast(({ file }) => file === "worker.cjs")?.data;
  if (typeof data !== "object" || data === null || !("captureTails" in data)) return false;
  const tails: unknown = data.captureTails;
  if (typeof tails !== "object" || tails === null || !(1 in tails)) return false;
  const tail: unknown = tails[1];
  return tail instanceof SharedArrayBuffer && new Uint8Array(tail).some((byte) => byte !== 0);
}

/** Waits until the newest guest printed its first line. */
export async function guestReady(): Promise<void> {
  const end = performance.now() + READY_MS_MAX;
  while (!hasSpoken()) {
    if (performance.now() > end) throw new Error("the guest says nothing");
    await sleep(5);
  }
}

/** Those that run, the newest last. */
export function runningWorkers(file: string): Worker[] {
  return made.filter((entry) => entry.file === file).map(({ worker }) => worker);
}
