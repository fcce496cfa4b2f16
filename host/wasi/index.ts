/**
 * WASI preview1 ("WASI 0.1") for guests: all of its functions, over direct system calls, in a
 * sandbox that the kernel enforces.
 */
export { type Abort, type AbortOptions, createAbort } from "./abort";
export { createStdio, type InputChoice, type OutputChoice, pollBy } from "./choose";
export { type NativeCalls, nativeCalls } from "./context";
export { createWasi, openWasi, type Wasi, type WasiOptions } from "./create";
export { DESCRIPTORS_MAX_DEFAULT } from "./descriptor-table";
export { WasiErrno, wasiErrnoOf } from "./errno";
export type { FileGrants, GrantedSocket, Preopen } from "./files";
export type { PollCall } from "./inherit";
export { wasiFunctionNames } from "./names";
export type { Parameter, WasiFunction, WasiFunctions } from "./parameter";
export {
  type FileRequests,
  type OpenedFiles,
  openFileGrants,
  type PreopenRequest,
} from "./preopens";
export type { CaptureSink, Stdio, Stream } from "./stream";
export {
  checkWasmer,
  loadWasmer,
  type StdioProvider,
  WASMER_PACKAGE,
  type WasmerPackage,
  WasmerStdio,
} from "./wasmer";
