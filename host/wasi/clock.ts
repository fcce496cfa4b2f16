/**
 * The family clock_*: the four clocks of WASI, without a system call for the two that are asked for
 * most. The wall clock and the CPU clocks come in microseconds, which is what they are announced
 * with; the monotonic clock in nanoseconds.
 */
import type { GuestMemory } from "../memory/guest-memory";
import { WasiErrno } from "./errno";
import { setNanoseconds, setNumber64 } from "./number64";
import { unsigned, type WasiFunctions } from "./parameter";

enum Clock {
  REALTIME = 0,
  MONOTONIC = 1,
  PROCESS_CPU = 2,
  THREAD_CPU = 3,
}

const NS_PER_US = 1_000;
const NS_PER_MS = 1_000_000;
const MS_PER_S = 1_000;
/** As far as the wall clock may be from what it is computed from before it is read anew. */
const DRIFT_MAX_MS = 1.5;
/** Somebody may set the clock, or slew it: that is looked for as often as this. */
const CHECK_MS = 1;

/** The wall clock at the zero of performance.now(): with it a fine time costs one clock, not two. */
let originMs = performance.timeOrigin;
let checkAtMs = 0;

function realtimeMs(): number {
  const sinceMs = performance.now();
  if (sinceMs >= checkAtMs) {
    checkAtMs = sinceMs + CHECK_MS;
    const wallMs = Date.now() + 0.5;
    if (Math.abs(originMs + sinceMs - wallMs) > DRIFT_MAX_MS) originMs = wallMs - sinceMs;
  }
  return originMs + sinceMs;
}

/**
 * Nanoseconds of a clock, or null when there is none of this number that can be waited for: the
 * realtime is exact to a microsecond only.
 */
export function clockNs(clock: number): number | null {
  if (clock === Clock.MONOTONIC) return Math.floor(performance.now() * NS_PER_MS);
  return clock === Clock.REALTIME ? realtimeMs() * NS_PER_MS : null;
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
    const now = realtimeMs();
    const seconds = Math.floor(now / MS_PER_S);
    setNanoseconds(view, at, seconds, Math.floor((now - seconds * MS_PER_S) * NS_PER_MS));
    return true;
  }
  const ns =
    clock === Clock.MONOTONIC
      ? Math.floor(performance.now() * NS_PER_MS)
      : clock === Clock.PROCESS_CPU
        ? cpuNs(process.cpuUsage())
        : clock === Clock.THREAD_CPU
          ? threadCpuNs()
          : null;
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
