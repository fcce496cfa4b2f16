/**
 * One point of a figure: one `wasm-uring bench --json` in a process of its own, as a user would run
 * it.
 */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { warm } from "../host/cli/figure/test-file";

const run = promisify(execFile);

/** The command line of this package; the bench runs from build/bench. */
export const CLI = new URL("../../dist/cli.js", import.meta.url).pathname;

export interface Point {
  path: string;
  iodepth: number;
  direct: boolean;
  sqpoll: boolean;
  nativeFlags?: string;
}

export interface PointResult {
  iops: number;
  cpuUsPerIo: number;
  enterCallsPerIo: number;
  latencyUs: { p50: number; p99: number };
}

/**
 * @param seconds how long the load runs; start-up and set-up are not part of what it measures
 * @throws the command's own sentence when it fails
 */
export async function measurePoint(
  file: string,
  point: Point,
  seconds: number,
): Promise<PointResult> {
  if (!point.direct) warm(file);
  const words = [
    ...["bench", "--json", "--file", file, "--path", point.path],
    ...["--iodepth", String(point.iodepth), "--runtime", String(seconds)],
    ...(point.direct ? ["--direct"] : []),
    ...(point.sqpoll ? ["--sqpoll"] : []),
    ...(point.nativeFlags === undefined ? [] : ["--native-flags", point.nativeFlags]),
  ];
  const { stdout } = await run(process.execPath, [CLI, ...words]);
  return JSON.parse(stdout);
}
