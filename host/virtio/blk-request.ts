/**
 * Parsing of a virtio-blk request (virtio 1.2 section 5.2.6): from a checked descriptor chain to what is to be done, or
 * to the status that answers it. No I/O and no change of guest memory here; the rules are those of QEMU's
 * hw/block/virtio-blk.c.
 */
import {
  VIRTIO_BLK_SECTOR_BYTES,
  VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP,
  VirtioBlkHeader,
  VirtioBlkRange,
  VirtioBlkStatus,
  VirtioBlkType,
} from "../abi";
import { BlockOperation } from "./aio/backend";
import {
  BLK_REQUEST_SECTORS_MAX,
  BLK_SEGMENTS_MAX,
  type BlkDisk,
  capacitySectors,
} from "./blk-config";
import type { DescriptorChain, DeviceWindow } from "./descriptor-chain";
import { QueueFault } from "./queue-fault";

const TWO_POW_32 = 0x1_0000_0000;

export const enum BlkOutcome {
  /** `operation` is to be performed. */
  PERFORM = 0,
  /** `status` is the answer. */
  ANSWER = 1,
  /** The serial number goes into the segments. */
  IDENTIFY = 2,
  /** There is nowhere to answer: `fault` says why, and the device needs a reset. */
  BROKEN = 3,
}

export class BlkRequest {
  operation = BlockOperation.FLUSH;
  status = VirtioBlkStatus.OK;
  fault = QueueFault.NONE;
  /** Of the status byte, relative to the window. */
  statusOffset = 0;
  /** On the disk, bytes. */
  offsetBytes = 0;
  lengthBytes = 0;
  unmap = false;
  /** The data: buffers of the chain, without header and status. */
  segmentFirst = 0;
  segmentCount = 0;

  readonly #chain: DescriptorChain;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #disk: BlkDisk;
  readonly #capacity: number;
  readonly #blockSectors: number;
  /** Copies of a header, or of a range, that is split over buffers. */
  readonly #scratch = new DataView(new ArrayBuffer(VirtioBlkHeader.SIZE));

  constructor(window: DeviceWindow, chain: DescriptorChain, disk: BlkDisk) {
    this.#chain = chain;
    this.#bytes = new Uint8Array(window.buffer);
    this.#view = new DataView(window.buffer);
    this.#disk = disk;
    this.#capacity = capacitySectors(disk);
    this.#blockSectors = disk.blockBytes / VIRTIO_BLK_SECTOR_BYTES;
  }

  /** Reads the request that the chain holds into this object. Takes header and status off the chain's buffers. */
  parse(): BlkOutcome {
    const { offsets, lengths, count, readableCount } = this.#chain;
    this.lengthBytes = 0;
    this.segmentCount = 0;
    if (count === readableCount) return this.#break(QueueFault.NO_STATUS);
    const last = count - 1;
    const statusAt = (lengths[last] ?? 0) - 1;
    this.statusOffset = (offsets[last] ?? 0) + statusAt;
    lengths[last] = statusAt;

    const view = this.#view;
    let type = 0;
    let sector = 0;
    let first = 0;
    if (readableCount > 0 && (lengths[0] ?? 0) >= VirtioBlkHeader.SIZE) {
      const at = offsets[0] ?? 0;
      type = view.getUint32(at + VirtioBlkHeader.TYPE, true);
      sector =
        view.getUint32(at + VirtioBlkHeader.SECTOR, true) +
        view.getUint32(at + VirtioBlkHeader.SECTOR + 4, true) * TWO_POW_32;
      first = this.#advance(0, VirtioBlkHeader.SIZE);
    } else {
      first = this.#gather(0, VirtioBlkHeader.SIZE);
      if (first < 0) return this.#break(QueueFault.NO_HEADER);
      type = this.#scratch.getUint32(VirtioBlkHeader.TYPE, true);
      sector =
        this.#scratch.getUint32(VirtioBlkHeader.SECTOR, true) +
        this.#scratch.getUint32(VirtioBlkHeader.SECTOR + 4, true) * TWO_POW_32;
    }

    switch (type) {
      case VirtioBlkType.IN:
        return this.#transfer(BlockOperation.READ, sector, readableCount, count);
      case VirtioBlkType.OUT:
        if (this.#disk.readOnly) return this.#answer(VirtioBlkStatus.IOERR);
        return this.#transfer(BlockOperation.WRITE, sector, first, readableCount);
      case VirtioBlkType.FLUSH:
        this.operation = BlockOperation.FLUSH;
        this.offsetBytes = 0;
        this.unmap = false;
        return BlkOutcome.PERFORM;
      case VirtioBlkType.GET_ID:
        this.#segments(readableCount, count);
        return BlkOutcome.IDENTIFY;
      case VirtioBlkType.DISCARD:
      case VirtioBlkType.WRITE_ZEROES:
        return this.#changeRange(type, first, readableCount);
      default:
        return this.#answer(VirtioBlkStatus.UNSUPP);
    }
  }

  #break(fault: QueueFault): BlkOutcome {
    this.fault = fault;
    return BlkOutcome.BROKEN;
  }

