/**
 * One guest in the embedder's hands: starts its worker thread, ends it by deadline or abort, collects what it said,
 * and leaves nothing behind. The embedder's event loop never waits for the guest.
 */
import { Worker } from "node:worker_threads";
import { type ErrorCode, type ErrorDetail, WasmUringError } from "../errors";
import { loadSyscalls } from "../ffi";
import type { OpenedGrants } from "../grant";
import { Control, WorkerState } from "../ring/control";
import type { EngineStats, RingPlan } from "../ring/engine";
import { closeRingGently } from "../ring/mapped/close";
import type { InputChoice, OutputChoice } from "../wasi";
import type { GuestModule } from "./module";
import type { GuestResult, Outcome, RingReport } from "./options";
import { OutputCollector } from "./output";
import type { PortableError, WorkerEnd, WorkerMessage, WorkerStart } from "./protocol";

/** What `createGuest` checked. */
export interface PreparedGuest {
  module: GuestModule;
  plan: RingPlan;
  grants: OpenedGrants;
  args: readonly string[];
  env: Readonly<Record<string, string>>;
  stdin: InputChoice;
  stdout: OutputChoice;
  stderr: OutputChoice;
  outputLimitBytes: number;
  deadlineMs: number | undefined;
  signal: AbortSignal | undefined;
}

/** How long a guest that is to end may take to unwind through its next import before its thread is ended. */
const GRACE_MS = 150;
/** How long a worker may take over a set-up or its own ordered teardown before its thread is ended all the same. */
const CLEANING_MS = 10_000;

const EXIT_CODES = { trap: 134, deadline: 124, aborted: 130, "host-failure": 2 } as const;

/** Why the embedder's side is ending the guest. */
type Ending = Extract<Outcome, { kind: "deadline" | "aborted" }>;

function reviveError(error: PortableError): WasmUringError {
  return new WasmUringError(error.code as ErrorCode, error.detail as ErrorDetail);
}

function workerError(cause: unknown): WasmUringError {
  return new WasmUringError("ERR_WORKER", {
    what: "running the guest's worker thread",
    why: cause instanceof Error ? cause.message : String(cause),
    likelyCause: "too little memory or too many threads",
    cause,
  });
}

/** One guest. `run` once, then `close`, or use `await using`. */
export class Guest implements AsyncDisposable {
  readonly #prepared: PreparedGuest;
  readonly #control = new Control();
  readonly #output: OutputCollector;
  readonly #refusals: string[] = [];
  #ring: RingReport | null = null;
  #stats: EngineStats | null = null;
  #elapsedMs = 0;
  #ending: Ending | null = null;
  #ended = false;
  #closed = false;
  #eventFdClosed = false;
  #graceTimer: NodeJS.Timeout | undefined;
  #worker: Worker | null = null;
  #exited: Promise<void> = Promise.resolve();
  #running: Promise<GuestResult> | null = null;

  constructor(prepared: PreparedGuest) {
    this.#prepared = prepared;
    this.#output = new OutputCollector();
  }

  /**
   * Runs `_start` to its end.
   *
   * @returns how it ended; exit, trap, deadline, abort and host failure are outcomes, not exceptions
   * @throws WasmUringError ERR_BAD_OPTION when called twice or after `close`
   */
  run(): Promise<GuestResult> {
    if (this.#running !== null || this.#closed) {
      throw new WasmUringError("ERR_BAD_OPTION", {
        what: "guest.run()",
        why: this.#closed ? "the guest was closed" : "a guest runs once",
        whatToDo: "create another guest",
      });
    }
    this.#running = this.#run();
    return this.#running;
  }

  /** Ends the guest if it still runs, and closes its grants. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#worker !== null) this.#end({ kind: "aborted", reason: "closed" });
    try {
      await this.#exited;
    } finally {
      this.#prepared.grants.close();
      this.#closeEventFd();
    }
  }

  #closeEventFd(): void {
    const { eventFd } = this.#prepared.plan;
    if (eventFd !== undefined && !this.#eventFdClosed) loadSyscalls().syscalls?.close(eventFd);
    this.#eventFdClosed = true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #run(): Promise<GuestResult> {
    const { signal } = this.#prepared;
    const began = process.cpuUsage();
    const onAbort = () =>
      this.#end({ kind: "aborted", reason: String(signal?.reason ?? "aborted") });
    let end: WorkerEnd | null = null;
    if (signal?.aborted === true) {
      onAbort();
    } else {
      signal?.addEventListener("abort", onAbort, { once: true });
      try {
        end = await this.#runWorker();
      } finally {
        signal?.removeEventListener("abort", onAbort);
      }
    }
    const cpu = process.cpuUsage(began);
    return this.#result(this.#outcome(end), cpu.user + cpu.system);
  }

  /** Resolves when the thread has ended and its ring is closed; null when the guest did not say how it ended. */
  #runWorker(): Promise<WorkerEnd | null> {
    let end: WorkerEnd | null = null;
    let timer: NodeJS.Timeout | undefined;
    const worker = this.#spawn();
    this.#worker = worker;
    worker.on("message", (message: WorkerMessage) => {
      if (message.type === "started") timer = this.#startDeadline();
      else if (message.type === "ended") {
        end = message.end;
        this.#ended = true;
        this.#stats = message.stats;
        this.#elapsedMs = message.elapsedMs;
      } else this.#note(message);
    });
    const finished = new Promise<void>((resolve) => {
      worker.once("exit", () => resolve());
      worker.once("error", (cause) => {
        const { code, message, detail } = workerError(cause);
        end ??= { kind: "host-failure", error: { code, message, detail } };
      });
    }).then(async () => {
      clearTimeout(timer);
      clearTimeout(this.#graceTimer);
      this.#worker = null;
      await this.#closeRing();
    });
    this.#exited = finished;
    return finished.then(() => end);
  }

