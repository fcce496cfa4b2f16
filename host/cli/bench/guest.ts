/** Runs the load generator guest on a data path, by this library as any embedder would. */
import type { DeviceRequest } from "../../datapath/options";
import { WasmUringError } from "../../errors";
import type { GuestOptions, GuestResult } from "../../guest/options";
import { runGuest } from "../../index";
import { type BenchJob, isWrite } from "./job";
import { type Measure, parseMeasure } from "./measure";
import { guestFile } from "./package-file";

export interface GuestRun {
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
  const { outcome, setupErrors, devices } = result;
  if (outcome.kind === "host-failure") return outcome.error;
  const said = new TextDecoder().decode(result.stderr).trim().split("\n").at(-1) ?? "";
  const ending =
    outcome.kind === "trap" ? `it trapped: ${outcome.message}` : `it ended by ${outcome.kind}`;
  const refusal = devices[0]?.failure ?? setupErrors[0];
  const what = "running the load generator guest";
  // What the guest says of its options and its disk is nothing that the machine could allow.
  if (refusal === undefined && said !== "") {
    return new WasmUringError("ERR_SETUP", { what, why: said });
  }
  const whatToDo = "see `wasm-uring probe` for what this machine allows";
  return new WasmUringError("ERR_SETUP", { what, why: refusal ?? ending, whatToDo });
}

/** The disk on a virtqueue. */
function deviceOf(job: BenchJob): DeviceRequest | null {
  const { path, file, direct, aio, iothread, pollUs } = job;
  const readOnly = !isWrite(job.rw);
  const backend = aio === undefined ? {} : { aio };
  const polling = pollUs === undefined ? {} : { pollUs };
  switch (path) {
    case "virtio-blk":
      return { path, file, direct, readOnly, iothread, ...backend };
    case "vhost-blk":
      return { path, file, direct, readOnly, ...backend, ...polling };
    case "vdpa-sim":
      return { path, capacityBytes: job.fileBytes - (job.fileBytes % 512), readOnly, ...polling };
    case "vhost-user-blk":
      return { path, socket: file };
    default:
      return null;
  }
}

/** Any file will do on a ring; a disk is made of whole sectors. */
function diskOf(job: BenchJob): Pick<GuestOptions, "files" | "devices"> {
  const device = deviceOf(job);
  if (device !== null) return { devices: { data: device } };
  const access = isWrite(job.rw) ? "read-write" : "read";
  return { files: { data: { path: job.file, access, direct: job.direct } } };
}

export async function runLoadGuest(job: BenchJob, signal: AbortSignal): Promise<GuestRun> {
  const result = await runGuest(guestFile("load"), {
    ...diskOf(job),
    engine: job.engine,
    ...(job.sqpollIdleMs === null ? {} : { sqpoll: { idleMs: job.sqpollIdleMs } }),
    iopoll: job.iopoll,
    args: guestArguments(job),
    stdout: "capture",
    stderr: "capture",
    signal,
  });
  const line = new TextDecoder().decode(result.stdout).trim();
  if (result.outcome.kind !== "exit" || line === "") throw failure(result);
  return { measure: parseMeasure(line, "the guest load.wasm"), result };
}
