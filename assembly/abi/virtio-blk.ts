/**
 * virtio-blk (virtio 1.2 section 5.2, <linux/virtio_blk.h>): configuration space, request header, types and status.
 *
 *   request:  header 16 bytes (device reads) | data (direction by type) | status u8 (device writes)
 */

/** VIRTIO_ID_BLOCK. */
export const VIRTIO_ID_BLOCK = 2;

/** The unit of every offset and capacity of virtio-blk, whatever the block size. */
export const VIRTIO_BLK_SECTOR_BYTES = 512;

/** Bit numbers (not masks): VIRTIO_BLK_F_*. */
export enum VirtioBlkFeature {
  SIZE_MAX = 1,
  SEG_MAX = 2,
  GEOMETRY = 4,
  RO = 5,
  BLK_SIZE = 6,
  FLUSH = 9,
  TOPOLOGY = 10,
  CONFIG_WCE = 11,
  MQ = 12,
  DISCARD = 13,
  WRITE_ZEROES = 14,
  SECURE_ERASE = 16,
}

/** struct virtio_blk_config, packed. */
export const enum VirtioBlkConfig {
  /** u64, sectors of 512 bytes. */
  CAPACITY = 0,
  SIZE_MAX = 8,
  SEG_MAX = 12,
  GEOMETRY = 16,
  BLK_SIZE = 20,
  PHYSICAL_BLOCK_EXP = 24,
  ALIGNMENT_OFFSET = 25,
  MIN_IO_SIZE = 26,
  OPT_IO_SIZE = 28,
  WCE = 32,
  NUM_QUEUES = 34,
  MAX_DISCARD_SECTORS = 36,
  MAX_DISCARD_SEG = 40,
  DISCARD_SECTOR_ALIGNMENT = 44,
  MAX_WRITE_ZEROES_SECTORS = 48,
  MAX_WRITE_ZEROES_SEG = 52,
  WRITE_ZEROES_MAY_UNMAP = 56,
  SIZE = 60,
}

/** struct virtio_blk_outhdr. */
export const enum VirtioBlkHeader {
  TYPE = 0,
  IOPRIO = 4,
  /** u64. */
  SECTOR = 8,
  SIZE = 16,
}

/** VIRTIO_BLK_T_*. */
export enum VirtioBlkType {
  IN = 0,
  OUT = 1,
  FLUSH = 4,
  GET_ID = 8,
  DISCARD = 11,
  WRITE_ZEROES = 13,
}

/** VIRTIO_BLK_S_*. */
export enum VirtioBlkStatus {
  OK = 0,
  IOERR = 1,
  UNSUPP = 2,
}

/** VIRTIO_BLK_ID_BYTES: the answer to GET_ID, padded with zeroes, not terminated when full. */
export const VIRTIO_BLK_ID_BYTES = 20;

/** struct virtio_blk_discard_write_zeroes: the data of DISCARD and WRITE_ZEROES. */
export const enum VirtioBlkRange {
  /** u64. */
  SECTOR = 0,
  NUM_SECTORS = 8,
  /** VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP = 1. */
  FLAGS = 12,
  SIZE = 16,
}

export const VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP = 1;
