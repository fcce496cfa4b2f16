/**
 * What a virtio-blk device says of itself: the features that it offers and its configuration space (virtio 1.2 section
 * 5.2.4), made from the disk behind it.
 */
import {
  VIRTIO_BLK_SECTOR_BYTES,
  VIRTQUEUE_SIZE_MAX,
  VirtioBlkConfig,
  VirtioBlkFeature,
  VirtioFeature,
} from "../abi";
import type { BlkDescription } from "./blk-device";

/** A disk behind a virtqueue. */
export interface BlkDisk {
  /** Whole sectors of 512 bytes count. */
  capacityBytes: number;
  /** Logical block size: what offsets and lengths must be multiples of. A power of two from 512 up. */
  blockBytes: number;
  readOnly: boolean;
  /** Whether requests to discard and to write zeroes are understood. */
  discard: boolean;
  writeZeroes: boolean;
  /** The answer to GET_ID: up to 20 bytes of UTF-8. */
  serial: string;
}

/** What one system call moves at most: the kernel's MAX_RW_COUNT, just below 2 GiB. A result fits an i32. */
export const BLK_REQUEST_SECTORS_MAX = 0x7ffff000 >>> 9;

/** QEMU's limit: two descriptors of a chain are for header and status. */
export const BLK_SEGMENTS_MAX = Math.min(VIRTQUEUE_SIZE_MAX, 128) - 2;

export function capacitySectors(disk: BlkDisk): number {
  return Math.floor(disk.capacityBytes / VIRTIO_BLK_SECTOR_BYTES);
}

function offeredFeatures(disk: BlkDisk): bigint {
  const bits: number[] = [
    VirtioFeature.VERSION_1,
    VirtioFeature.EVENT_IDX,
    VirtioFeature.INDIRECT_DESC,
    VirtioBlkFeature.SEG_MAX,
    VirtioBlkFeature.BLK_SIZE,
    VirtioBlkFeature.FLUSH,
  ];
  if (disk.readOnly) bits.push(VirtioBlkFeature.RO);
  if (disk.discard && !disk.readOnly) bits.push(VirtioBlkFeature.DISCARD);
  if (disk.writeZeroes && !disk.readOnly) bits.push(VirtioBlkFeature.WRITE_ZEROES);
  return bits.reduce((all, bit) => all | (1n << BigInt(bit)), 0n);
}

/** Features and configuration of a disk, for `BlkDevice`. */
export function describeDisk(disk: BlkDisk): BlkDescription {
  const config = new Uint8Array(VirtioBlkConfig.SIZE);
  const view = new DataView(config.buffer);
  view.setBigUint64(VirtioBlkConfig.CAPACITY, BigInt(capacitySectors(disk)), true);
  view.setUint32(VirtioBlkConfig.SEG_MAX, BLK_SEGMENTS_MAX, true);
  view.setUint32(VirtioBlkConfig.BLK_SIZE, disk.blockBytes, true);
  if (disk.discard && !disk.readOnly) {
    view.setUint32(VirtioBlkConfig.MAX_DISCARD_SECTORS, BLK_REQUEST_SECTORS_MAX, true);
    view.setUint32(VirtioBlkConfig.MAX_DISCARD_SEG, 1, true);
    const alignment = disk.blockBytes / VIRTIO_BLK_SECTOR_BYTES;
    view.setUint32(VirtioBlkConfig.DISCARD_SECTOR_ALIGNMENT, alignment, true);
  }
  if (disk.writeZeroes && !disk.readOnly) {
    view.setUint32(VirtioBlkConfig.MAX_WRITE_ZEROES_SECTORS, BLK_REQUEST_SECTORS_MAX, true);
    view.setUint32(VirtioBlkConfig.MAX_WRITE_ZEROES_SEG, 1, true);
    view.setUint8(VirtioBlkConfig.WRITE_ZEROES_MAY_UNMAP, 1);
  }
  return { features: offeredFeatures(disk), config };
}
