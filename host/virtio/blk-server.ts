/**
 * Serves one virtio-blk queue: takes what the driver made available, has it parsed, hands it to a block back end, and
 * gives it back with status and length. Called by a thread again and again; it never waits but in `drain`, and
 * allocates nothing after construction. At most as many requests are in flight as back end and queue allow; the others
 * stay in the avail ring until `serveAvail` is called again.
 *
 *   for (;;) {
 *     server.serveAvail();                                   // submits
 *     if (server.reapCompletions() > 0 && server.takeInterrupt()) signal();
 *     if (server.fault !== QueueFault.NONE) …                // the device needs a reset
 *     if (idle) { if (server.wantKicks()) continue; sleep(); server.suppressKicks(); }
 *   }
 */
import { Errno, VIRTIO_BLK_ID_BYTES, VirtioBlkFeature, VirtioBlkStatus } from "../abi";
import { type BlockBackend, BlockOperation, type Completions } from "./aio/backend";
import type { BlkDisk } from "./blk-config";
import { BlkOutcome, BlkRequest } from "./blk-request";
import type { DeviceWindow } from "./descriptor-chain";
import { InFlight } from "./in-flight";
import type { QueueFault } from "./queue-fault";
import type { QueueSetup } from "./service";
import { ShortReads } from "./short-reads";
import type { VectorTables } from "./vector-tables";
import { DeviceQueue, hasFeature } from "./virtqueue";

export interface BlkServerOptions {
  window: DeviceWindow;
  /** Inside the window: `queueFits`. */
  queue: QueueSetup;
  /** Stays the caller's. */
  backend: BlockBackend;
  disk: BlkDisk;
  /** For as many tags as back end or queue have; stay the caller's, until the back end is settled. */
  vectors: VectorTables;
  /** An earlier server's `lostWrites`. Default false. */
  lostWrites?: boolean;
}

/** How long `drain` sleeps before it looks whether to give up, µs. */
const DRAIN_SLICE_US = 50_000;

/** fdatasync(2) failed because data could not be stored; the kernel says so once, and forgets the data. */
function losesWrites(result: number): boolean {
  return result === -Errno.EIO || result === -Errno.ENOSPC || result === -Errno.EDQUOT;
}

export class BlkServer {
  readonly #queue: DeviceQueue;
  readonly #backend: BlockBackend;
  readonly #request: BlkRequest;
  readonly #vectors: VectorTables;
  readonly #bytes: Uint8Array;
  readonly #serial: Uint8Array;
  /** Without FLUSH the driver takes a completed write for a stable one. */
  readonly #writeThrough: boolean;
  readonly #completions: Completions;
  readonly #reads: ShortReads;

  readonly #inFlight: InFlight;
  // By tag.
  readonly #heads: Uint16Array;
  readonly #operations: Uint8Array;
  readonly #statusOffsets: Uint32Array;
  readonly #lengths: Uint32Array;

  #lostWrites: boolean;
  #interrupt = false;
  #errorCount = 0;

  constructor(options: BlkServerOptions) {
    const { window, queue, backend, disk, vectors, lostWrites = false } = options;
    const tags = Math.min(backend.depth, queue.size);
    this.#queue = new DeviceQueue(window, queue);
    this.#backend = backend;
    this.#request = new BlkRequest(window, this.#queue.chain, disk);
    this.#vectors = vectors;
    this.#bytes = new Uint8Array(window.buffer);
    this.#serial = new Uint8Array(VIRTIO_BLK_ID_BYTES);
    this.#serial.set(Buffer.from(disk.serial, "utf8").subarray(0, VIRTIO_BLK_ID_BYTES));
    this.#writeThrough = !hasFeature(queue.features, VirtioBlkFeature.FLUSH);
    this.#completions = { tags: new Int32Array(tags), results: new Int32Array(tags) };
    this.#reads = new ShortReads(tags, disk.blockBytes, this.#vectors, this.#bytes);
    this.#inFlight = new InFlight(tags, window.buffer.byteLength);
    this.#heads = new Uint16Array(tags);
    this.#operations = new Uint8Array(tags);
    this.#statusOffsets = new Uint32Array(tags);
    this.#lengths = new Uint32Array(tags);
    this.#lostWrites = lostWrites;
  }

  /** Not NONE once the driver broke the queue: nothing more is taken, what was taken completes. */
  get fault(): QueueFault {
    return this.#queue.fault;
  }

  /** Free-running index of the next avail entry to take. */
  get availIndex(): number {
    return this.#queue.availIndex;
  }

  /** Requests answered with another status than OK, for the owner's report. */
  get errorCount(): number {
    return this.#errorCount;
  }

  /** Requests with the back end. */
  get inFlight(): number {
    return this.#inFlight.count;
  }

  /**
   * A flush failed, and what was written before it is nowhere any more: every later flush fails as well, as in QEMU
   * (page_cache_inconsistent), because the kernel would answer it with success.
   */
  get lostWrites(): boolean {
    return this.#lostWrites;
  }

  /** Whether `serveAvail` would take something. */
  hasWork(): boolean {
    return this.#inFlight.hasRoom && this.#queue.pending() > 0;
  }

  /** The driver need not kick: this thread looks on its own. */
  suppressKicks(): void {
    this.#queue.suppressKicks();
  }

  /** The driver is to kick. True when chains are available already: look again instead of sleeping. */
  wantKicks(): boolean {
    return this.#queue.wantKicks();
  }

