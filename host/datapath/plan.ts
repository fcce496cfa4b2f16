/**
 * Everything that the embedder's thread decided about a device before the guest runs. Structured-cloneable: it crosses
 * to the guest's worker, and what the serving thread needs of it to that thread.
 */
import type { AioName, PoolHandle } from "../virtio/aio";
import type { BlkDisk } from "../virtio/blk-config";
import type { VhostUserPlan } from "./vhost-user-blk";

/** What holds the disk's bytes, and what moves them. */
export type DiskSource =
  | { kind: "file"; fd: number; aio: AioName; pool: PoolHandle | null }
  | { kind: "ram"; capacityBytes: number };

/** Descriptors of two eventfds: the guest's kick and the device's interrupt. Non-blocking. */
export interface Doorbells {
  kick: number;
  call: number;
}

export interface ThreadPlan {
  doorbells: Doorbells;
  /** How long the thread polls an idle queue before it sleeps, µs. */
  pollUs: number;
}

interface PlanBase {
  name: string;
  /** How messages begin: `device "disk" by vhost-blk`. */
  what: string;
  /** The words of a `DeviceControl`. */
  control: SharedArrayBuffer;
}

/** A disk that this process serves. */
export interface ServedPlan extends PlanBase {
  path: "virtio-blk" | "vhost-blk" | "vdpa-sim";
  disk: BlkDisk;
  source: DiskSource;
  /** null: the guest's own thread serves inside its calls. */
  thread: ThreadPlan | null;
}

/** A disk that a daemon serves. */
export interface DaemonPlan extends PlanBase {
  path: "vhost-user-blk";
  daemon: VhostUserPlan;
}

export type DevicePlan = ServedPlan | DaemonPlan;

/** Requests that a back end holds at once: as many as the largest queue. */
export const BACKEND_DEPTH = 1024;