  #spawn(): Worker {
    const { module, plan, args, env, stdin, stdout, stderr, outputLimitBytes } = this.#prepared;
    const start: WorkerStart = {
      module: module.module,
      memoryImport: module.memoryImport,
      plan,
      args,
      env,
      stdin,
      stdout,
      stderr,
      outputLimitBytes,
      control: this.#control.shared,
      captureTails: this.#output.tails,
    };
    // Nothing of the embedder's environment or options reaches the thread.
    return new Worker(new URL("./worker.cjs", import.meta.url), {
      workerData: start,
      env: {},
      execArgv: [],
      stdin: false,
      // A bound, far above what the host's own code needs: the guest's memory is not part of it.
      resourceLimits: { maxOldGenerationSizeMb: 256 },
    });
  }

  #note(message: Exclude<WorkerMessage, { type: "started" | "ended" }>): void {
    if (message.type === "output") this.#output.add(message.fd, message.bytes);
    else if (message.type === "ring") this.#ring = message.report;
    else this.#refusals.push(message.reason);
  }

  #startDeadline(): NodeJS.Timeout | undefined {
    const { deadlineMs } = this.#prepared;
    if (deadlineMs === undefined) return undefined;
    return setTimeout(() => this.#end({ kind: "deadline", deadlineMs }), deadlineMs);
  }

  /** Asks the guest to unwind, then ends its thread unless that is making or closing its ring. */
  #end(ending: Ending): void {
    // What the guest said of its end counts when it came first.
    if (!this.#ended) this.#ending ??= ending;
    this.#control.stop();
    const deadline = Date.now() + CLEANING_MS;
    const terminate = () => {
      const worker = this.#worker;
      if (worker === null) return;
      if (this.#mayTerminate() || Date.now() >= deadline) void worker.terminate();
      else this.#graceTimer = setTimeout(terminate, GRACE_MS);
    };
    clearTimeout(this.#graceTimer);
    this.#graceTimer = setTimeout(terminate, GRACE_MS);
  }

  /** From ENDING on the worker begins neither a set-up nor a teardown. */
  #mayTerminate(): boolean {
    const control = this.#control;
    return (
      control.advance(WorkerState.RUNNING, WorkerState.ENDING) ||
      control.advance(WorkerState.STARTING, WorkerState.ENDING) ||
      control.advance(WorkerState.DONE, WorkerState.ENDING) ||
      control.state === WorkerState.ENDING
    );
  }

  /** The worker closes its own ring unless it was ended; then it is done here, without blocking the event loop. */
  async #closeRing(): Promise<void> {
    const ringFd = this.#control.claimRing();
    const { syscalls } = loadSyscalls();
    if (ringFd < 0 || syscalls === null) return;
    await closeRingGently(syscalls, ringFd);
    for (const { address, length } of this.#control.ringMappings())
      syscalls.munmap(address, length);
  }

  #outcome(end: WorkerEnd | null): Outcome {
    if (end?.kind === "host-failure")
      return { kind: "host-failure", error: reviveError(end.error) };
    // Even if the guest swallowed the exception that was to unwind it and ended otherwise.
    if (this.#ending !== null) return this.#ending;
    if (end?.kind === "exit" || end?.kind === "trap") return end;
    return {
      kind: "host-failure",
      error: workerError(new Error("the thread ended without a word")),
    };
  }

  #result(outcome: Outcome, cpuUs: number): GuestResult {
    return {
      outcome,
      exitCode: outcome.kind === "exit" ? outcome.exitCode : EXIT_CODES[outcome.kind],
      ring: this.#ring,
      stats: this.#stats,
      setupErrors: this.#refusals,
      stdout: this.#output.take(1),
      stderr: this.#output.take(2),
      elapsedMs: this.#elapsedMs,
      cpuUs,
    };
  }
}
