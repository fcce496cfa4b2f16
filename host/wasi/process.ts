/** The family of a guest's own process: its end, and giving way to others. */
import { WasiErrno } from "./errno";
import { unsigned, type WasiFunctions } from "./parameter";

export interface ProcessOptions {
  /** Leaves the guest by throwing; never returns. */
  exit: (code: number) => never;
}

export function processFunctions({ exit }: ProcessOptions): WasiFunctions {
  return {
    proc_exit: (code = 0) => exit(unsigned(code)),
    // A guest has its thread to itself, so there is nobody to give way to.
    sched_yield: () => WasiErrno.SUCCESS,
    // A guest cannot be allowed to signal the process of its host.
    proc_raise: () => WasiErrno.ENOSYS,
    // Waiting for more than one thing is what the ring is for.
    poll_oneoff: () => WasiErrno.ENOSYS,
  };
}
