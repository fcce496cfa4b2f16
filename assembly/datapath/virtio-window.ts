/**
 * The window of a virtio disk: the page-aligned range of this guest's memory that the device can reach.
 *
 *   | queue | slot 0 | slot 1 | ... | pad | buffer 0 | buffer 1 | ...
 *
 * A slot belongs to a tag and holds everything of its request but the data: chain, header, range, status. The chain of
 * header, data and status stands from the beginning, with indirect descriptors in the slot itself (one entry of the
 * queue for a request), else in three descriptors of the queue's table.
 */
import {
  Errno,
  VIRTQUEUE_SIZE_MAX,
  VirtioBlkHeader,
  VirtioFeature,
  VirtioRegister,
  VringDesc,
  VringDescFlag,
} from "../abi";
import { BLOCK_BUFFER_ALIGNMENT } from "../block";
import { alignUp } from "../ring-size";
import { virtioWindow } from "../virtio-host";
import { Virtqueue, writeDescriptor } from "../virtq";
import { VirtioTransport } from "./virtio-transport";

/** Descriptors of a request: header, data, status. */
export const CHAIN: u32 = 3;
/** The only queue of a device. */
export const QUEUE: u32 = 0;
/** Two tags share no cache line, and no pair of them that a processor fetches together. */
const SLOT_BYTES: usize = 128;

/** What a tag's request needs in the window. */
// @ts-ignore: decorator
@unmanaged
export class Slot {
  /** CHAIN descriptors of two words each, when they are indirect. */
  table0: u64;
  table1: u64;
  table2: u64;
  table3: u64;
  table4: u64;
  table5: u64;
  /** struct virtio_blk_outhdr. */
  type: u32;
  ioprio: u32;
  sector: u64;
  /** struct virtio_blk_discard_write_zeroes. */
  rangeSector: u64;
  rangeSectors: u32;
  rangeFlags: u32;
  /** The device's answer: its first byte. */
  status: u32;
  /** From here on this guest's own. The result when all went well. */
  whole: i32;
  /** Sectors of a range beyond the piece in flight. */
  sectorsLeft: u64;
  isInFlight: u32;
}

export class VirtioWindow {
  start: usize = 0;
  end: usize = 0;
  slots: usize = 0;
  buffers: usize = 0;
  strideBytes: usize = 0;
  /** Requests that there is room for. */
  depth: u32 = 0;
  queue: Virtqueue = changetype<Virtqueue>(0);
  /** Whether a request's chain lies in its slot. */
  isIndirect: bool = false;

  constructor(private readonly transport: VirtioTransport) {}

  /**
   * Allocates the window, declares it to the host, builds all chains and makes the queue ready.
   *
   * @returns 0 or a negated errno
   */
  place(depth: u32, bufferBytes: u32, pageBytes: u32): i32 {
    const transport = this.transport;
    this.isIndirect = transport.has(VirtioFeature.INDIRECT_DESC);
    const perTag: u32 = this.isIndirect ? 1 : CHAIN;
    transport.write(VirtioRegister.QUEUE_SEL, QUEUE);
    const sizeMax = min(transport.read(VirtioRegister.QUEUE_NUM_MAX), <u32>VIRTQUEUE_SIZE_MAX);
    this.depth = min(depth, sizeMax / perTag);
    if (this.depth == 0) return -(<i32>Errno.ENODEV);
    let size: u32 = 1;
    while (size < this.depth * perTag) size <<= 1;

    this.strideBytes = alignUp(bufferBytes, BLOCK_BUFFER_ALIGNMENT);
    const slotsStart = alignUp(Virtqueue.bytesOf(size), SLOT_BYTES);
    const slotsEnd = slotsStart + <usize>this.depth * SLOT_BYTES;
    const buffersStart = alignUp(slotsEnd, max(pageBytes, BLOCK_BUFFER_ALIGNMENT));
    const bytes = <u64>buffersStart + <u64>this.strideBytes * this.depth;
    if (bytes > <u64>i32.MAX_VALUE) return -(<i32>Errno.ENOMEM);
    const length = alignUp(<usize>bytes, pageBytes);
    // Never freed: the device reaches it as long as the guest lives.
    this.start = alignUp(heap.alloc(length + pageBytes), pageBytes);
    memory.fill(this.start, 0, buffersStart);
    const declared = virtioWindow(transport.handle, this.start, length);
    if (declared < 0) return declared;
    this.end = this.start + length;
    this.slots = this.start + slotsStart;
    this.buffers = this.start + buffersStart;
    this.queue = new Virtqueue(this.start, size, transport.has(VirtioFeature.EVENT_IDX));
    for (let tag: u32 = 0; tag < this.depth; tag++) this.buildChain(tag);
    return this.makeReady();
  }

  private makeReady(): i32 {
    const transport = this.transport;
    const queue = this.queue;
    transport.write(VirtioRegister.QUEUE_NUM, queue.size);
    transport.writeAddress(VirtioRegister.QUEUE_DESC_LOW, queue.descriptors);
    transport.writeAddress(VirtioRegister.QUEUE_AVAIL_LOW, queue.avail);
    transport.writeAddress(VirtioRegister.QUEUE_USED_LOW, queue.used);
    const result = transport.write(VirtioRegister.QUEUE_READY, 1);
    if (result < 0) return result;
    return transport.read(VirtioRegister.QUEUE_READY) == 1 ? 0 : -(<i32>Errno.EINVAL);
  }

  @inline slotOf(tag: u32): Slot {
    return changetype<Slot>(this.slots + <usize>tag * SLOT_BYTES);
  }

  /** Number of a chain's first descriptor, in the table that it lies in. */
  @inline firstOf(tag: u32): u32 {
    return this.isIndirect ? 0 : tag * CHAIN;
  }

  /** First descriptor of a tag's chain. */
  @inline chainOf(tag: u32): usize {
    if (this.isIndirect) return this.slots + <usize>tag * SLOT_BYTES;
    return this.queue.descriptors + <usize>(tag * CHAIN) * <usize>VringDesc.SIZE;
  }

  /** Writes what never changes of a tag's chain. */
  private buildChain(tag: u32): void {
    const slot = changetype<usize>(this.slotOf(tag));
    const header = this.chainOf(tag);
    const data = header + VringDesc.SIZE;
    const status = data + VringDesc.SIZE;
    const first = this.firstOf(tag);
    const headerAddress = slot + offsetof<Slot>("type");
    const next: u32 = VringDescFlag.NEXT;
    writeDescriptor(header, headerAddress, VirtioBlkHeader.SIZE, next, first + 1);
    writeDescriptor(data, 0, 0, next, first + 2);
    writeDescriptor(status, slot + offsetof<Slot>("status"), 1, VringDescFlag.WRITE, 0);
    if (!this.isIndirect) return;
    const entry = this.queue.descriptors + <usize>tag * <usize>VringDesc.SIZE;
    writeDescriptor(entry, header, CHAIN * VringDesc.SIZE, VringDescFlag.INDIRECT, 0);
  }
}
