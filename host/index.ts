/** The public host API of wasm-uring. */
export type {
  DataPathName,
  DeviceRequest,
  PassthroughDevice,
  VdpaSimDevice,
  VhostBlkDevice,
  VhostUserBlkDevice,
  VirtioBlkDevice,
} from "./datapath/options";
export type { DeviceReport } from "./datapath/report";
export { type ErrorCode, type ErrorDetail, WasmUringError } from "./errors";
export type { Access, DescriptorGrant, GrantRequest, PathGrant } from "./grant/request";
export { createGuest, runGuest } from "./guest/create";
export type { Guest } from "./guest/guest";
export type {
  GuestOptions,
  GuestResult,
  LadderStep,
  Outcome,
  OutputOption,
  RingReport,
} from "./guest/options";
export { WASI, type WASIOptions } from "./guest/wasi";
export type { CustomPolicy, OpName, PolicyName, PolicyOption } from "./policy";
export type { ProbeReport } from "./probe";
export { probe } from "./probe";
export type {
  Credentials,
  EngineName,
  EngineStats,
  RingLayout,
  SqpollOptions,
} from "./ring/engine";
