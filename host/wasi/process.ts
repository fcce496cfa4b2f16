/** The family of a guest's own process: its end, and giving way to others. */
import { loadSyscalls } from "../ffi";
import { scheduler } from "../ffi/scheduler";
import { WasiErrno } from "./errno";
import { unsigned, type WasiFunctions } from "./parameter";

export interface ProcessOptions {
  /** Leaves the guest by throwing; never returns. */
  exit: (code: number) => never;
}

/** `signal` of WASI. */
const enum Signal {
  NONE = 0,
  CHLD = 16,
  CONT = 17,
  STOP = 18,
  TTOU = 21,
  URG = 22,
  WINCH = 27,
  SYS = 30,
}

/** Those that a process ignores unless it says otherwise. */
const IGNORED: readonly number[] = [
  Signal.NONE,
  Signal.CHLD,
  Signal.CONT,
  Signal.URG,
  Signal.WINCH,
];
/** What a shell adds to the number of the signal that ended a process. */
const EXIT_OF_SIGNALS = 128;

/**
 * A guest has no handlers and is no process: a signal that would end one ends the guest, as a shell
 * would report it, and nobody else. Linux has one number more than WASI from 16 on.
 */
function raise(signal: number, exit: (code: number) => never): WasiErrno {
  if (signal > Signal.SYS) return WasiErrno.EINVAL;
  if (IGNORED.includes(signal)) return WasiErrno.SUCCESS;
  // Nobody could continue a guest that was stopped.
  if (signal >= Signal.STOP && signal <= Signal.TTOU) return WasiErrno.ENOTSUP;
  return exit(EXIT_OF_SIGNALS + (signal < Signal.CHLD ? signal : signal + 1));
}

/** To whoever waits for this processor: the thread that serves the guest's device, for one. */
function giveWay(): WasiErrno {
  if (loadSyscalls().syscalls !== null) scheduler().yieldProcessor();
  return WasiErrno.SUCCESS;
}

export function processFunctions({ exit }: ProcessOptions): WasiFunctions {
  return {
    proc_exit: (code = 0) => exit(unsigned(code)),
    proc_raise: (signal = 0) => raise(unsigned(signal), exit),
    sched_yield: giveWay,
  };
}
