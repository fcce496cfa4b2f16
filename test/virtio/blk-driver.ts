/**
 * virtio-blk requests over the model driver: header, data and status in the window, and a server with a disk in memory
 * behind the queue. For tests of the server, good and hostile.
 */
import * as assert from "uvu/assert";
import { VirtioBlkFeature, type VirtioBlkType } from "../../assembly/abi/index";
import { linuxSyscalls } from "../../host/ffi/linux";
import type { BlkDisk } from "../../host/virtio/blk-config";
import { BlkServer } from "../../host/virtio/blk-server";
import { VectorTables } from "../../host/virtio/vector-tables";
import { CanaryArea } from "./canary-area";
import { type ChainBuffer, ModelDriver } from "./driver";
import { MemoryBackend } from "./memory-backend";

export const DISK_BYTES = 256 * 1024;
const WINDOW_BYTES = 1024 * 1024;
/** What no device writes: a status that stayed as it was. */
export const NO_STATUS = 0xee;

export const DISK: BlkDisk = {
  capacityBytes: DISK_BYTES,
  blockBytes: 512,
  readOnly: false,
  discard: true,
  writeZeroes: true,
  serial: "wasm-uring test disk",
};

export interface BenchOptions {
  size?: number;
  depth?: number;
  disk?: Partial<BlkDisk>;
  /** Whether the driver negotiated FLUSH. Default true. */
  flush?: boolean;
  eventIndex?: boolean;
  indirect?: boolean;
  index?: number;
}

/** A driver and a server around one window. */
export class BlkBench {
  readonly area: CanaryArea;
  readonly driver: ModelDriver;
  readonly backend: MemoryBackend;
  readonly vectors: VectorTables;
  readonly server: BlkServer;
  /** First guest offset that a test may use. */
  readonly free: number;

  constructor(options: BenchOptions = {}) {
    const { size = 64, depth = 64, flush = true, eventIndex = true, indirect = true } = options;
    this.area = new CanaryArea(WINDOW_BYTES);
    this.driver = new ModelDriver({
      window: this.area.window,
      size,
      eventIndex,
      indirect,
      features: flush ? 1n << BigInt(VirtioBlkFeature.FLUSH) : 0n,
      index: options.index ?? 0,
    });
    this.backend = new MemoryBackend(this.area, DISK_BYTES, depth);
    this.vectors = new VectorTables(depth, this.area.window.deviceAddress, linuxSyscalls());
    this.server = new BlkServer({
      window: this.area.window,
      queue: this.driver.setup,
      backend: this.backend,
      disk: { ...DISK, ...options.disk },
      vectors: this.vectors,
    });
    this.free = Math.ceil(this.driver.end / 4096) * 4096;
  }

  /** Writes a request header at a guest offset. */
  writeHeader(offset: number, type: number, sector: bigint): void {
    const view = this.#view(offset, 16);
    view.setUint32(0, type, true);
    view.setUint32(4, 0, true);
    view.setBigUint64(8, sector, true);
  }

  writeRange(offset: number, sector: bigint, sectors: number, flags: number): void {
    const view = this.#view(offset, 16);
    view.setBigUint64(0, sector, true);
    view.setUint32(8, sectors, true);
    view.setUint32(12, flags, true);
  }

  /**
   * Makes one request available with its header and its status at `place` and its data where `data` says, serves it, and
   * tells status and used length.
   */
  request(type: number, sector: number | bigint, data: readonly ChainBuffer[] = []) {
    const place = this.free;
    this.writeHeader(place, type, BigInt(sector));
    this.area.at(place + 16, 1).fill(NO_STATUS);
    const readable = data.filter(({ write }) => !write);
    const writable = data.filter(({ write }) => write);
    this.driver.add([
      { offset: place, length: 16, write: false },
      ...readable,
      ...writable,
      { offset: place + 16, length: 1, write: true },
    ]);
    this.driver.publish();
    return { length: this.run(), status: this.status(place + 16) };
  }

  /** Serves until nothing moves; the used length of the one element given back, -1 when there is none. */
  run(): number {
    while (this.server.serveAvail() + this.server.reapCompletions() > 0);
    if (this.backend.completeAtMost > 0) this.server.drain(() => false);
    const used = this.driver.reap();
    assert.ok(used.length <= 1);
    return used[0]?.length ?? -1;
  }

  status(offset: number): number {
    return this.area.at(offset, 1)[0] ?? -1;
  }

  /** A buffer of data, page after page behind header and status. */
  data(page: number, length: number, write: boolean): ChainBuffer {
    return { offset: this.free + 4096 * (page + 1), length, write };
  }

  /** DISCARD or WRITE_ZEROES of one range. */
  change(type: VirtioBlkType, sector: bigint, sectors: number, flags = 0) {
    const range = this.data(0, 16, false);
    this.writeRange(range.offset, sector, sectors, flags);
    return this.request(type, 0, [range]);
  }

  #view(offset: number, length: number): DataView {
    const bytes = this.area.at(offset, length);
    return new DataView(bytes.buffer, bytes.byteOffset, length);
  }
}

/** One bench for one test, checked and given back whatever happens. */
export function withBench(options: BenchOptions, use: (bench: BlkBench) => void): void {
  const bench = new BlkBench(options);
  try {
    use(bench);
    bench.area.check();
    bench.backend.check();
  } finally {
    bench.backend.close();
    bench.vectors.release();
    bench.area.release();
  }
}
