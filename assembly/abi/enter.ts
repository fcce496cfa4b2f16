/** io_uring_enter(2): its flags. What it takes with EXT_ARG is `GeteventsArg` of `register.ts`. */

/** IORING_ENTER_*. */
export enum EnterFlag {
  GETEVENTS = 1,
  SQ_WAKEUP = 2,
  SQ_WAIT = 4,
  EXT_ARG = 8,
  REGISTERED_RING = 16,
  ABS_TIMER = 32,
  EXT_ARG_REG = 64,
  NO_IOWAIT = 128,
}
