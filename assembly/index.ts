/** The guest SDK of wasm-uring for AssemblyScript: `import { Ring, openGrant, prepReadFixed } from "wasm-uring/assembly"`. */
export * from "./abi";
export { Arena, guestAddress } from "./arena";
export { findGrant, Grant, openGrant } from "./grant";
export {
  prepCancel,
  prepFadvise,
  prepFallocate,
  prepFsync,
  prepFtruncate,
  prepPollAdd,
  prepPollRemove,
  prepReadFixed,
  prepShutdown,
  prepSyncFileRange,
  prepWriteFixed,
} from "./prep";
export { addSqeFlags, cqeResult, cqeUserData, Ring } from "./ring";
export { SequentialReader } from "./sequential-reader";
export {
  exit,
  monotonicNs,
  print,
  printError,
  programArguments,
  writeBytes,
} from "./wasi/process";
