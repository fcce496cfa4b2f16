/**
 * One point of the figure: one `wasm-uring bench --json` in a process of its own, as a user would
 * run it. Start-up and set-up are not part of what it measures, and nothing that one system leaves
 * behind is in the way of the next.
 */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import * as v from "valibot";
import { cpuBetween, type Daemon } from "./daemon";
import type { Point } from "./plan";
import type { FigureSettings } from "./settings";

/** This code is bundled into files beside the command's own. */
const CLI = fileURLToPath(new URL("./cli.js", import.meta.url));
/** Beyond runtime and ramp: a process that takes longer hangs. */
const PATIENCE_MS = 20_000;
const KILL_AFTER_MS = 3000;
/** How reportFailure begins when it met no refusal but a bug. */
const DEFECT = "unexpected failure";

const number = v.pipe(v.number(), v.minValue(0));

const BenchSchema = v.object({
  inFlight: number,
  ios: number,
  elapsedMs: number,
  iops: number,
  latencyUs: v.object({ p50: number, p99: number, p999: number }),
  cpuUsPerIo: number,
  enterCallsPerIo: number,
  errors: number,
  firstErrno: v.nullable(v.string()),
});

export const SampleSchema = v.object({
  round: number,
  iops: number,
  /** User and system time of the whole process, serving threads and the daemon included, µs. */
  cpuUsPerIo: number,
  /** The daemon's part of it; 0 where there is none. */
  daemonCpuUsPerIo: number,
  p50Us: number,
  p99Us: number,
  p999Us: number,
  enterCallsPerIo: number,
});

/** The numbers of one point in one round. */
export type Sample = v.InferOutput<typeof SampleSchema>;

export type PointResult =
  | { kind: "measured"; sample: Sample }
  /** The command refused: its sentence. */
  | { kind: "refused"; reason: string }
  /** It ran, and badly. */
  | { kind: "failed"; reason: string };

interface Ended {
  exitCode: number | null;
  signal: string | null;
  stdout: string;
  stderr: string;
}

/** Runs the command and waits until it is gone, also when it is told to end. */
function runBench(words: readonly string[], patienceMs: number, signal: AbortSignal) {
  return new Promise<Ended>((resolve, reject) => {
    const child = spawn(process.execPath, [CLI, "bench", ...words], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    let stdout = "";
    let stderr = "";
    let killer: NodeJS.Timeout | undefined;
    const end = () => {
      child.kill("SIGTERM");
      killer = setTimeout(() => child.kill("SIGKILL"), KILL_AFTER_MS);
    };
    const patience = setTimeout(end, patienceMs);
    signal.addEventListener("abort", end, { once: true });
    child.stdout.on("data", (chunk: Buffer) => {
      stdout += chunk.toString("utf8");
    });
    child.stderr.on("data", (chunk: Buffer) => {
      stderr += chunk.toString("utf8");
    });
    child.on("error", reject);
    child.on("close", (exitCode, by) => {
      clearTimeout(patience);
      clearTimeout(killer);
      signal.removeEventListener("abort", end);
      resolve({ exitCode, signal: by, stdout, stderr });
    });
  });
}

function wordsOf(settings: FigureSettings, point: Point, file: string, daemon: Daemon | null) {
  const { system, rw, depth, cache } = point;
  return [
    ...system.words,
    ...(daemon === null ? ["--file", file] : ["--socket", daemon.socket]),
    ...["--rw", rw, "--bs", "4k", "--iodepth", String(depth)],
    ...["--runtime", String(settings.runtime), "--ramp-time", String(settings.rampTime)],
    // The daemon has opened the file already, in its own way.
    ...(cache === "direct" && daemon === null ? ["--direct"] : []),
    "--json",
  ];
}

/** The command's sentence without its name; it is the last line. */
function sentenceOf({ stderr, exitCode, signal }: Ended): string {
  const line = stderr.trim().split("\n").at(-1) ?? "";
  if (line !== "") return line.replace(/^wasm-uring: /, "");
  return signal === null ? `it ended with exit code ${exitCode}` : `it was ended by ${signal}`;
}

/**
 * The daemon's CPU time can be seen only around the whole process, ramp included, where the load
 * was the same: so it is divided by the operations of both.
 */
function daemonCpuUs(settings: FigureSettings, cpuNs: number, iops: number, elapsedMs: number) {
  const ios = iops * (settings.rampTime + elapsedMs / 1000);
  return ios > 0 ? cpuNs / 1000 / ios : 0;
}

/** To a tenth of a nanosecond: more digits than that are noise in the JSON. */
function tidy(us: number): number {
  return Number(us.toFixed(4));
}

/**
 * @param daemon who serves it, null for the systems that need none
 * @param signal ends the process that measures
 */
export async function measurePoint(
  settings: FigureSettings,
  point: Point,
  file: string,
  daemon: Daemon | null,
  signal: AbortSignal,
): Promise<PointResult> {
  const patienceMs = (settings.runtime + settings.rampTime) * 1000 + PATIENCE_MS;
  const before = daemon?.cpuNs() ?? new Map();
  const ended = await runBench(wordsOf(settings, point, file, daemon), patienceMs, signal);
  const daemonNs = cpuBetween(before, daemon?.cpuNs() ?? new Map());
  const reason = sentenceOf(ended);
  if (ended.exitCode === 2 && !reason.startsWith(DEFECT)) return { kind: "refused", reason };
  if (ended.exitCode !== 0) return { kind: "failed", reason };
  const bench = v.parse(BenchSchema, JSON.parse(ended.stdout));
  if (bench.ios === 0) return { kind: "failed", reason: "no operation ended within the runtime" };
  const daemonCpuUsPerIo = daemonCpuUs(settings, daemonNs, bench.iops, bench.elapsedMs);
  return {
    kind: "measured",
    sample: {
      round: point.round,
      iops: bench.iops,
      cpuUsPerIo: tidy(bench.cpuUsPerIo + daemonCpuUsPerIo),
      daemonCpuUsPerIo: tidy(daemonCpuUsPerIo),
      p50Us: bench.latencyUs.p50,
      p99Us: bench.latencyUs.p99,
      p999Us: bench.latencyUs.p999,
      enterCallsPerIo: bench.enterCallsPerIo,
    },
  };
}
