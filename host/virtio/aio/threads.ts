/**
 * aio "threads": requests go to the workers of a pool, which perform them by ordinary system calls, as QEMU's thread
 * pool does. This is the side of the thread that serves the disk. When the pool is gone, every request that no worker
 * finished ends with -EIO.
 */
import { Errno } from "../../abi";
import { assert, errnoName, WasmUringError } from "../../errors";
import { type EventFds, eventFds } from "../../ffi/event-fd";
import type { Syscalls } from "../../ffi/syscalls";
import type { BackendRemains, BlockBackend, BlockOperation, Completions } from "./backend";
import { type PoolHandle, PoolSignal, PoolState } from "./pool-layout";
import { PoolMemory } from "./pool-memory";

const SLICE_MS = 50;
/** A worker says that it is done before it says that it is idle. */
const CLOSE_SLICE_MS = 1;
/** How long `settle` waits for workers that are inside a system call. */
const CLOSE_TIMEOUT_MS = 10_000;

export interface ThreadsRequest {
  fd: number;
  depth: number;
  syscalls: Syscalls;
  pool: PoolHandle;
}

class ThreadsBackend implements BlockBackend {
  readonly name = "threads";
  readonly depth: number;
  readonly eventFd: number;
  readonly remains: BackendRemains;
  readonly #memory: PoolMemory;
  readonly #syscalls: Syscalls;
  readonly #events: EventFds;
  #inFlight = 0;
  #prepared = 0;
  /** What `settle` came to. */
  #settled: boolean | null = null;
  #closed = false;

  constructor(request: ThreadsRequest, memory: PoolMemory, eventFd: number) {
    this.depth = request.depth;
    this.eventFd = eventFd;
    this.#syscalls = request.syscalls;
    this.#events = eventFds();
    this.#memory = memory;
    this.remains = {
      name: "threads",
      descriptors: [eventFd],
      mappings: [],
      ringFd: -1,
      context: 0,
      pool: request.pool,
    };
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  prepare(
    operation: BlockOperation,
    tag: number,
    offset: number,
    vectorsAddress: number,
    vectorCount: number,
    lengthBytes: number,
    unmap: boolean,
  ): void {
    this.#memory.put(operation, tag, offset, vectorsAddress, vectorCount, lengthBytes, unmap);
    this.#inFlight++;
    this.#prepared++;
  }

  submit(): void {
    if (this.#prepared === 0) return;
    this.#memory.publish(this.#prepared);
    this.#prepared = 0;
  }

  reap(completions: Completions): number {
    // Afterwards the pool may be another's.
    if (this.#closed) return 0;
    const { tags, results } = completions;
    const memory = this.#memory;
    // Read first: what was finished before the last worker ended is found below.
    const isDead = memory.state === PoolState.DEAD;
    let count = memory.takeDone(this.depth, tags, results, 0);
    if (isDead) {
      const lost = memory.takeLost(this.depth, tags, count);
      results.fill(-Errno.EIO, count, lost);
      count = lost;
    }
    this.#inFlight -= count;
    return count;
  }

  wait(timeoutUs: number): void {
    const memory = this.#memory;
    memory.wantSignal(PoolSignal.NOTIFY);
    if (!this.#canReap()) memory.awaitSignal(Math.min(timeoutUs / 1000, SLICE_MS));
    memory.wantSignal(PoolSignal.NONE);
  }

  arm(): boolean {
    this.#events.take(this.eventFd);
    this.#memory.wantSignal(PoolSignal.EVENT);
    return !this.#canReap();
  }

  disarm(): void {
    this.#memory.wantSignal(PoolSignal.NONE);
  }

  settle(): boolean {
    if (this.#settled !== null) return this.#settled;
    const memory = this.#memory;
    memory.withdraw();
    const end = performance.now() + CLOSE_TIMEOUT_MS;
    // Seen once it is certain: a worker that looks for work and finds none is busy for a moment as well.
    let quiet = memory.isQuiet();
    while (!quiet && performance.now() < end) {
      memory.wantSignal(PoolSignal.NOTIFY);
      quiet = memory.isQuiet();
      if (!quiet) memory.awaitSignal(CLOSE_SLICE_MS);
    }
    this.#settled = quiet;
    return quiet;
  }

  close(): void {
    if (this.#closed) return;
    const settled = this.settle();
    this.#closed = true;
    // A pool with a worker that is at something yet serves nobody else.
    if (settled) this.#memory.detach();
    this.#inFlight = 0;
    this.#syscalls.close(this.eventFd);
  }

  #canReap(): boolean {
    if (this.#memory.hasDone(this.depth)) return true;
    return this.#inFlight > 0 && this.#memory.state === PoolState.DEAD;
  }
}

/** @throws WasmUringError ERR_SETUP */
export function openThreads(request: ThreadsRequest): BlockBackend {
  const { pool, syscalls, fd } = request;
  const eventFd = syscalls.dup(pool.eventFd);
  if (eventFd < 0) {
    throw new WasmUringError("ERR_SETUP", {
      what: 'duplicating the eventfd of the pool of aio "threads"',
      why: errnoName(-eventFd),
      likelyCause: "the pool was closed, or the limit of open files (ulimit -n)",
      syscall: "fcntl",
      errno: -eventFd,
    });
  }
  const memory = new PoolMemory(pool.memory);
  const free = memory.attach(fd);
  if (!free) syscalls.close(eventFd);
  assert(free, "a pool of workers was given to two back ends at a time");
  return new ThreadsBackend(request, memory, eventFd);
}
