/**
 * The native twin: bench/native/load.c, built with the machine's own C compiler when it is first
 * needed and kept in a private folder under the name of its source's hash.
 */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { lstatSync, mkdirSync, readFileSync, renameSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { WasmUringError } from "../../errors";
import type { BenchJob } from "./job";
import { type Measure, parseMeasure } from "./measure";
import { packageFile } from "./package-file";

const run = promisify(execFile);
const COMPILER_FLAGS = ["-O2"];

function toolMissing(why: string, whatToDo: string, cause?: unknown): WasmUringError {
  const what = "building the native twin (bench/native/load.c)";
  return new WasmUringError("ERR_TOOL_MISSING", { what, why, whatToDo, cause });
}

/** A folder that only this user can write to: what lies in it is executed. */
function cacheFolder(): string {
  const user = process.getuid?.() ?? 0;
  const folder = join(tmpdir(), `wasm-uring-${user}`);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const status = lstatSync(folder);
  if (status.isDirectory() && status.uid === user && (status.mode & 0o022) === 0) return folder;
  throw toolMissing(`${folder} is not a folder of this user alone`, `remove it: rm -r ${folder}`);
}

function messageOf(cause: unknown): string {
  const text = cause instanceof Error && "stderr" in cause ? String(cause.stderr) : "";
  const line = text.split("\n").find((candidate) => candidate.includes("error"));
  return line ?? (cause instanceof Error ? cause.message : String(cause));
}

async function compile(source: string, binary: string): Promise<void> {
  const compiler = process.env.CC || "cc";
  const draft = `${binary}.${process.pid}`;
  try {
    await run(compiler, [...COMPILER_FLAGS, "-o", draft, source]);
  } catch (cause) {
    // EACCES: some folder in PATH may not be searched by this user.
    const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
    if (code === "ENOENT" || code === "EACCES") {
      throw toolMissing(
        `there is no C compiler "${compiler}"`,
        "install one (on Debian: apt install gcc libc6-dev), or name it in CC",
        cause,
      );
    }
    throw toolMissing(
      messageOf(cause),
      "check that libc and kernel headers are installed (libc6-dev)",
      cause,
    );
  }
  renameSync(draft, binary);
}

/** Path of the built twin. */
export async function nativeTwin(): Promise<string> {
  if (process.platform !== "linux")
    throw toolMissing("it needs Linux", "use --path passthrough or fs-sync");
  const source = packageFile("bench/native/load.c");
  const hash = createHash("sha256").update(COMPILER_FLAGS.join(" ")).update(readFileSync(source));
  const binary = join(cacheFolder(), `load-${process.arch}-${hash.digest("hex").slice(0, 16)}`);
  if (statSync(binary, { throwIfNoEntry: false }) === undefined) await compile(source, binary);
  return binary;
}

function twinArguments(job: BenchJob): string[] {
  return [
    ...["--file", job.file],
    ...["--rw", job.rw],
    ...["--bs", String(job.bs)],
    ...["--iodepth", String(job.iodepth)],
    ...["--runtime", String(job.runtime)],
    ...["--ramp-time", String(job.rampTime)],
    ...["--flags", job.nativeFlags],
    ...(job.direct ? ["--direct"] : []),
    ...(job.sqpollIdleMs === null ? [] : ["--sqpoll", String(job.sqpollIdleMs)]),
    ...(job.iopoll ? ["--iopoll"] : []),
  ];
}

/** Exit code 1 is a run in which operations failed: its line of JSON says so. */
async function output(binary: string, job: BenchJob, signal: AbortSignal): Promise<string> {
  try {
    return (await run(binary, twinArguments(job), { signal })).stdout;
  } catch (cause) {
    const failed = cause instanceof Error && "code" in cause && "stdout" in cause;
    if (failed && cause.code === 1) return String(cause.stdout);
    throw new WasmUringError("ERR_SYSCALL", {
      what: "running the native twin",
      why: failed && "stderr" in cause ? String(cause.stderr).trim() : String(cause),
      whatToDo: "see `wasm-uring probe` for what this machine allows",
      cause,
    });
  }
}

export async function runNative(job: BenchJob, signal: AbortSignal): Promise<Measure> {
  const binary = await nativeTwin();
  return parseMeasure((await output(binary, job, signal)).trim(), "the native twin");
}
