/** Runs the load generator guest on a ring of its own, by this library as any embedder would. */
import { WasmUringError } from "../../errors";
import type { GuestResult } from "../../guest/options";
import { runGuest } from "../../index";
import { type BenchJob, isWrite } from "./job";
import { type Measure, parseMeasure } from "./measure";
import { guestFile } from "./package-file";

export interface PassthroughRun {
  measure: Measure;
  result: GuestResult;
}

function guestArguments(job: BenchJob): string[] {
  return [
    "load",
    ...["--rw", job.rw],
    ...["--bs", String(job.bs)],
    ...["--iodepth", String(job.iodepth)],
    ...["--runtime", String(job.runtime)],
    ...["--ramp-time", String(job.rampTime)],
  ];
}

/** Why the guest printed no result. */
function failure(result: GuestResult): WasmUringError {
  const { outcome, setupErrors } = result;
  if (outcome.kind === "host-failure") return outcome.error;
  const said = new TextDecoder().decode(result.stderr).trim().split("\n").at(-1) ?? "";
  const ending =
    outcome.kind === "trap" ? `it trapped: ${outcome.message}` : `it ended by ${outcome.kind}`;
  return new WasmUringError("ERR_SETUP", {
    what: "running the load generator guest",
    why: setupErrors[0] ?? (said === "" ? ending : said),
    whatToDo: "see `wasm-uring probe` for what this machine allows",
  });
}

export async function runPassthrough(job: BenchJob, signal: AbortSignal): Promise<PassthroughRun> {
  const access = isWrite(job.rw) ? "write" : "read";
  const result = await runGuest(guestFile("load"), {
    files: { data: { path: job.file, access, direct: job.direct } },
    engine: job.engine,
    ...(job.sqpollIdleMs === null ? {} : { sqpoll: { idleMs: job.sqpollIdleMs } }),
    args: guestArguments(job),
    stdout: "capture",
    stderr: "capture",
    signal,
  });
  const line = new TextDecoder().decode(result.stdout).trim();
  if (result.outcome.kind !== "exit" || line === "") throw failure(result);
  return { measure: parseMeasure(line, "the guest load.wasm"), result };
}
