/** The entry of a worker thread of aio "threads": takes requests and performs them until the pool is stopped. */
import { parentPort, workerData } from "node:worker_threads";
import { assert } from "../../errors";
import { eventFds } from "../../ffi/event-fd";
import { fileIo } from "../../ffi/file-io";
import { linuxSyscalls } from "../../ffi/linux";
import { DiskFile } from "./disk-file";
import { PoolSignal, PoolState } from "./pool-layout";
import { PoolMemory } from "./pool-memory";
import { makeZeroBuffer } from "./zero";

/** workerData. */
export interface PoolWorkerStart {
  memory: SharedArrayBuffer;
  /** 0 to POOL_THREADS_MAX - 1. */
  worker: number;
}

/** A stopped pool wakes its workers; this is only for the case that it cannot. */
const SLICE_MS = 50;

function servePool({ memory, worker }: PoolWorkerStart): void {
  const pool = new PoolMemory(memory);
  const file = new DiskFile(fileIo(), makeZeroBuffer(linuxSyscalls()));
  const events = eventFds();
  assert(parentPort !== null, "a pool's worker was loaded outside a worker thread");
  parentPort.postMessage("ready");
  while (pool.state === PoolState.RUNNING) {
    pool.setBusy(worker, true);
    const tag = pool.take();
    if (tag >= 0) {
      const result = file.perform(
        pool.operationOf(tag),
        pool.fd,
        pool.offsetOf(tag),
        pool.vectorsOf(tag),
        pool.countOf(tag),
        pool.lengthOf(tag),
        pool.mayUnmap(tag),
      );
      if (pool.finish(tag, result) === PoolSignal.EVENT) events.signal(pool.eventFd);
    }
    pool.setBusy(worker, false);
    if (tag < 0) pool.sleep(SLICE_MS);
  }
}

servePool(workerData);
