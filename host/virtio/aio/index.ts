/** The back ends of a virtual disk: what opens them, starts their workers, and cleans up behind them. */
export {
  type AioName,
  type BackendRemains,
  type BlockBackend,
  BlockOperation,
  type Completions,
} from "./backend";
export { type BackendRequest, openBackend, openRamDisk } from "./open";
export { type PoolRequest, startThreadPool, type ThreadPool } from "./pool";
export type { PoolHandle } from "./pool-layout";
export type { RamRequest } from "./ram";
export { closeRemains } from "./remains";
