/** How a guest ended, from what its thread said last and why the embedder's side ended it. */
import { reviveError, WasmUringError } from "../errors";
import type { Outcome } from "./options";
import type { WorkerEnd } from "./protocol";

const EXIT_CODES = { trap: 134, deadline: 124, aborted: 130, "host-failure": 2 } as const;

/** Why the embedder's side is ending the guest. */
export type Ending = Extract<Outcome, { kind: "deadline" | "aborted" }>;

export function workerError(cause: unknown): WasmUringError {
  return new WasmUringError("ERR_WORKER", {
    what: "running the guest's worker thread",
    why: cause instanceof Error ? cause.message : String(cause),
    likelyCause: "too little memory or too many threads",
    cause,
  });
}

/** @param end null when the thread did not say how it ended */
export function outcomeOf(end: WorkerEnd | null, ending: Ending | null): Outcome {
  if (end?.kind === "host-failure") return { kind: "host-failure", error: reviveError(end.error) };
  // Even if the guest swallowed the exception that was to unwind it and ended otherwise.
  if (ending !== null) return ending;
  if (end?.kind === "exit" || end?.kind === "trap") return end;
  return {
    kind: "host-failure",
    error: workerError(new Error("the thread ended without a word")),
  };
}

/** What a shell would see. */
export function exitCodeOf(outcome: Outcome): number {
  return outcome.kind === "exit" ? outcome.exitCode : EXIT_CODES[outcome.kind];
}