  /** Takes and starts what is available while there is room, or answers it at once. Returns how many were taken. */
  serveAvail(): number {
    const queue = this.#queue;
    const request = this.#request;
    const { size } = queue;
    let taken = 0;
    let prepared = 0;
    // Bounded: a guest that adds as fast as it is answered must not keep this thread from looking elsewhere.
    while (this.#inFlight.hasRoom && taken < size) {
      const head = queue.next();
      if (head < 0) break;
      taken++;
      const outcome = request.parse();
      if (outcome === BlkOutcome.PERFORM) {
        this.#perform(head);
        prepared++;
      } else this.#answer(head, outcome);
    }
    if (prepared > 0) this.#backend.submit();
    return taken;
  }

  /** Gives back what is complete, and shows it to the driver. Returns how many the driver sees anew. */
  reapCompletions(): number {
    const backend = this.#backend;
    if (this.#inFlight.count > 0) {
      const completions = this.#completions;
      const { tags, results } = completions;
      const count = backend.reap(completions);
      let prepared = 0;
      for (let index = 0; index < count; index++) {
        const tag = tags[index] ?? 0;
        if (this.#finish(tag, results[index] ?? 0)) continue;
        prepared++;
      }
      if (prepared > 0) backend.submit();
    }
    const shown = this.#queue.unpublished;
    if (shown > 0 && this.#queue.publish()) this.#interrupt = true;
    return shown;
  }

  /** Whether the driver wants an interrupt for what it was shown since the last call. */
  takeInterrupt(): boolean {
    const interrupt = this.#interrupt;
    this.#interrupt = false;
    return interrupt;
  }

  /**
   * Completes everything taken, takes nothing. False when `giveUp` said so first (asked every 50 ms at least): then the
   * back end's `close` awaits or cancels the rest.
   */
  drain(giveUp: () => boolean): boolean {
    this.reapCompletions();
    while (this.inFlight > 0) {
      if (giveUp()) return false;
      this.#backend.wait(DRAIN_SLICE_US);
      this.reapCompletions();
    }
    return true;
  }

  #perform(head: number): void {
    const request = this.#request;
    const { operation, offsetBytes, lengthBytes, segmentFirst, segmentCount } = request;
    const tag = this.#inFlight.take(lengthBytes);
    this.#heads[tag] = head;
    this.#operations[tag] = operation;
    this.#statusOffsets[tag] = request.statusOffset;
    this.#lengths[tag] = lengthBytes;
    this.#reads.begin(tag, offsetBytes, lengthBytes);
    const { offsets, lengths } = this.#queue.chain;
    const vectors = this.#vectors;
    vectors.fill(tag, offsets, lengths, segmentFirst, segmentCount);
    const address = vectors.addressOf(tag);
    const { unmap } = request;
    this.#backend.prepare(operation, tag, offsetBytes, address, segmentCount, lengthBytes, unmap);
  }

  /** What needs no I/O. A request that cannot be answered breaks the queue. */
  #answer(head: number, outcome: BlkOutcome): void {
    const request = this.#request;
    if (outcome === BlkOutcome.BROKEN) {
      this.#queue.fault = request.fault;
      return;
    }
    if (outcome === BlkOutcome.IDENTIFY) {
      const written = this.#identify();
      this.#bytes[request.statusOffset] = VirtioBlkStatus.OK;
      this.#queue.push(head, written + 1);
      return;
    }
    if (request.status !== VirtioBlkStatus.OK) this.#errorCount++;
    this.#bytes[request.statusOffset] = request.status;
    this.#queue.push(head, 1);
  }

  /** Writes as much of the serial number as the segments hold. */
  #identify(): number {
    const { segmentFirst, segmentCount } = this.#request;
    const { offsets, lengths } = this.#queue.chain;
    let written = 0;
    for (let index = segmentFirst; index < segmentFirst + segmentCount; index++) {
      const offset = offsets[index] ?? 0;
      const part = Math.min(lengths[index] ?? 0, VIRTIO_BLK_ID_BYTES - written);
      for (let byte = 0; byte < part; byte++) {
        this.#bytes[offset + byte] = this.#serial[written + byte] ?? 0;
      }
      written += part;
    }
    return written;
  }

  /** Answers the request of a tag. False when it goes to the back end once more, prepared. */
  #finish(tag: number, result: number): boolean {
    const operation: BlockOperation = this.#operations[tag] ?? BlockOperation.FLUSH;
    const length = this.#lengths[tag] ?? 0;
    let status = VirtioBlkStatus.OK;
    let written = 1;
    if (result < 0) {
      const unsupported = result === -Errno.EOPNOTSUPP && operation >= BlockOperation.DISCARD;
      status = unsupported ? VirtioBlkStatus.UNSUPP : VirtioBlkStatus.IOERR;
    } else if (operation === BlockOperation.READ) {
      if (this.#reads.goesOn(tag, result, this.#backend)) return false;
      written += length;
    } else if (operation === BlockOperation.WRITE && result < length) {
      status = VirtioBlkStatus.IOERR;
    }
    if (operation === BlockOperation.FLUSH) {
      this.#lostWrites ||= losesWrites(result);
      if (this.#lostWrites) status = VirtioBlkStatus.IOERR;
    }
    const stable = operation === BlockOperation.READ || operation === BlockOperation.FLUSH;
    if (status === VirtioBlkStatus.OK && this.#writeThrough && !stable) {
      this.#operations[tag] = BlockOperation.FLUSH;
      this.#backend.prepare(BlockOperation.FLUSH, tag, 0, 0, 0, 0, false);
      return false;
    }
    if (status !== VirtioBlkStatus.OK) this.#errorCount++;
    this.#bytes[this.#statusOffsets[tag] ?? 0] = status;
    this.#queue.push(this.#heads[tag] ?? 0, written);
    this.#inFlight.giveBack(tag, length);
    return true;
  }
}