  #answer(status: VirtioBlkStatus): BlkOutcome {
    this.status = status;
    return BlkOutcome.ANSWER;
  }

  /** Names the buffers [first, end), without the last one when nothing is left of it; sums their lengths. */
  #segments(first: number, end: number): void {
    const { lengths } = this.#chain;
    const last = end > first && lengths[end - 1] === 0 ? end - 1 : end;
    let sum = 0;
    for (let index = first; index < last; index++) sum += lengths[index] ?? 0;
    this.segmentFirst = first;
    this.segmentCount = last - first;
    this.lengthBytes = sum;
  }

  #transfer(operation: BlockOperation, sector: number, first: number, end: number): BlkOutcome {
    this.#segments(first, end);
    const { lengthBytes } = this;
    const sectors = lengthBytes / VIRTIO_BLK_SECTOR_BYTES;
    if (!this.#rangeIsGood(sector, sectors) || this.segmentCount > BLK_SEGMENTS_MAX) {
      return this.#answer(VirtioBlkStatus.IOERR);
    }
    // Nothing to move: a back end need not be asked.
    if (lengthBytes === 0) return this.#answer(VirtioBlkStatus.OK);
    this.operation = operation;
    this.offsetBytes = sector * VIRTIO_BLK_SECTOR_BYTES;
    this.unmap = false;
    return BlkOutcome.PERFORM;
  }

  /** Whole blocks inside the disk. A sector of 2^53 or more is rounded, and still far beyond every capacity. */
  #rangeIsGood(sector: number, sectors: number): boolean {
    return (
      sectors <= BLK_REQUEST_SECTORS_MAX &&
      sector % this.#blockSectors === 0 &&
      sectors % this.#blockSectors === 0 &&
      sector <= this.#capacity - sectors
    );
  }

  #changeRange(type: VirtioBlkType, first: number, end: number): BlkOutcome {
    const isDiscard = type === VirtioBlkType.DISCARD;
    const disk = this.#disk;
    if (disk.readOnly) return this.#answer(VirtioBlkStatus.IOERR);
    if (!(isDiscard ? disk.discard : disk.writeZeroes)) return this.#answer(VirtioBlkStatus.UNSUPP);
    this.#segments(first, end);
    const { lengthBytes } = this;
    this.segmentCount = 0;
    // One range a request, as the configuration says.
    if (lengthBytes > VirtioBlkRange.SIZE) return this.#answer(VirtioBlkStatus.UNSUPP);
    if (this.#gather(first, VirtioBlkRange.SIZE) < 0) return this.#answer(VirtioBlkStatus.IOERR);
    const sector =
      this.#scratch.getUint32(VirtioBlkRange.SECTOR, true) +
      this.#scratch.getUint32(VirtioBlkRange.SECTOR + 4, true) * TWO_POW_32;
    const sectors = this.#scratch.getUint32(VirtioBlkRange.NUM_SECTORS, true);
    const flags = this.#scratch.getUint32(VirtioBlkRange.FLAGS, true);
    const known = isDiscard ? 0 : VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP;
    if ((flags & ~known) !== 0) return this.#answer(VirtioBlkStatus.UNSUPP);
    if (!this.#rangeIsGood(sector, sectors)) return this.#answer(VirtioBlkStatus.IOERR);
    if (sectors === 0) return this.#answer(VirtioBlkStatus.OK);
    this.operation = isDiscard ? BlockOperation.DISCARD : BlockOperation.WRITE_ZEROES;
    this.offsetBytes = sector * VIRTIO_BLK_SECTOR_BYTES;
    this.lengthBytes = sectors * VIRTIO_BLK_SECTOR_BYTES;
    this.unmap = flags !== 0;
    return BlkOutcome.PERFORM;
  }

  /** Takes `bytes` off the front of buffer `index`; the index of the first buffer of which something is left. */
  #advance(index: number, bytes: number): number {
    const { offsets, lengths } = this.#chain;
    const left = (lengths[index] ?? 0) - bytes;
    if (left === 0) return index + 1;
    offsets[index] = (offsets[index] ?? 0) + bytes;
    lengths[index] = left;
    return index;
  }

  /**
   * Copies `bytes` from the buffers that the device reads, beginning with `index`, and takes them off.
   *
   * @returns the index of the first buffer of which something is left, -1 when there are too few bytes
   */
  #gather(index: number, bytes: number): number {
    const { offsets, lengths, readableCount } = this.#chain;
    let at = index;
    let done = 0;
    while (done < bytes) {
      if (at >= readableCount) return -1;
      const offset = offsets[at] ?? 0;
      const part = Math.min(lengths[at] ?? 0, bytes - done);
      for (let byte = 0; byte < part; byte++) {
        this.#scratch.setUint8(done + byte, this.#bytes[offset + byte] ?? 0);
      }
      done += part;
      at = this.#advance(at, part);
    }
    return at;
  }
}
