/**
 * WASI preview1 ("WASI 0.1") for guests: what a small program needs to start, print, read its input
 * and end.
 */
export { type Abort, type AbortOptions, createAbort } from "./abort";
export { createStdio, type InputChoice, type OutputChoice, pollBy } from "./choose";
export { createWasi, type WasiOptions } from "./create";
export { WasiErrno, wasiErrnoOf } from "./errno";
export type { PollCall } from "./inherit";
export { wasiFunctionNames } from "./names";
export type { Parameter, WasiFunction, WasiFunctions } from "./parameter";
export type { CaptureSink, Stdio, Stream } from "./stream";
