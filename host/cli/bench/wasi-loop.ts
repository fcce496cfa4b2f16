/**
 * The load by node:wasi: the guest examples/load-wasi, whose standard input is the file. Only a
 * host-opened descriptor can carry O_DIRECT, which WASI has no word for.
 */
import { closeSync, openSync, readFileSync, unlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { WASI } from "node:wasi";
import { type BenchJob, openFlags } from "./job";
import { type Measure, parseMeasure } from "./measure";

/** @param guest path of load-wasi.wasm */
export async function runWasi(job: BenchJob, guest: string): Promise<Measure> {
  const module = await WebAssembly.compile(readFileSync(guest));
  // node:wasi writes to descriptors only: the line of JSON goes through a file without a name.
  const outputPath = join(tmpdir(), `wasm-uring-bench-${process.pid}-${Date.now()}.json`);
  const output = openSync(outputPath, "wx+", 0o600);
  unlinkSync(outputPath);
  const data = openSync(job.file, openFlags(job));
  try {
    const wasi = new WASI({
      version: "preview1",
      stdin: data,
      stdout: output,
      returnOnExit: true,
      args: [
        "load-wasi",
        ...["--rw", job.rw],
        ...["--bs", String(job.bs)],
        ...["--runtime", String(job.runtime)],
        ...["--ramp-time", String(job.rampTime)],
      ],
    });
    const abort = () => {
      throw new Error("the guest aborted");
    };
    const instance = await WebAssembly.instantiate(module, {
      wasi_snapshot_preview1: wasi.wasiImport,
      env: { abort },
    });
    wasi.start(instance);
    return parseMeasure(readFileSync(`/dev/fd/${output}`, "utf8"), "the guest load-wasi.wasm");
  } finally {
    closeSync(data);
    closeSync(output);
  }
}
