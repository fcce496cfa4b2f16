/** The guest SDK of wasm-uring for AssemblyScript: `import { Ring, openGrant, prepReadFixed } from "wasm-uring/assembly"`. */
export * from "./abi";
export { Arena, guestAddress, useArena } from "./arena";
export { BlockDevice } from "./block";
export { findBlockDevice, openBlockDevice, openBlockDevices } from "./datapath/open";
export { RingBlockDevice } from "./datapath/ring-block";
export { VirtioBlockDevice } from "./datapath/virtio-block";
export { VirtioBlockSetup } from "./datapath/virtio-setup";
export { findGrant, Grant, openGrant } from "./grant";
export { findPersonality, usePersonality } from "./personality";
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
export { Spin } from "./spin";
export { Virtqueue, writeDescriptor } from "./virtq";
export {
  exit,
  monotonicNs,
  print,
  printError,
  programArguments,
  writeBytes,
} from "./wasi/process";
export { readStandardInput } from "./wasi/standard-input";
