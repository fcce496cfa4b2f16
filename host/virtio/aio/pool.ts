/**
 * The workers of aio "threads", in the hands of the embedder's thread: nobody else can start or bury worker threads,
 * and the one that serves the disk is blocked most of the time. A pool whose worker ends unasked is dead: the others
 * finish what they are at, the serving thread answers the rest with -EIO.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { WasmUringError } from "../../errors";
import { eventFds } from "../../ffi/event-fd";
import type { Syscalls } from "../../ffi/syscalls";
import { eventFdError, makeEventFd } from "./event";
import {
  makePoolMemory,
  POOL_THREADS_MAX,
  type PoolHandle,
  PoolSignal,
  PoolState,
} from "./pool-layout";
import { PoolMemory } from "./pool-memory";
import type { PoolWorkerStart } from "./pool-worker";

export interface PoolRequest {
  /** 1 to 64. */
  threads: number;
  syscalls: Syscalls;
  /** The workers' file; the one of this package by default. */
  workerFile?: URL;
  /** How long `close` lets a worker be at its request, ms; 10 s by default. */
  patienceMs?: number;
}

export interface ThreadPool {
  readonly shared: PoolHandle;
  /**
   * Ends the workers when what they are at is done, or after 10 s in the middle of it, and resolves when they are gone.
   * What a back end then still has in flight ends with -EIO. Idempotent.
   *
   * @returns whether they are; if not, one hangs in the kernel, and what it was given must stay: file, vectors, buffers
   */
  close(): Promise<boolean>;
}

/** How long a worker may take over its request; and, once it was told to end, over one system call. */
const PATIENCE_MS = 10_000;
const TERMINATE_TIMEOUT_MS = 1000;

function startError(cause: unknown): WasmUringError {
  return new WasmUringError("ERR_WORKER", {
    what: 'starting the workers of aio "threads"',
    why: cause instanceof Error ? cause.message : String(cause),
    likelyCause: "too little memory or too many threads",
    cause,
  });
}

/** Resolves when the worker said that it is ready. */
function ready(worker: Worker): Promise<void> {
  return new Promise((resolve, reject) => {
    worker.once("message", () => resolve());
    worker.once("error", (cause) => reject(startError(cause)));
    worker.once("exit", (code) => reject(startError(`a worker ended with exit code ${code}`)));
  });
}

class WorkerPool implements ThreadPool {
  readonly shared: PoolHandle;
  readonly #memory: PoolMemory;
  readonly #syscalls: Syscalls;
  readonly #patienceMs: number;
  readonly #workers = new Set<Worker>();
  #closing: Promise<boolean> | null = null;

  constructor(syscalls: Syscalls, eventFd: number, patienceMs: number) {
    this.#patienceMs = patienceMs;
    this.shared = { memory: makePoolMemory(eventFd), eventFd };
    this.#memory = new PoolMemory(this.shared.memory);
    this.#syscalls = syscalls;
  }

  async start(threads: number, workerFile: URL): Promise<void> {
    try {
      for (let worker = 0; worker < threads; worker++) this.#spawn(workerFile, worker);
      await Promise.all([...this.#workers].map(ready));
    } catch (error) {
      await this.close();
      throw error instanceof WasmUringError ? error : startError(error);
    }
    // A pool that nobody closed does not keep the process.
    for (const worker of this.#workers) worker.unref();
  }

  close(): Promise<boolean> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  #spawn(workerFile: URL, worker: number): void {
    const workerData: PoolWorkerStart = { memory: this.shared.memory, worker };
    const thread = new Worker(workerFile, { workerData, env: {}, execArgv: [], stdin: false });
    this.#workers.add(thread);
    // An error is followed by the exit.
    thread.on("error", () => {});
    thread.once("exit", () => {
      this.#workers.delete(thread);
      this.#memory.setState(this.#workers.size === 0 ? PoolState.DEAD : PoolState.STOPPING);
      if (this.#workers.size > 0) return;
      if (this.#memory.signal() === PoolSignal.EVENT) eventFds().signal(this.shared.eventFd);
    });
  }

  async #close(): Promise<boolean> {
    if (this.#workers.size > 0) {
      this.#memory.setState(PoolState.STOPPING);
      await this.#join(this.#patienceMs);
    }
    if (this.#workers.size > 0) {
      // A long request is many system calls: it ends between two of them.
      for (const worker of this.#workers) void worker.terminate();
      await this.#join(TERMINATE_TIMEOUT_MS);
    }
    if (this.#workers.size > 0) return false;
    this.#syscalls.close(this.shared.eventFd);
    return true;
  }

  async #join(timeoutMs: number): Promise<void> {
    const exits = [...this.#workers].map((worker) => {
      worker.ref();
      return new Promise((resolve) => worker.once("exit", resolve));
    });
    const stop = new AbortController();
    const timeout = sleep(timeoutMs, undefined, { signal: stop.signal }).catch(() => {});
    await Promise.race([Promise.all(exits), timeout]);
    stop.abort();
    for (const worker of this.#workers) worker.unref();
  }
}

/** Resolves when every worker waits for work. @throws WasmUringError ERR_BAD_OPTION, ERR_SETUP, ERR_WORKER */
export async function startThreadPool(request: PoolRequest): Promise<ThreadPool> {
  const { threads, syscalls, workerFile } = request;
  if (!Number.isInteger(threads) || threads < 1 || threads > POOL_THREADS_MAX) {
    throw new WasmUringError("ERR_BAD_OPTION", {
      what: `a pool of ${threads} threads`,
      why: `not a whole number from 1 to ${POOL_THREADS_MAX}`,
    });
  }
  const eventFd = makeEventFd(syscalls);
  if (eventFd < 0) throw eventFdError("threads", -eventFd);
  const pool = new WorkerPool(syscalls, eventFd, request.patienceMs ?? PATIENCE_MS);
  await pool.start(threads, workerFile ?? new URL("./aio-worker.cjs", import.meta.url));
  return pool;
}
