/** What crosses between the embedder's thread and the thread that serves a device: a start, then one of these. */
import type { PortableError } from "../errors";
import type { BackendRemains } from "../virtio/aio";
import type { BlkDisk } from "../virtio/blk-config";
import type { DiskSource, ThreadPlan } from "./plan";

/** workerData. */
export interface DeviceThreadStart {
  /** `device "disk" by vhost-blk`. */
  what: string;
  control: SharedArrayBuffer;
  disk: BlkDisk;
  source: DiskSource;
  thread: ThreadPlan;
}

export type DeviceThreadMessage =
  /** The back end is open, and commands are obeyed from now on. */
  | { type: "ready"; remains: BackendRemains }
  /** It ends, or never began to serve. */
  | { type: "failed"; error: PortableError };
