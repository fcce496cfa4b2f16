/**
 * Opens a back end by its name. What the machine does not offer is refused with what to do about it; there is no
 * falling back to another.
 */
import { assert, WasmUringError } from "../../errors";
import type { AioCalls } from "../../ffi/aio";
import type { Syscalls } from "../../ffi/syscalls";
import type { AioName, BlockBackend } from "./backend";
import { openIoUring } from "./io-uring-open";
import { openNative } from "./native-open";
import type { PoolHandle } from "./pool-layout";
import { openRam, type RamRequest } from "./ram";
import { openThreads } from "./threads";

/** As deep as a virtqueue can be. */
const DEPTH_MAX = 1024;

export interface BackendRequest {
  /** The disk; stays the caller's, and open until `close`. */
  fd: number;
  /** Requests in flight, 1 to 1024. */
  depth: number;
  syscalls: Syscalls;
  /** `shared` of the pool that the embedder's thread started: for "threads", and for it alone. */
  pool?: PoolHandle;
  /** The calls of "native"; the real ones by default. */
  aio?: AioCalls;
}

function checkDepth(depth: number): void {
  if (Number.isInteger(depth) && depth >= 1 && depth <= DEPTH_MAX) return;
  throw new WasmUringError("ERR_BAD_OPTION", {
    what: `a back end of depth ${depth}`,
    why: `not a whole number from 1 to ${DEPTH_MAX}`,
  });
}

/**
 * Called on the thread that will serve the disk.
 *
 * @throws WasmUringError ERR_ENGINE_UNAVAILABLE when the machine denies this back end; ERR_MEMLOCK, ERR_SETUP
 */
export function openBackend(name: AioName, request: BackendRequest): BlockBackend {
  checkDepth(request.depth);
  switch (name) {
    case "io_uring":
      return openIoUring(request);
    case "native":
      return openNative(request);
    case "threads": {
      const { pool } = request;
      assert(pool !== undefined, 'aio "threads" without a pool');
      return openThreads({ ...request, pool });
    }
  }
}

/** A disk in memory, zeroes at first, allocated as it is written. @throws WasmUringError ERR_SETUP */
export function openRamDisk(request: RamRequest): BlockBackend {
  checkDepth(request.depth);
  return openRam(request);
}
