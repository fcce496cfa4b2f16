/**
 * A disk with the back end that performs its I/O and, between start and stop, the server of its queue: what the
 * guest's own thread (`inline.ts`) and a device's thread (`queue-loop.ts`) have in common. Says in the device's
 * shared words what would be left behind if this thread were killed.
 */
import { Errno } from "../abi";
import { WasmUringError } from "../errors";
import type { Syscalls } from "../ffi/syscalls";
import { viewWindow } from "../memory/window";
import { type BlockBackend, openBackend, openRamDisk } from "../virtio/aio";
import type { BlkDisk } from "../virtio/blk-config";
import { BlkServer } from "../virtio/blk-server";
import { QueueFault } from "../virtio/queue-fault";
import type { QueueSetup } from "../virtio/service";
import { VectorTables } from "../virtio/vector-tables";
import type { DeviceControl } from "./control";
import { BACKEND_DEPTH, type DiskSource } from "./plan";

/** How long what is in flight may take once the queue is to stop. */
const DRAIN_MS = 5000;

export interface ServedDiskOptions {
  /** How messages begin: `device "disk" by vhost-blk`. */
  what: string;
  disk: BlkDisk;
  source: DiskSource;
  control: DeviceControl;
  syscalls: Syscalls;
}

/** @throws WasmUringError naming the device, and the back end that the machine denies */
function openSource({ what, source, syscalls }: ServedDiskOptions): BlockBackend {
  const depth = BACKEND_DEPTH;
  try {
    if (source.kind === "ram") {
      return openRamDisk({ capacityBytes: source.capacityBytes, depth, syscalls });
    }
    const { fd, aio, pool } = source;
    return openBackend(aio, { fd, depth, syscalls, ...(pool === null ? {} : { pool }) });
  } catch (error) {
    if (!(error instanceof WasmUringError)) throw error;
    const detail = { ...error.detail, what: `${what}: ${error.detail.what}` };
    throw new WasmUringError(error.code, detail);
  }
}

export class ServedDisk {
  readonly backend: BlockBackend;
  /** null while the queue is not served. */
  server: BlkServer | null = null;
  readonly #disk: BlkDisk;
  readonly #control: DeviceControl;
  readonly #syscalls: Syscalls;
  #counted = 0;
  #lostWrites = false;
  // Made at the first start and kept: a view is collected only by a thread whose event loop turns, which this does not.
  #buffer: ArrayBuffer | null = null;
  #vectors: VectorTables | null = null;
  #closed = false;

  /** @throws WasmUringError naming the device */
  constructor(options: ServedDiskOptions) {
    this.#disk = options.disk;
    this.#control = options.control;
    this.#syscalls = options.syscalls;
    this.backend = openSource(options);
    this.#control.publishBackend();
  }

  /** Begins to serve a queue in the window. 0 or a negated errno. */
  start(queue: QueueSetup): number {
    const window = this.#control.window();
    if (window === null || this.#closed || this.server !== null) return -Errno.EINVAL;
    try {
      const { offset, deviceAddress } = window;
      this.#buffer ??= viewWindow(window, this.#syscalls);
      this.#vectors ??= this.#makeVectors(deviceAddress);
      const server = new BlkServer({
        window: { buffer: this.#buffer, offset, deviceAddress },
        queue,
        backend: this.backend,
        disk: this.#disk,
        vectors: this.#vectors,
        lostWrites: this.#lostWrites,
      });
      this.#control.setFault(QueueFault.NONE);
      this.#counted = 0;
      this.server = server;
      return 0;
    } catch (error) {
      if (!(error instanceof WasmUringError)) throw error;
      return -(error.detail.errno ?? Errno.EIO);
    }
  }

  /** Counts what was answered since the last call. */
  count(answered: number): void {
    const errors = this.server?.errorCount ?? 0;
    this.#control.countRequests(answered, errors - this.#counted);
    this.#counted = errors;
  }

  /**
   * Completes what was taken. The index where `start` can go on, or -EIO when something did not complete in time: then
   * the back end is closed and serves nothing more.
   */
  stop(giveUp: () => boolean): number {
    const { server } = this;
    if (server === null) return -Errno.EINVAL;
    const end = performance.now() + DRAIN_MS;
    const before = server.inFlight;
    const drained = server.drain(() => giveUp() || performance.now() > end);
    this.count(before - server.inFlight);
    const { availIndex } = server;
    if (!drained) {
      this.close();
      return -Errno.EIO;
    }
    this.#endServer();
    return availIndex;
  }

  /** Cancels or awaits what is in flight, then closes the back end. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    // This may take its time, and a thread that is killed in it leaves the back end to the embedder's.
    const settled = this.backend.settle();
    if (!settled) this.#control.keepMapped();
    if (this.#control.claimBackend()) this.backend.close();
    this.#endServer();
    // What is still under way uses vectors and window, which stay mapped then.
    if (!settled || this.#vectors === null) return;
    this.#control.publishVectors(null);
    this.#vectors.release();
  }

  #makeVectors(deviceAddress: number): VectorTables {
    const vectors = new VectorTables(this.backend.depth, deviceAddress, this.#syscalls);
    this.#control.publishVectors(vectors.mapping);
    return vectors;
  }

  #endServer(): void {
    this.#lostWrites ||= this.server?.lostWrites ?? false;
    this.server = null;
  }
}
