/** Runs a path without a ring on a worker thread, so that signals and the spinner stay alive. */
import { Worker } from "node:worker_threads";
import { WasmUringError } from "../../errors";
import type { BenchJob } from "./job";
import type { Measure } from "./measure";
import { guestFile } from "./package-file";
import type { WorkerJob } from "./worker";

export async function runThread(job: BenchJob, signal: AbortSignal): Promise<Measure> {
  const wasiGuest = job.path === "node-wasi" ? guestFile("load-wasi") : "";
  const workerData: WorkerJob = { job, wasiGuest };
  const worker = new Worker(new URL("./bench-worker.js", import.meta.url), {
    workerData,
    // node:wasi announces itself as experimental on stderr.
    execArgv: ["--no-warnings"],
  });
  const end = () => void worker.terminate();
  signal.addEventListener("abort", end, { once: true });
  try {
    return await new Promise<Measure>((resolve, reject) => {
      worker.once("message", resolve);
      worker.once("error", reject);
      worker.once("exit", () => reject(new Error("the thread ended without a result")));
    });
  } catch (cause) {
    throw new WasmUringError("ERR_WORKER", {
      what: `running the load by ${job.path}`,
      why: cause instanceof Error ? cause.message : String(cause),
      cause,
    });
  } finally {
    signal.removeEventListener("abort", end);
  }
}
