/** What crosses between the embedder's thread and a guest's worker: the start, then messages in one direction. */
import type { EngineStats, RingPlan } from "../ring/engine";
import type { InputChoice, OutputChoice } from "../wasi";
import type { MemoryImport } from "./module";
import type { RingReport } from "./options";

/** workerData. */
export interface WorkerStart {
  module: WebAssembly.Module;
  memoryImport: MemoryImport | null;
  plan: RingPlan;
  args: readonly string[];
  env: Readonly<Record<string, string>>;
  stdin: InputChoice;
  stdout: OutputChoice;
  stderr: OutputChoice;
  outputLimitBytes: number;
  control: SharedArrayBuffer;
  /** Shared memory where captured output is gathered, by descriptor. */
  captureTails: Readonly<Record<1 | 2, SharedArrayBuffer>>;
}

/** How the guest's own code ended; deadline and abort are known to the embedder's thread alone. */
export type WorkerEnd =
  | { kind: "exit"; exitCode: number }
  | { kind: "trap"; message: string }
  | { kind: "stopped" }
  | { kind: "host-failure"; error: PortableError };

/** A WasmUringError as it crosses: structured clone drops the class and its fields. */
export interface PortableError {
  code: string;
  message: string;
  detail: unknown;
}

export type WorkerMessage =
  | { type: "started" }
  | { type: "output"; fd: 1 | 2; bytes: Uint8Array }
  | { type: "ring"; report: RingReport }
  | { type: "refusal"; reason: string }
  | { type: "ended"; end: WorkerEnd; stats: EngineStats | null; elapsedMs: number };
