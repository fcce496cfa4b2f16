/** Finding out what this machine allows. */
export { probe } from "./probe";
export type {
  AttributeOracle,
  Capability,
  EngineChoice,
  Environment,
  HostileCheck,
  OpcodeSupport,
  ProbeReport,
} from "./report";
