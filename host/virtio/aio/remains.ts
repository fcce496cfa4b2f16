/**
 * Cleans up behind a back end whose thread was killed. What it had in flight may still write into the memory under its
 * vectors, so this comes before that memory goes.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { aioCalls } from "../../ffi/aio";
import type { Syscalls } from "../../ffi/syscalls";
import { closeRingGently } from "../../ring/mapped/close";
import type { BackendRemains } from "./backend";
import { PoolMemory } from "./pool-memory";

const PAUSE_MS = 2;
/** How long a worker may be inside one system call. */
const POOL_TIMEOUT_MS = 10_000;

async function quietPool(memory: PoolMemory): Promise<boolean> {
  memory.withdraw();
  const end = performance.now() + POOL_TIMEOUT_MS;
  while (!memory.isQuiet()) {
    if (performance.now() >= end) return false;
    await sleep(PAUSE_MS);
  }
  memory.detach();
  return true;
}

/**
 * Called once when the thread is gone, on the embedder's. Cancels and awaits what is in flight, then closes and unmaps;
 * the event loop is not blocked.
 *
 * @returns false when something may still be in flight: the memory under its vectors must stay mapped
 */
export async function closeRemains(remains: BackendRemains, syscalls: Syscalls): Promise<boolean> {
  let isQuiet = true;
  if (remains.ringFd >= 0) isQuiet = await closeRingGently(syscalls, remains.ringFd);
  if (remains.context !== 0) await aioCalls().destroyAside(remains.context);
  if (remains.pool !== null) isQuiet &&= await quietPool(new PoolMemory(remains.pool.memory));
  for (const { address, length } of remains.mappings) syscalls.munmap(BigInt(address), length);
  for (const fd of remains.descriptors) syscalls.close(fd);
  return isQuiet;
}
