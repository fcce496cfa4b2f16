/** The object that `bench --json` prints, made of a job and the raw numbers of its run. */
import { cpus, release } from "node:os";
import { SetupFlag } from "../../abi";
import { errnoName } from "../../errors";
import type { GuestResult } from "../../guest/options";
import type { BenchJob } from "./job";
import type { Measure } from "./measure";

const NS_PER_S = 1e9;

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}

function flagNames(flags: number): string[] {
  const bits = Array.from({ length: 31 }, (_, index) => 2 ** index).filter(
    (bit) => (flags & bit) !== 0,
  );
  return bits.map((bit) => SetupFlag[bit] ?? `0x${bit.toString(16)}`);
}

/** fs-sync and node-wasi wait for each operation: whatever depth was asked for. */
function depthOf(job: BenchJob): number {
  return job.path === "fs-sync" || job.path === "node-wasi" ? 1 : job.iodepth;
}

/** @param guest null for the paths without one */
export function benchResult(job: BenchJob, measure: Measure, guest: GuestResult | null) {
  const ring = guest?.ring ?? null;
  const device = guest?.devices[0] ?? null;
  const seconds = measure.elapsedNs / NS_PER_S;
  const { samples, ...latency } = measure.latencyUs;
  const latencyUs = {
    p50: round(latency.p50, 3),
    p90: round(latency.p90, 3),
    p99: round(latency.p99, 3),
    p999: round(latency.p999, 3),
    max: round(latency.max, 3),
  };
  const ios = Math.max(1, measure.ios);
  const flags = measure.setupFlags === undefined ? null : flagNames(measure.setupFlags);
  return {
    path: job.path,
    /** The engine that ran; null on paths without one. */
    engine: ring?.engine ?? null,
    engineReason: ring?.reason ?? null,
    /** Who served the guest's virtqueue, and what moved the data; null on paths without one. */
    servedBy: device?.servedBy ?? null,
    aio: device?.aio ?? null,
    pollUs: job.pollUs ?? null,
    rw: job.rw,
    bs: job.bs,
    iodepth: job.iodepth,
    /** Operations that this path really keeps in flight. */
    inFlight: depthOf(job),
    runtime: job.runtime,
    rampTime: job.rampTime,
    direct: job.direct,
    sqpollIdleMs: job.sqpollIdleMs,
    iopoll: job.iopoll,
    file: job.file,
    fileBytes: device?.capacityBytes ?? job.fileBytes,
    ios: measure.ios,
    bytes: measure.bytes,
    elapsedMs: round(measure.elapsedNs / 1e6, 3),
    iops: round(measure.ios / seconds, 1),
    bytesPerSecond: Math.round(measure.bytes / seconds),
    latencyUs,
    latencySamples: samples,
    /** User and system time of the process, the kernel's threads for its rings included. */
    cpuUsPerIo: round(measure.cpuNs / 1000 / ios, 4),
    kicks: device?.kicks ?? null,
    interrupts: device?.interrupts ?? null,
    /** Calls out of the sandbox for I/O: enter, kicks and waits. */
    enterCalls: measure.calls,
    enterCallsPerIo: round(measure.calls / ios, 6),
    errors: measure.errors,
    firstErrno: measure.errors === 0 ? null : errnoName(measure.firstErrno),
    /** Why the device stopped serving before its end, or null. */
    failure: device?.failure ?? null,
    shorts: measure.shorts,
    setupFlags: ring?.setupFlags ?? flags ?? [],
    setupUs: ring?.setupUs ?? null,
    kernel: release(),
    node: process.version,
    cpu: `${cpus().length} × ${cpus()[0]?.model.trim() ?? "unknown"}`,
    date: new Date().toISOString(),
  };
}

export type BenchResult = ReturnType<typeof benchResult>;
