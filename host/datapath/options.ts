/** What an embedder says of a block device that a guest may ask for by name. Types only. */
import type { AioName } from "../virtio/aio/backend";

export type DataPathName =
  | "passthrough"
  | "virtio-blk"
  | "vhost-blk"
  | "vhost-user-blk"
  | "vdpa-sim";

interface FileBacked {
  /** A regular file or block device. Its length is the capacity, in whole sectors of 512 bytes. */
  file: string;
  /** O_DIRECT. Default false. */
  direct?: boolean;
  readOnly?: boolean;
}

/** The guest's own ring: the device becomes a grant of the same name, plus the opcodes that a disk needs. */
export interface PassthroughDevice extends FileBacked {
  path: "passthrough";
}

/** A virtqueue served as QEMU does: by an exit to the guest's thread, or by an I/O thread. */
export interface VirtioBlkDevice extends FileBacked {
  path: "virtio-blk";
  /** Default "io_uring". */
  aio?: AioName;
  /** A thread of its own serves the queue. Default false. */
  iothread?: boolean;
  /** Workers of aio "threads". Default 8. */
  threads?: number;
}

/** The same virtqueue polled by a thread of its own. */
export interface VhostBlkDevice extends FileBacked {
  path: "vhost-blk";
  aio?: AioName;
  threads?: number;
  /** How long the thread polls an idle queue before it sleeps, µs. Default 50. */
  pollUs?: number;
}

/** The same virtqueue served by a vhost-user-blk daemon, qemu-storage-daemon for one. */
export interface VhostUserBlkDevice {
  path: "vhost-user-blk";
  /** Path of the daemon's Unix socket. */
  socket: string;
  /**
   * How long a guest that resets its device after the daemon went away waits for it to come back, ms. Default 0: the
   * device stays lost unless the daemon is there again already.
   */
  reconnectMs?: number;
}

/** The same virtqueue with a RAM disk behind it. */
export interface VdpaSimDevice {
  path: "vdpa-sim";
  capacityBytes: number;
  readOnly?: boolean;
  /** As of vhost-blk. Default 0: the thread sleeps as soon as the queue is empty. */
  pollUs?: number;
}

export type DeviceRequest =
  | PassthroughDevice
  | VirtioBlkDevice
  | VhostBlkDevice
  | VhostUserBlkDevice
  | VdpaSimDevice;
