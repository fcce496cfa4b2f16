/**
 * The family clock_*: the four clocks of WASI. Wall-clock time comes in milliseconds, which is what
 * it is announced with; the monotonic clock in nanoseconds; the CPU clocks in microseconds.
 */
import type { GuestMemory } from "../memory/guest-memory";
import { WasiErrno } from "./errno";
import { type Parameter, unsigned, type WasiFunctions } from "./parameter";

enum Clock {
  REALTIME = 0,
  MONOTONIC = 1,
  PROCESS_CPU = 2,
  THREAD_CPU = 3,
}

const NS_PER_US = 1_000n;
const NS_PER_MS = 1_000_000n;

/** Nanoseconds of a clock, or null when this host has no such clock. */
function timeNs(clock: number): bigint | null {
  switch (clock) {
    case Clock.REALTIME:
      return BigInt(Date.now()) * NS_PER_MS;
    case Clock.MONOTONIC:
      return process.hrtime.bigint();
    case Clock.PROCESS_CPU:
      return cpuNs(process.cpuUsage());
    case Clock.THREAD_CPU:
      return threadCpuNs();
    default:
      return null;
  }
}

function cpuNs({ user, system }: { user: number; system: number }): bigint {
  return BigInt(user + system) * NS_PER_US;
}

/**
 * `process.threadCpuUsage` came with Node 22; before it, a guest learns that there is no such
 * clock.
 */
function threadCpuNs(): bigint | null {
  const source: { threadCpuUsage?: () => { user: number; system: number } } = process;
  return source.threadCpuUsage === undefined ? null : cpuNs(source.threadCpuUsage());
}

function resolutionNs(clock: number): bigint | null {
  switch (clock) {
    case Clock.REALTIME:
      return NS_PER_MS;
    case Clock.MONOTONIC:
      return 1n;
    case Clock.PROCESS_CPU:
      return NS_PER_US;
    case Clock.THREAD_CPU:
      return threadCpuNs() === null ? null : NS_PER_US;
    default:
      return null;
  }
}

function answer(memory: GuestMemory, valueNs: bigint | null, result: Parameter): WasiErrno {
  const resultAt = unsigned(result);
  if (valueNs === null) return WasiErrno.EINVAL;
  if (!memory.contains(resultAt, 8)) return WasiErrno.EFAULT;
  memory.view.setBigUint64(resultAt, valueNs, true);
  return WasiErrno.SUCCESS;
}

export function clockFunctions({ memory }: { memory: () => GuestMemory }): WasiFunctions {
  return {
    clock_res_get: (clock = 0, result = 0) =>
      answer(memory(), resolutionNs(unsigned(clock)), result),
    // The wanted precision (an i64) is advice only; every clock is read as finely as it goes.
    clock_time_get: (clock = 0, _precision = 0, result = 0) =>
      answer(memory(), timeNs(unsigned(clock)), result),
  };
}
