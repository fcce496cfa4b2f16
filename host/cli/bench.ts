/**
 * `wasm-uring bench`: the same load, in fio's words, by a guest's ring, by its native twin, or by
 * what one would use instead.
 */
import { Command, Option } from "commander";
import type { EngineName } from "../ring/engine";
import {
  type BenchJob,
  checkJob,
  NATIVE_FLAGS,
  type NativeFlags,
  PATH_NAMES,
  type PathName,
  RW_NAMES,
  type RwName,
} from "./bench/job";
import { runNative } from "./bench/native";
import { parseBlockSize, parseDepth, parseName, parseRampTime, parseRuntime } from "./bench/parse";
import { runPassthrough } from "./bench/passthrough";
import { renderBench } from "./bench/render";
import { type BenchResult, benchResult } from "./bench/result";
import { runThread } from "./bench/thread";
import { ExitCode } from "./exit-code";
import { badOption, writeError } from "./failure";
import { abortOnSignal } from "./interrupt";
import { parseEngine, parseSqpollIdle } from "./parse";
import { startProgress } from "./progress";

interface BenchFlags {
  file?: string;
  rw: RwName;
  bs: number;
  iodepth: number;
  runtime: number;
  rampTime: number;
  path: PathName;
  engine: "auto" | EngineName;
  sqpoll?: number;
  nativeFlags: NativeFlags;
  direct?: boolean;
  json?: boolean;
}

const EXAMPLES = `
Paths: passthrough is a guest driving its own ring; native the same loop in C
(built with cc); fs-sync, fs-promises and node-wasi what one would use instead.
fs-sync and node-wasi do one operation at a time, whatever --iodepth says.

randwrite and write overwrite the file's contents.

Exit code: 0; 1 when an operation failed; 2 for bad input.

Examples:
  $ wasm-uring bench --file data.bin --rw randread --bs 4k --iodepth 32 --runtime 2
  $ wasm-uring bench --file data.bin --sqpoll --direct --json | jq .iops
  $ wasm-uring bench --file data.bin --iodepth 32 --path native`;

export function benchCommand(): Command {
  return new Command("bench")
    .summary("measure I/O by a guest's ring, by C, or by what one would use instead")
    .description(
      "Keep reads or writes in flight on a file and report rate, latency and CPU per operation.",
    )
    .option("-f, --file <path>", "the file, or block device, to read or overwrite")
    .addOption(
      new Option("--rw <kind>", `${RW_NAMES.join(", ")}`)
        .argParser((text) => parseName("--rw", text, RW_NAMES))
        .default("randread"),
    )
    .addOption(
      new Option("--bs <size>", "bytes of one operation, with k or m")
        .argParser(parseBlockSize)
        .default(4096, "4k"),
    )
    .addOption(new Option("--iodepth <n>", "operations in flight").argParser(parseDepth).default(1))
    .addOption(new Option("--runtime <s>", "seconds").argParser(parseRuntime).default(1))
    .addOption(
      new Option("--ramp-time <s>", "seconds of the same load before anything counts")
        .argParser(parseRampTime)
        .default(0.1),
    )
    .addOption(
      new Option("--path <name>", `${PATH_NAMES.join(", ")}`)
        .argParser((text) => parseName("--path", text, PATH_NAMES))
        .default("passthrough"),
    )
    .addOption(
      new Option("-e, --engine <name>", "auto, mapped, mirrored or emulated")
        .argParser(parseEngine)
        .default("auto"),
    )
    .addOption(
      new Option(
        "--sqpoll [ms]",
        "let a kernel thread take the submissions; --sqpoll=MS says after how long idle it sleeps",
      )
        .preset("50")
        .argParser(parseSqpollIdle),
    )
    .addOption(
      new Option(
        "--native-flags <set>",
        "set-up flags of the native ring: none, coop, single, defer",
      )
        .argParser((text) => parseName("--native-flags", text, NATIVE_FLAGS))
        .default("coop"),
    )
    .option("--direct", "open the file with O_DIRECT")
    .option("--json", "print the result as one JSON object")
    .addHelpText("after", EXAMPLES)
    .action(bench);
}

function jobOf(flags: BenchFlags): BenchJob {
  if (flags.file === undefined) {
    throw badOption(
      "bench without --file",
      "it needs a file to read, or to overwrite",
      "add --file PATH",
    );
  }
  return checkJob({
    path: flags.path,
    file: flags.file,
    rw: flags.rw,
    bs: flags.bs,
    iodepth: flags.iodepth,
    runtime: flags.runtime,
    rampTime: flags.rampTime,
    direct: flags.direct === true,
    engine: flags.engine,
    sqpollIdleMs: flags.sqpoll ?? null,
    nativeFlags: flags.nativeFlags,
  });
}

async function runJob(job: BenchJob, signal: AbortSignal): Promise<BenchResult> {
  if (job.path === "passthrough") {
    const { measure, result } = await runPassthrough(job, signal);
    return benchResult(job, measure, result.ring);
  }
  const measure = await (job.path === "native" ? runNative(job, signal) : runThread(job, signal));
  return benchResult(job, measure, null);
}

async function bench(flags: BenchFlags): Promise<void> {
  const job = jobOf(flags);
  const interrupt = abortOnSignal();
  const progress = startProgress(`${job.rw} by ${job.path}, ${job.runtime} s`);
  let result: BenchResult;
  try {
    result = await runJob(job, interrupt.signal);
  } catch (error) {
    const received = interrupt.received();
    if (received === null) throw error;
    process.exitCode = received === "SIGTERM" ? ExitCode.TERMINATED : ExitCode.INTERRUPTED;
    return;
  } finally {
    progress.stop();
    interrupt.dispose();
  }
  process.stdout.write(flags.json === true ? `${JSON.stringify(result)}\n` : renderBench(result));
  if (result.errors === 0) return;
  writeError(
    `${result.errors} of ${result.ios} operations failed, the first with ${result.firstErrno}`,
  );
  process.exitCode = 1;
}
