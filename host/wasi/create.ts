/**
 * The import module `wasi_snapshot_preview1` for one guest, on the guest's own thread. It is part
 * of the wall: every pointer and length is the guest's and checked, nothing here throws for what a
 * guest passed, and no wait outlasts the stop signal.
 */
import type { GuestMemory } from "../memory/guest-memory";
import { argumentFunctions } from "./arguments";
import { clockFunctions } from "./clock";
import { WasiErrno } from "./errno";
import type { WasiFunction, WasiFunctions } from "./parameter";
import { processFunctions } from "./process";
import { randomFunctions } from "./random";
import { stdioFunctions } from "./stdio";
import type { Stdio } from "./stream";
import { unservedFunctions } from "./unserved";

export interface WasiOptions {
  /** Called at every import: a guest that exports its memory has none before it is instantiated. */
  memory: () => GuestMemory;
  args: readonly string[];
  env: Readonly<Record<string, string>>;
  stdio: Stdio;
  /** The guest is to end: waits and long loops return EINTR. */
  stopped: () => boolean;
  /** proc_exit; throws. */
  exit: (code: number) => never;
  /**
   * Ends a guest that is to end, by throwing, where a call was cut short for it: a guest that took
   * the EINTR for the end of its input would exit as if nothing had happened. Without it the guest
   * sees the EINTR.
   */
  unwind?: () => never;
}

/** The functions that may wait or work long. */
const INTERRUPTIBLE = ["fd_read", "fd_write", "random_get"] as const;

/** @throws WasmUringError ERR_BAD_OPTION for an argument or variable with a zero byte. */
export function createWasi(options: WasiOptions): WasiFunctions {
  const functions: WasiFunctions = {
    ...unservedFunctions(),
    ...argumentFunctions(options),
    ...clockFunctions(options),
    ...randomFunctions(options),
    ...stdioFunctions(options),
    ...processFunctions(options),
  };
  const { unwind, stopped } = options;
  if (unwind === undefined) return functions;
  for (const name of INTERRUPTIBLE) {
    const call = functions[name];
    if (call !== undefined) functions[name] = unwinding(call, stopped, unwind);
  }
  return functions;
}

function unwinding(call: WasiFunction, stopped: () => boolean, unwind: () => never): WasiFunction {
  return (...parameters) => {
    const result = call(...parameters);
    return result === WasiErrno.EINTR && stopped() ? unwind() : result;
  };
}
