/** What crosses between the embedder's thread and a guest's worker: the start, then messages in one direction. */
import type { DevicePlan } from "../datapath/plan";
import type { PortableError } from "../errors";
import type { EngineStats, RingPlan } from "../ring/engine";
import type { BackendRemains } from "../virtio/aio";
import type { FileGrants, InputChoice, OutputChoice, StdioProvider } from "../wasi";
import type { MemoryImport } from "./module";
import type { RingReport } from "./options";

/** What the guest's program is started with. */
export interface Program {
  args: readonly string[];
  env: Readonly<Record<string, string>>;
  stdin: InputChoice;
  stdout: OutputChoice;
  stderr: OutputChoice;
  stdioProvider: StdioProvider;
  /** The most that is captured of each stream. */
  outputLimitBytes: number;
}

/** workerData. */
export interface WorkerStart {
  module: WebAssembly.Module;
  memoryImport: MemoryImport | null;
  plan: RingPlan;
  devices: readonly DevicePlan[];
  /** Directories and sockets of its WASI. */
  files: FileGrants;
  program: Program;
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

export type WorkerMessage =
  | { type: "started" }
  | { type: "output"; fd: 1 | 2; bytes: Uint8Array }
  | { type: "ring"; report: RingReport }
  | { type: "refusal"; reason: string }
  /** A device that the guest's thread serves: what it would leave behind if it were killed. */
  | { type: "backend"; device: number; remains: BackendRemains }
  | { type: "device-failure"; device: number; reason: string }
  | { type: "ended"; end: WorkerEnd; stats: EngineStats | null; elapsedMs: number };
