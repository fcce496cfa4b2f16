/**
 * One guest in the embedder's hands: starts its worker thread, ends it by deadline or abort, collects what it said,
 * and leaves nothing behind. The embedder's event loop never waits for the guest.
 */
import { Worker } from "node:worker_threads";
import type { Devices } from "../datapath/devices";
import { toPortable, WasmUringError } from "../errors";
import { loadSyscalls } from "../ffi";
import type { GrantRequest, OpenedGrants } from "../grant";
import { Control, WorkerState } from "../ring/control";
import type { EngineStats, RingPlan } from "../ring/engine";
import { closeRingGently } from "../ring/mapped/close";
import type { OpenedFiles } from "../wasi";
import { type Ending, exitCodeOf, outcomeOf, workerError } from "./ending";
import type { EventFdPair } from "./event-fd";
import { HotPlug } from "./hot-plug";
import type { GuestModule } from "./module";
import type { GuestResult, Outcome, RingReport } from "./options";
import { OutputCollector } from "./output";
import type { Program, WorkerEnd, WorkerMessage, WorkerStart } from "./protocol";

/** What `createGuest` checked. */
export interface PreparedGuest {
  module: GuestModule;
  plan: RingPlan;
  grants: OpenedGrants;
  signals: EventFdPair;
  devices: Devices;
  opened: OpenedFiles;
  program: Program;
  deadlineMs: number | undefined;
  signal: AbortSignal | undefined;
}

/** How long a guest that is to end may take to unwind through its next import before its thread is ended. */
const GRACE_MS = 150;
/** How long a worker may take over a set-up or its own ordered teardown before its thread is ended all the same. */
const CLEANING_MS = 10_000;

/** One guest. `run` once, then `close`, or use `await using`. */
export class Guest implements AsyncDisposable {
  readonly #prepared: PreparedGuest;
  readonly #control = new Control();
  readonly #output: OutputCollector;
  readonly #hotPlug: HotPlug;
  readonly #refusals: string[] = [];
  #ring: RingReport | null = null;
  #stats: EngineStats | null = null;
  #elapsedMs = 0;
  #ending: Ending | null = null;
  #ended = false;
  /** From the start of its devices to their end. */
  #active = false;
  #closed = false;
  #graceTimer: NodeJS.Timeout | undefined;
  #worker: Worker | null = null;
  #exited: Promise<void> = Promise.resolve();
  #running: Promise<GuestResult> | null = null;

  constructor(prepared: PreparedGuest) {
    this.#prepared = prepared;
    this.#output = new OutputCollector();
    const { plan, grants, devices } = prepared;
    const { syscalls } = loadSyscalls();
    this.#hotPlug = new HotPlug({
      ...{ plan, grants, control: this.#control, syscalls },
      isDevice: (name) => devices.isServed(name),
    });
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
    if (this.#active) this.#end({ kind: "aborted", reason: "closed" });
    try {
      await this.#exited;
    } finally {
      await this.#hotPlug.end();
      this.#hotPlug.close();
      this.#prepared.grants.close();
      this.#prepared.devices.close();
      this.#prepared.opened.close();
      this.#prepared.signals.close();
    }
  }

  /**
   * Grants the guest one more file, at any time until it has ended. When this resolves it finds the grant by its name.
   *
   * @throws WasmUringError (rejects) ERR_BAD_GRANT, or ERR_BAD_OPTION when the policy forbids it; nothing is left open
   */
  grant(name: string, request: GrantRequest): Promise<void> {
    return this.#hotPlug.grant(name, request);
  }

  /**
   * Takes a grant away: what is in flight on it is cancelled (the guest gets -ECANCELED) and when the promise resolves
   * its descriptor is closed. Whatever the guest submits on the slot from now on is -EBADF.
   *
   * @throws WasmUringError (rejects) ERR_BAD_GRANT for an unknown name, ERR_REVOKE when something in flight did not end
   */
  revoke(name: string): Promise<void> {
    return this.#hotPlug.revoke(name);
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
        end = await this.#runWithDevices();
      } finally {
        signal?.removeEventListener("abort", onAbort);
      }
    }
    const cpu = process.cpuUsage(began);
    return this.#result(outcomeOf(end, this.#ending), cpu.user + cpu.system);
  }

  /** Devices first, then the guest; the devices end when the guest's thread is gone. */
  #runWithDevices(): Promise<WorkerEnd | null> {
    this.#active = true;
    const { devices } = this.#prepared;
    const finished = devices
      .start()
      // Ended meanwhile: the guest does not begin.
      .then(() => (this.#ending === null ? this.#runWorker() : null))
      .catch((error: unknown): WorkerEnd => {
        if (!(error instanceof WasmUringError)) throw error;
        return { kind: "host-failure", error: toPortable(error) };
      })
      .finally(async () => {
        await devices.stop();
        this.#active = false;
        clearTimeout(this.#graceTimer);
      });
    this.#exited = finished.then(
      () => {},
      () => {},
    );
    return finished;
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
        end ??= { kind: "host-failure", error: toPortable(workerError(cause)) };
      });
    }).then(async () => {
      clearTimeout(timer);
      clearTimeout(this.#graceTimer);
      this.#worker = null;
      await this.#closeRing();
    });
    return finished.then(() => end);
  }

  #spawn(): Worker {
    const { module, plan, devices, opened, program } = this.#prepared;
    const start: WorkerStart = {
      module: module.module,
      memoryImport: module.memoryImport,
      plan,
      devices: devices.plans(),
      files: opened.grants,
      program,
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
    const { devices } = this.#prepared;
    if (message.type === "output") this.#output.add(message.fd, message.bytes);
    else if (message.type === "ring") this.#ring = message.report;
    else if (message.type === "backend") devices.noteBackend(message.device, message.remains);
    else if (message.type === "device-failure") devices.noteFailure(message.device, message.reason);
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
    await this.#hotPlug.end();
    const ringFd = this.#control.inheritRing();
    const { syscalls } = loadSyscalls();
    if (ringFd < 0 || syscalls === null) return;
    await closeRingGently(syscalls, ringFd);
    for (const { address, length } of this.#control.ringMappings())
      syscalls.munmap(address, length);
  }

  #result(outcome: Outcome, cpuUs: number): GuestResult {
    return {
      outcome,
      exitCode: exitCodeOf(outcome),
      ring: this.#ring,
      stats: this.#stats,
      devices: this.#prepared.devices.reports(),
      setupErrors: this.#refusals,
      stdout: this.#output.take(1),
      stderr: this.#output.take(2),
      elapsedMs: this.#elapsedMs,
      cpuUs,
    };
  }
}
