/**
 * The entry of the worker thread on which the paths without a ring run: one job in, one measure
 * out.
 */
import { parentPort, workerData } from "node:worker_threads";
import { assert } from "../../errors";
import { runPromises, runSync } from "./fs-loop";
import type { BenchJob } from "./job";
import type { Measure } from "./measure";
import { runWasi } from "./wasi-loop";

export interface WorkerJob {
  job: BenchJob;
  /** Path of load-wasi.wasm. */
  wasiGuest: string;
}

async function run({ job, wasiGuest }: WorkerJob): Promise<Measure> {
  switch (job.path) {
    case "fs-sync":
      return runSync(job);
    case "fs-promises":
      return await runPromises(job);
    case "node-wasi":
      return await runWasi(job, wasiGuest);
    default:
      throw new Error(`path ${job.path} does not run on this thread`);
  }
}

assert(parentPort !== null, "the bench worker was loaded outside a worker thread");
const port = parentPort;
port.postMessage(await run(workerData));
