/** A result for people: what ran, then a small table. */
import { columns, paint } from "../paint";
import { formatBytes } from "../report";
import type { BenchResult } from "./result";

function count(value: number): string {
  return value.toLocaleString("en-US", { maximumFractionDigits: 0 });
}

function microseconds(value: number): string {
  return `${value >= 100 ? value.toFixed(0) : value.toFixed(2)} µs`;
}

/** How a daemon opened its file, it does not say. */
function cacheWords(path: BenchResult["path"], direct: boolean): string {
  if (path === "vhost-user-blk") return "";
  return direct ? ", O_DIRECT" : path === "vdpa-sim" ? ", memory" : ", page cache";
}

function title(result: BenchResult): string {
  const { path, engine, rw, bs, inFlight, direct, sqpollIdleMs } = result;
  const words = [
    ...(engine === null ? [] : [engine]),
    ...(result.aio === null ? [] : [result.aio]),
    ...(result.servedBy === null ? [] : [`served by the ${result.servedBy}`]),
    ...(engine !== null && sqpollIdleMs !== null ? ["SQPOLL"] : []),
  ];
  const how = words.length === 0 ? path : `${path} (${words.join(", ")})`;
  const polled = engine === null && sqpollIdleMs !== null ? " (SQPOLL)" : "";
  const load = `${rw}, ${formatBytes(bs)}, depth ${inFlight}${cacheWords(path, direct)}`;
  return `${paint.bold(`${how}${polled}`)}: ${load}\n`;
}

function ringRows(result: BenchResult): string[][] {
  if (result.kicks !== null && result.interrupts !== null) {
    const { kicks, interrupts, enterCallsPerIo } = result;
    return [
      [
        "virtqueue",
        `${count(kicks)} kicks, ${count(interrupts)} interrupts, ${enterCallsPerIo} calls per operation`,
      ],
    ];
  }
  if (result.path !== "passthrough" && result.path !== "native") return [];
  const rows = [
    ["enter calls", `${count(result.enterCalls)}, ${result.enterCallsPerIo} per operation`],
  ];
  if (result.engineReason !== null) rows.push(["engine", result.engineReason]);
  if (result.setupFlags.length > 0) rows.push(["set-up flags", result.setupFlags.join(" ")]);
  return rows;
}

export function renderBench(result: BenchResult): string {
  const { latencyUs: us } = result;
  const rows = [
    [
      "operations",
      `${paint.green(count(result.iops))} per second (${count(result.ios)} in ${result.elapsedMs.toFixed(0)} ms)`,
    ],
    ["throughput", `${(result.bytesPerSecond / 2 ** 20).toFixed(1)} MiB per second`],
    [
      "latency",
      `p50 ${microseconds(us.p50)}, p90 ${microseconds(us.p90)}, p99 ${microseconds(us.p99)}, ` +
        `p99.9 ${microseconds(us.p999)}, max ${microseconds(us.max)} (${count(result.latencySamples)} samples)`,
    ],
    ["CPU", `${result.cpuUsPerIo.toFixed(2)} µs per operation`],
    ...ringRows(result),
  ];
  if (result.shorts > 0)
    rows.push(["short", `${count(result.shorts)} operations moved less than a block`]);
  if (result.errors > 0)
    rows.push(["errors", paint.red(`${count(result.errors)}, first ${result.firstErrno}`)]);
  return title(result) + columns(rows);
}
