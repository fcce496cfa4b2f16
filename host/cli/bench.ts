/**
 * `wasm-uring bench`: the same load, in fio's words, by a guest's ring, by its native twin, or by
 * what one would use instead.
 */
import { Command, Option } from "commander";
import { AIO_NAMES } from "../datapath/check";
import type { EngineName } from "../ring/engine";
import type { AioName } from "../virtio/aio";
import { runLoadGuest } from "./bench/guest";
import {
  type BenchJob,
  checkJob,
  isGuestPath,
  NATIVE_FLAGS,
  type NativeFlags,
  PATH_NAMES,
  type PathName,
  RW_NAMES,
  type RwName,
} from "./bench/job";
import { runNative } from "./bench/native";
import {
  parseBlockSize,
  parseDepth,
  parseName,
  parsePollTime,
  parseRampTime,
  parseRuntime,
} from "./bench/parse";
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
  iopoll?: boolean;
  nativeFlags: NativeFlags;
  aio?: AioName;
  iothread?: boolean;
  pollUs?: number;
  socket?: string;
  direct?: boolean;
  json?: boolean;
}

const EXAMPLES = `
Paths: passthrough is a guest driving its own ring; virtio-blk, vhost-blk,
vhost-user-blk and vdpa-sim the same guest on a virtqueue, served by the host's
guest thread or I/O thread, by a polling thread, by a daemon, by a RAM disk as
large as --file; native passthrough's loop in C (built with cc); fs-sync,
fs-promises and node-wasi what one would use instead.
fs-sync and node-wasi do one operation at a time, whatever --iodepth says.

randwrite and write overwrite the file's contents.

Exit code: 0; 1 when an operation failed; 2 for bad input.

Examples:
  $ wasm-uring bench --file data.bin --rw randread --bs 4k --iodepth 32 --runtime 2
  $ wasm-uring bench --file data.bin --sqpoll --direct --json | jq .iops
  $ wasm-uring bench --file data.bin --path virtio-blk --aio native --iothread
  $ wasm-uring bench --socket disk.sock --path vhost-user-blk --iodepth 8
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
    .option("--iopoll", "poll the device for completions; with --direct")
    .addOption(
      new Option(
        "--native-flags <set>",
        "set-up flags of the native ring: none, coop, single, defer",
      )
        .argParser((text) => parseName("--native-flags", text, NATIVE_FLAGS))
        .default("coop"),
    )
    .addOption(
      new Option(
        "--aio <name>",
        `what moves the data of virtio-blk and vhost-blk: ${AIO_NAMES.join(", ")} (default: io_uring)`,
      ).argParser((text) => parseName("--aio", text, AIO_NAMES)),
    )
    .option("--iothread", "let a thread of its own serve virtio-blk")
    .addOption(
      new Option(
        "--poll-us <us>",
        "how long the thread of vhost-blk or vdpa-sim polls before it sleeps (default: 50, 0)",
      ).argParser(parsePollTime),
    )
    .option("--socket <path>", "the Unix socket of vhost-user-blk's daemon")
    .option("--direct", "open the file with O_DIRECT")
    .option("--json", "print the result as one JSON object")
    .option("--figure", "measure every path at every depth and draw charts: bench --figure --help")
    .addHelpText("after", EXAMPLES)
    .action(bench);
}

/** The file, or the socket of the daemon that has it. */
function sourceOf({ path, file, socket }: BenchFlags): string {
  const wanted = path === "vhost-user-blk" ? "--socket" : "--file";
  const unwanted = path === "vhost-user-blk" ? "--file" : "--socket";
  const [given, other] = path === "vhost-user-blk" ? [socket, file] : [file, socket];
  if (other !== undefined) {
    throw badOption(`${unwanted} with --path ${path}`, `it takes ${wanted}`, "leave it out");
  }
  if (given !== undefined) return given;
  const why =
    wanted === "--file" ? "it needs a file to read, or to overwrite" : "it needs a daemon's socket";
  throw badOption(`bench without ${wanted}`, why, `add ${wanted} PATH`);
}

function jobOf(flags: BenchFlags): BenchJob {
  return checkJob({
    path: flags.path,
    file: sourceOf(flags),
    rw: flags.rw,
    bs: flags.bs,
    iodepth: flags.iodepth,
    runtime: flags.runtime,
    rampTime: flags.rampTime,
    direct: flags.direct === true,
    engine: flags.engine,
    sqpollIdleMs: flags.sqpoll ?? null,
    iopoll: flags.iopoll === true,
    nativeFlags: flags.nativeFlags,
    aio: flags.aio,
    iothread: flags.iothread === true,
    pollUs: flags.pollUs,
  });
}

async function runJob(job: BenchJob, signal: AbortSignal): Promise<BenchResult> {
  if (isGuestPath(job.path)) {
    const { measure, result } = await runLoadGuest(job, signal);
    return benchResult(job, measure, result);
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
  const why = result.failure === null ? "" : `: ${result.failure}`;
  writeError(
    `${result.errors} of ${result.ios} operations failed, the first with ${result.firstErrno}${why}`,
  );
  process.exitCode = 1;
}
