/**
 * The thread that serves a device, in the hands of the embedder's thread: made before the guest starts, ended after
 * the guest's thread. Its death, whenever and for whatever reason, is told to the guest's thread at once.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { reviveError, WasmUringError } from "../errors";
import { eventFds } from "../ffi/event-fd";
import type { Syscalls } from "../ffi/syscalls";
import { type BackendRemains, closeRemains } from "../virtio/aio";
import { DeviceControl, ServiceState } from "./control";
import type { DeviceThreadMessage, DeviceThreadStart } from "./device-messages";

/** How long a thread may take over what is in flight before it is ended all the same. */
const END_TIMEOUT_MS = 10_000;

export class DeviceThread {
  readonly #start: DeviceThreadStart;
  readonly #control: DeviceControl;
  readonly #worker: Worker;
  readonly #exited: Promise<void>;
  #remains: BackendRemains | null = null;
  #failure: WasmUringError | null = null;
  #settle: () => void = () => {};

  /** @param workerFile the thread's program; the one of this package when undefined */
  constructor(start: DeviceThreadStart, workerFile: URL | undefined) {
    this.#start = start;
    this.#control = new DeviceControl(start.control);
    this.#worker = new Worker(workerFile ?? new URL("./device-worker.cjs", import.meta.url), {
      workerData: start,
      env: {},
      execArgv: [],
      stdin: false,
      resourceLimits: { maxOldGenerationSizeMb: 128 },
    });
    this.#worker.on("message", (message: DeviceThreadMessage) => this.#note(message));
    this.#worker.on("error", (cause) => this.#fail(cause));
    this.#exited = new Promise((resolve) => {
      this.#worker.once("exit", () => {
        this.#gone();
        resolve();
      });
    });
  }

  /** Why it ended before it was asked to, or null. */
  get failure(): WasmUringError | null {
    return this.#failure;
  }

  /** Resolves when it obeys commands. @throws WasmUringError naming the device */
  async ready(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#settle = resolve;
      if (this.#remains !== null || this.#failure !== null) resolve();
    });
    if (this.#remains === null && this.#failure !== null) throw this.#failure;
  }

  /** Ends it when what it is at is done, and cleans up behind it if it could not. Idempotent. */
  async end(syscalls: Syscalls): Promise<void> {
    this.#control.quit();
    eventFds().signal(this.#start.thread.doorbells.kick);
    const timeout = new AbortController();
    const late = sleep(END_TIMEOUT_MS, true, { signal: timeout.signal }).catch(() => false);
    const ended = this.#exited.then(() => false);
    if (await Promise.race([ended, late])) await this.#worker.terminate();
    timeout.abort();
    await this.#exited;
    if (this.#remains !== null && this.#control.claimBackend()) {
      if (!(await closeRemains(this.#remains, syscalls))) this.#control.keepMapped();
    }
  }

  #note(message: DeviceThreadMessage): void {
    if (message.type === "ready") this.#remains = message.remains;
    else this.#failure = reviveError(message.error);
    this.#settle();
  }

  #fail(cause: unknown): void {
    this.#failure ??= new WasmUringError("ERR_WORKER", {
      what: `${this.#start.what}: running its thread`,
      why: cause instanceof Error ? cause.message : String(cause),
      likelyCause: "too little memory or too many threads",
      cause,
    });
    this.#settle();
  }

  #gone(): void {
    if (!this.#control.quitting()) this.#fail(new Error("the thread ended without a word"));
    this.#control.setState(ServiceState.GONE);
    // A guest that waits for an interrupt looks up.
    eventFds().signal(this.#start.thread.doorbells.call);
  }
}
