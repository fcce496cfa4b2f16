/**
 * What the command line's exit codes mean: the guest's own, and these, which are a shell's habits.
 */
export enum ExitCode {
  SUCCESS = 0,
  /** `probe`: a hostile check was not refused. */
  ESCAPED = 1,
  /** Bad input, or the host failed: nothing of the guest's own. */
  BAD_INPUT = 2,
  /** As timeout(1). */
  DEADLINE = 124,
  /** 128 + SIGINT. */
  INTERRUPTED = 130,
  /** 128 + SIGABRT, as wasmtime. */
  TRAP = 134,
  /** 128 + SIGTERM. */
  TERMINATED = 143,
}

/**
 * A guest's 32-bit exit code as a process can have it: the low byte, but failure never becomes
 * success.
 */
export function processExitCode(guestCode: number): number {
  const code = guestCode & 0xff;
  return code === 0 && guestCode !== 0 ? 1 : code;
}
