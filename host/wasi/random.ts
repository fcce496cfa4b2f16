/**
 * random_get: bytes of the operating system's generator. The range is checked before the first byte
 * is made, and the work is cut into chunks with a look at the stop signal between them, because a
 * guest may ask for 4 GiB.
 */
import { randomFillSync } from "node:crypto";
import type { GuestMemory } from "../memory/guest-memory";
import { WasiErrno } from "./errno";
import { type Parameter, unsigned, type WasiFunctions } from "./parameter";

/** Private to the host and copied from, because the generator refuses shared buffers. */
export const RANDOM_CHUNK_BYTES = 64 * 1024;

export interface RandomOptions {
  memory: () => GuestMemory;
  stopped: () => boolean;
  /** What a call returns that was cut short; may throw instead. */
  interrupted: () => WasiErrno;
}

export function randomFunctions({ memory, stopped, interrupted }: RandomOptions): WasiFunctions {
  let chunk: Uint8Array | null = null;

  function randomGet(buffer: Parameter, length: Parameter): WasiErrno {
    const guest = memory();
    const start = unsigned(buffer);
    const end = start + unsigned(length);
    if (!guest.contains(start, unsigned(length))) return WasiErrno.EFAULT;
    chunk ??= new Uint8Array(RANDOM_CHUNK_BYTES);
    for (let at = start; at < end; at += chunk.length) {
      if (stopped()) return interrupted();
      const part = chunk.subarray(0, Math.min(chunk.length, end - at));
      randomFillSync(part);
      guest.bytes.set(part, at);
    }
    return WasiErrno.SUCCESS;
  }

  return { random_get: (buffer = 0, length = 0) => randomGet(buffer, length) };
}
