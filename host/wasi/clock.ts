/**
 * The family clock_*: the four clocks of WASI, without a system call for the two that are asked for
 * most. The wall clock and the CPU clocks come in microseconds, which is what they are announced
 * with; the monotonic clock in nanoseconds.
 */
import type { GuestMemory } from "../memory/guest-memory";
import { WasiErrno } from "./errno";
import { setNumber64 } from "./number64";
import { unsigned, type WasiFunctions } from "./parameter";

enum Clock {
  REALTIME = 0,
  MONOTONIC = 1,
  PROCESS_CPU = 2,
  THREAD_CPU = 3,
}

const NS_PER_US = 1_000;
const US_PER_MS = 1_000;
const NS_PER_MS = 1_000_000;
const NS_PER_S = 1_000_000_000;
const HALF = 0x1_0000_0000;
/** As far as the wall clock may be from what it is computed from before it is read anew. */
const DRIFT_MAX_MS = 1.5;
/** Somebody may set the clock, or slew it: that is looked for as often as this. */
const CHECK_NS = NS_PER_MS;

const { hrtime } = process;
const [firstSecond] = hrtime();

/**
 * Nanoseconds since this thread loaded this file, at most a second more. Of all ways to read the
 * clock from JavaScript process.hrtime() is the fastest (32 ns; performance.now() 44 to 60 on Node
 * 20 to 26): optimized code does not make its array.
 */
function monotonicNs(): number {
  const [seconds, nanoseconds] = hrtime();
  return (seconds - firstSecond) * NS_PER_S + nanoseconds;
}

/**
 * The wall clock at the zero of monotonicNs(), in nanoseconds and as two halves of them, and when it
 * is to be checked: with it a fine time costs one clock, not two. In a typed array, which is written
 * without allocating.
 */
const origin = new Float64Array(4);
const enum Origin {
  NS = 0,
  LOW = 1,
  HIGH = 2,
  CHECK_AT_NS = 3,
}

/** Whole microseconds: more does not fit a number. */
function setOrigin(originUs: number): void {
  const ns = BigInt(Math.round(originUs)) * BigInt(NS_PER_US);
  origin[Origin.NS] = Number(ns);
  origin[Origin.LOW] = Number(ns & 0xffffffffn);
  origin[Origin.HIGH] = Number(ns >> 32n);
}

setOrigin((performance.timeOrigin + performance.now()) * US_PER_MS - monotonicNs() / NS_PER_US);

/** Nanoseconds since the origin, which is right then. */
function sinceOriginNs(): number {
  const sinceNs = monotonicNs();
  if (sinceNs >= (origin[Origin.CHECK_AT_NS] ?? 0)) checkOrigin(sinceNs);
  return sinceNs;
}

function checkOrigin(sinceNs: number): void {
  origin[Origin.CHECK_AT_NS] = sinceNs + CHECK_NS;
  const wallMs = Date.now() + 0.5;
  const driftMs = ((origin[Origin.NS] ?? 0) + sinceNs) / NS_PER_MS - wallMs;
  if (Math.abs(driftMs) > DRIFT_MAX_MS) setOrigin(wallMs * US_PER_MS - sinceNs / NS_PER_US);
}

function writeRealtime(view: DataView, at: number): void {
  const sinceNs = sinceOriginNs();
  const low = (origin[Origin.LOW] ?? 0) + (sinceNs >>> 0);
  const carry = low >= HALF ? 1 : 0;
  view.setUint32(at, low >>> 0, true);
  view.setUint32(at + 4, (origin[Origin.HIGH] ?? 0) + Math.floor(sinceNs / HALF) + carry, true);
}

/**
 * Nanoseconds of a clock, or null when there is none of this number that can be waited for: the
 * realtime is exact to a microsecond only.
 */
export function clockNs(clock: number): number | null {
  if (clock === Clock.MONOTONIC) return monotonicNs();
  if (clock !== Clock.REALTIME) return null;
  const sinceNs = sinceOriginNs();
  return (origin[Origin.NS] ?? 0) + sinceNs;
}

function cpuNs({ user, system }: { user: number; system: number }): number {
  return (user + system) * NS_PER_US;
}

/**
 * `process.threadCpuUsage` came with Node 22; before it, a guest learns that there is no such
 * clock.
 */
function threadCpuNs(): number | null {
  const source: { threadCpuUsage?: () => { user: number; system: number } } = process;
  return source.threadCpuUsage === undefined ? null : cpuNs(source.threadCpuUsage());
}

function resolutionNs(clock: number): number | null {
  switch (clock) {
    case Clock.REALTIME:
    case Clock.PROCESS_CPU:
      return NS_PER_US;
    case Clock.MONOTONIC:
      return 1;
    case Clock.THREAD_CPU:
      return threadCpuNs() === null ? null : NS_PER_US;
    default:
      return null;
  }
}

function writeTime(view: DataView, at: number, clock: number): boolean {
  if (clock === Clock.REALTIME) {
    writeRealtime(view, at);
    return true;
  }
  if (clock === Clock.MONOTONIC) {
    setNumber64(view, at, monotonicNs());
    return true;
  }
  const ns = clock === Clock.PROCESS_CPU ? cpuNs(process.cpuUsage()) : threadCpuNs();
  if (ns !== null) setNumber64(view, at, ns);
  return ns !== null;
}

export function clockFunctions({ memory }: { memory: () => GuestMemory }): WasiFunctions {
  return {
    clock_res_get: (clock = 0, result = 0) => {
      const guest = memory();
      const at = unsigned(result);
      const ns = resolutionNs(unsigned(clock));
      if (ns === null) return WasiErrno.EINVAL;
      if (!guest.contains(at, 8)) return WasiErrno.EFAULT;
      setNumber64(guest.view, at, ns);
      return WasiErrno.SUCCESS;
    },
    // The wanted precision (an i64) is advice only; every clock is read as finely as it goes.
    clock_time_get: (clock = 0, _precision = 0, result = 0) => {
      const guest = memory();
      const at = unsigned(result);
      const number = unsigned(clock);
      if (number > Clock.THREAD_CPU) return WasiErrno.EINVAL;
      if (!guest.contains(at, 8)) return WasiErrno.EFAULT;
      return writeTime(guest.view, at, number) ? WasiErrno.SUCCESS : WasiErrno.EINVAL;
    },
  };
}
