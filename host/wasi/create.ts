/**
 * The import module `wasi_snapshot_preview1` for one guest, on the guest's own thread. It is part
 * of the wall: every pointer and length is the guest's and checked, nothing here throws for what a
 * guest passed, and no wait outlasts the stop signal.
 */
import type { GuestMemory } from "../memory/guest-memory";
import { argumentFunctions } from "./arguments";
import { clockFunctions } from "./clock";
import type { NativeCalls } from "./context";
import { WasiErrno } from "./errno";
import { createDescriptors, type FileGrants, NO_FILES } from "./files";
import type { WasiFunctions } from "./parameter";
import { processFunctions } from "./process";
import { randomFunctions } from "./random";
import type { Stdio } from "./stream";

export interface WasiOptions {
  /** Called at every import: a guest that exports its memory has none before it is instantiated. */
  memory: () => GuestMemory;
  args: readonly string[];
  env: Readonly<Record<string, string>>;
  stdio: Stdio;
  /** The system calls; without them (null or left out) a guest has its standard streams alone. */
  native?: NativeCalls | null;
  /** Directories and sockets. Default: none. */
  files?: FileGrants;
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

export interface Wasi {
  functions: WasiFunctions;
  /** Closes what the guest left open. When it has ended; its functions must not be called again. */
  close: () => void;
}

/** @throws WasmUringError ERR_BAD_OPTION for an argument or variable with a zero byte. */
export function openWasi(options: WasiOptions): Wasi {
  const { memory, stdio, stopped, unwind } = options;
  const interrupted = (): WasiErrno => {
    if (unwind !== undefined && stopped()) unwind();
    return WasiErrno.EINTR;
  };
  const { functions, close } = createDescriptors({
    memory,
    stdio,
    stopped,
    interrupted,
    native: options.native ?? null,
    grants: options.files ?? NO_FILES,
  });
  return {
    functions: {
      ...functions,
      ...argumentFunctions(options),
      ...clockFunctions(options),
      ...randomFunctions({ memory, stopped, interrupted }),
      ...processFunctions(options),
    },
    close,
  };
}

/** Only the functions, where nothing is granted that could be left open. */
export function createWasi(options: WasiOptions): WasiFunctions {
  return openWasi(options).functions;
}
