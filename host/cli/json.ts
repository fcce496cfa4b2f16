/**
 * The one object that `run --json` prints: the result as plain data, output as text, errors as
 * fields.
 */
import type { WasmUringError } from "../errors";
import type { GuestResult, Outcome } from "../guest/options";
import { ExitCode } from "./exit-code";

function errorJson(error: WasmUringError) {
  const { code, message, syscall, errno } = error;
  return { code, message, syscall: syscall ?? null, errno: errno ?? null };
}

function outcomeJson(outcome: Outcome) {
  return outcome.kind === "host-failure"
    ? { kind: outcome.kind, error: errorJson(outcome.error) }
    : outcome;
}

export function resultJson(result: GuestResult) {
  const { ring, stats, devices, setupErrors, elapsedMs, cpuUs } = result;
  const text = new TextDecoder();
  return {
    outcome: outcomeJson(result.outcome),
    exitCode: result.exitCode,
    engine: ring?.engine ?? null,
    reason: ring?.reason ?? null,
    ladder: ring?.ladder ?? [],
    ring,
    stats,
    devices,
    setupErrors,
    stdout: text.decode(result.stdout),
    stderr: text.decode(result.stderr),
    elapsedMs,
    cpuUs,
  };
}

export type ResultJson = Omit<ReturnType<typeof resultJson>, "outcome"> & {
  outcome: ReturnType<typeof outcomeJson>;
};

/** The same shape when the guest never started. */
export function failureJson(error: WasmUringError): ResultJson {
  return {
    outcome: { kind: "host-failure", error: errorJson(error) },
    exitCode: ExitCode.BAD_INPUT,
    engine: null,
    reason: null,
    ladder: [],
    ring: null,
    stats: null,
    devices: [],
    setupErrors: [],
    stdout: "",
    stderr: "",
    elapsedMs: 0,
    cpuUs: 0,
  };
}
