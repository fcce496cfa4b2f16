/** `wasm-uring run`: one guest, from the words of the command line to its exit code. */
import { basename } from "node:path";
import { Command, Option } from "commander";
import { WasmUringError } from "../errors";
import type { GuestOptions, GuestResult } from "../guest/options";
import { runGuest } from "../index";
import type { PolicyOption } from "../policy";
import type { EngineName } from "../ring/engine";
import { ExitCode, processExitCode } from "./exit-code";
import { reportFailure, writeError } from "./failure";
import { abortOnSignal } from "./interrupt";
import { failureJson, resultJson } from "./json";
import {
  collectDevice,
  collectDirectory,
  collectFile,
  collectVariable,
  type DeviceOptions,
  type Directories,
  type Environment,
  type Files,
  parseDeadline,
  parseEngine,
  parseEntries,
  parsePolicyText,
  parseSqpollIdle,
} from "./parse";
import { endingSentence, statsReport } from "./report";

interface RunFlags {
  file?: Files;
  dir?: Directories;
  device?: DeviceOptions;
  policy?: PolicyOption;
  engine: "auto" | EngineName;
  /** Idle time, ms. */
  sqpoll?: number;
  iopoll?: boolean;
  entries?: number;
  env?: Environment;
  deadline?: number;
  stats?: boolean;
  json?: boolean;
}

const EXAMPLES = `
Everything after guest.wasm is for the guest, with or without "--" between.

Exit code: the guest's own; 134 after a trap, 124 after the deadline, 130 after
an interrupt, 2 for bad input or when the host failed.

Examples:
  $ wasm-uring run --file input=access.log scan.wasm ERROR
  $ wasm-uring run --file input=a.img --file output=b.img:rw copy.wasm
  $ wasm-uring run --device data=disk.img,path=vhost-blk,aio=native,ro load.wasm
  $ wasm-uring run --dir photos::/photos:ro --dir /tmp list.wasm /photos
  $ wasm-uring run --sqpoll=20 --stats --file data=disk.img:ro,direct load.wasm
  $ wasm-uring run --policy '["READ_FIXED"]' --engine mirrored --file input=a.txt scan.wasm x
  $ wasm-uring run --deadline 1000 --json untrusted.wasm | jq .outcome`;

export function runCommand(): Command {
  return new Command("run")
    .summary("run a guest")
    .description("Run a WebAssembly guest that drives io_uring rings in its own memory.")
    .argument("<guest.wasm>", "the guest's module")
    .argument("[args...]", "arguments for the guest")
    .passThroughOptions()
    .addOption(
      new Option(
        "-f, --file <grant>",
        "grant a file: NAME=PATH[:ro|:wo|:rw][,direct]; read-only unless said, direct is O_DIRECT (repeatable)",
      ).argParser<Files>(collectFile),
    )
    .addOption(
      new Option(
        "--device <device>",
        "give a block device: NAME=PATH[,path=virtio-blk][,aio=io_uring][,threads=8][,poll-us=50][,iothread][,direct][,ro] (repeatable)",
      ).argParser<DeviceOptions>(collectDevice),
    )
    .addOption(
      new Option(
        "-d, --dir <directory>",
        "let the guest have a directory by WASI: HOST[::GUEST][:ro] (repeatable)",
      ).argParser<Directories>(collectDirectory),
    )
    .addOption(
      new Option(
        "-p, --policy <policy>",
        "file-read, file-write, stream, block-device, JSON, or @FILE with JSON (default: by the files' access)",
      ).argParser(parsePolicyText),
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
    .option(
      "--iopoll",
      "poll the devices for completions: files with ,direct on a device with poll queues",
    )
    .addOption(
      new Option("--entries <n>", "SQ entries recommended to the guest (default: 64)").argParser(
        parseEntries,
      ),
    )
    .addOption(
      new Option(
        "--env <variable>",
        "a variable for the guest: K=V, or K for the value of this process (repeatable)",
      ).argParser<Environment>(collectVariable),
    )
    .addOption(
      new Option("--deadline <ms>", "end the guest after this time").argParser(parseDeadline),
    )
    .option("--stats", "print engine, system calls and times on stderr afterwards")
    .option(
      "--json",
      "print one JSON object with outcome, statistics and captured output on stdout",
    )
    .addHelpText("after", EXAMPLES)
    .action(run);
}

/** The options without those that were not given: the library's defaults stay its own. */
function guestOptions(guest: string, args: readonly string[], flags: RunFlags): GuestOptions {
  const output = flags.json === true ? "capture" : "inherit";
  return {
    engine: flags.engine,
    args: [basename(guest), ...args],
    stdin: "inherit",
    stdout: output,
    stderr: output,
    ...(flags.file === undefined ? {} : { files: flags.file }),
    ...(flags.device === undefined ? {} : { devices: flags.device }),
    ...(flags.dir === undefined ? {} : { preopens: flags.dir }),
    ...(flags.policy === undefined ? {} : { policy: flags.policy }),
    ...(flags.sqpoll === undefined ? {} : { sqpoll: { idleMs: flags.sqpoll } }),
    ...(flags.iopoll === undefined ? {} : { iopoll: flags.iopoll }),
    ...(flags.entries === undefined ? {} : { entries: flags.entries }),
    ...(flags.env === undefined ? {} : { env: flags.env }),
    ...(flags.deadline === undefined ? {} : { deadlineMs: flags.deadline }),
  };
}

async function run(guest: string, words: readonly string[], flags: RunFlags): Promise<void> {
  const args = words[0] === "--" ? words.slice(1) : words;
  const interrupt = abortOnSignal();
  try {
    const options = { ...guestOptions(guest, args, flags), signal: interrupt.signal };
    const result = await runGuest(guest, options);
    const exitCode = exitCodeOf(result, interrupt.received());
    report(result, exitCode, flags);
    process.exitCode = exitCode;
  } catch (error) {
    if (flags.json !== true || !(error instanceof WasmUringError)) throw error;
    process.stdout.write(`${JSON.stringify(failureJson(error))}\n`);
    process.exitCode = reportFailure(error);
  } finally {
    interrupt.dispose();
  }
}

function exitCodeOf(result: GuestResult, signal: "SIGINT" | "SIGTERM" | null): number {
  if (result.outcome.kind === "exit") return processExitCode(result.exitCode);
  const terminated = result.outcome.kind === "aborted" && signal === "SIGTERM";
  return terminated ? ExitCode.TERMINATED : result.exitCode;
}

function report(result: GuestResult, exitCode: number, flags: RunFlags): void {
  const sentence = endingSentence(result.outcome);
  if (sentence !== null) writeError(sentence);
  if (exitCode !== ExitCode.SUCCESS || flags.stats === true) {
    for (const reason of result.setupErrors) writeError(`refused to the guest: ${reason}`);
  }
  // With --stats it stands in the device's line.
  if (exitCode !== ExitCode.SUCCESS && flags.stats !== true) {
    for (const { failure } of result.devices) if (failure !== null) writeError(failure);
  }
  if (flags.stats === true) process.stderr.write(statsReport(result));
  if (flags.json === true) {
    process.stdout.write(`${JSON.stringify({ ...resultJson(result), exitCode })}\n`);
  }
}
