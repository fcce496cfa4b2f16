/**
 * What a daemon says of its disk, made sane: the features that this library relays to the guest, and the configuration
 * space. A value without sense takes its feature with it, as virtio wants of a driver; a disk that cannot be is
 * refused. Parsing only.
 */
import {
  VIRTIO_BLK_SECTOR_BYTES,
  VirtioBlkConfig,
  VirtioBlkFeature,
  VirtioFeature,
} from "../../abi";
import { ProtocolViolation } from "./message";

/** The disk in numbers that may cross to another thread. */
export interface DaemonDescription {
  /** What the guest may be offered: a subset of what the daemon offers. */
  features: bigint;
  /** struct virtio_blk_config with the fields of those features; all else is 0. */
  config: Uint8Array;
  capacityBytes: number;
  blockBytes: number;
  readOnly: boolean;
}

const bit = (number: number) => 1n << BigInt(number);

/**
 * What is relayed when offered. Not MQ, because a device has one queue here, nor CONFIG_WCE, because the configuration
 * space is read-only here.
 */
const RELAYED = [
  ...[VirtioBlkFeature.SIZE_MAX, VirtioBlkFeature.SEG_MAX, VirtioBlkFeature.RO],
  ...[VirtioBlkFeature.BLK_SIZE, VirtioBlkFeature.FLUSH, VirtioBlkFeature.TOPOLOGY],
  ...[VirtioBlkFeature.DISCARD, VirtioBlkFeature.WRITE_ZEROES],
  ...[VirtioFeature.INDIRECT_DESC, VirtioFeature.EVENT_IDX, VirtioFeature.VERSION_1],
].reduce((all, feature) => all | bit(feature), 0n);

/** Which bytes of the configuration space a feature gives a meaning: from, to. */
const FIELDS: readonly (readonly [feature: VirtioBlkFeature, from: number, to: number])[] = [
  [VirtioBlkFeature.SIZE_MAX, VirtioBlkConfig.SIZE_MAX, VirtioBlkConfig.SEG_MAX],
  [VirtioBlkFeature.SEG_MAX, VirtioBlkConfig.SEG_MAX, VirtioBlkConfig.GEOMETRY],
  [VirtioBlkFeature.BLK_SIZE, VirtioBlkConfig.BLK_SIZE, VirtioBlkConfig.PHYSICAL_BLOCK_EXP],
  [VirtioBlkFeature.TOPOLOGY, VirtioBlkConfig.PHYSICAL_BLOCK_EXP, VirtioBlkConfig.WCE],
  [
    VirtioBlkFeature.DISCARD,
    VirtioBlkConfig.MAX_DISCARD_SECTORS,
    VirtioBlkConfig.MAX_WRITE_ZEROES_SECTORS,
  ],
  [
    VirtioBlkFeature.WRITE_ZEROES,
    VirtioBlkConfig.MAX_WRITE_ZEROES_SECTORS,
    VirtioBlkConfig.WRITE_ZEROES_MAY_UNMAP + 1,
  ],
];

/** The least sensible value of a field that a feature lives on. */
const LEAST: readonly (readonly [feature: VirtioBlkFeature, field: number, least: number])[] = [
  [VirtioBlkFeature.SIZE_MAX, VirtioBlkConfig.SIZE_MAX, VIRTIO_BLK_SECTOR_BYTES],
  [VirtioBlkFeature.SEG_MAX, VirtioBlkConfig.SEG_MAX, 1],
  [VirtioBlkFeature.DISCARD, VirtioBlkConfig.MAX_DISCARD_SECTORS, 1],
  [VirtioBlkFeature.DISCARD, VirtioBlkConfig.MAX_DISCARD_SEG, 1],
  [VirtioBlkFeature.WRITE_ZEROES, VirtioBlkConfig.MAX_WRITE_ZEROES_SECTORS, 1],
  [VirtioBlkFeature.WRITE_ZEROES, VirtioBlkConfig.MAX_WRITE_ZEROES_SEG, 1],
];

const BLOCK_BYTES_MAX = 65536;

function isBlockSize(bytes: number): boolean {
  const powerOfTwo = (bytes & (bytes - 1)) === 0;
  return powerOfTwo && bytes >= VIRTIO_BLK_SECTOR_BYTES && bytes <= BLOCK_BYTES_MAX;
}

function readCapacityBytes(config: DataView): number {
  const sectors = config.getBigUint64(VirtioBlkConfig.CAPACITY, true);
  const bytes = sectors * BigInt(VIRTIO_BLK_SECTOR_BYTES);
  if (bytes <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(bytes);
  throw new ProtocolViolation(`claims a disk of ${sectors} sectors, more than any has`);
}

function sensibleFeatures(offered: bigint, config: DataView): bigint {
  let features = offered & RELAYED;
  for (const [feature, field, least] of LEAST) {
    if (config.getUint32(field, true) < least) features &= ~bit(feature);
  }
  return features;
}

/** A copy without what no feature vouches for. */
function relayedConfig(features: bigint, config: DataView): Uint8Array {
  const all = new Uint8Array(config.buffer, config.byteOffset, VirtioBlkConfig.SIZE);
  const relayed = new Uint8Array(VirtioBlkConfig.SIZE);
  relayed.set(all.subarray(VirtioBlkConfig.CAPACITY, VirtioBlkConfig.SIZE_MAX));
  for (const [feature, from, to] of FIELDS) {
    if ((features & bit(feature)) !== 0n) relayed.set(all.subarray(from, to), from);
  }
  return relayed;
}

/**
 * @param offered the answer to GET_FEATURES
 * @param config struct virtio_blk_config
 * @throws ProtocolViolation
 */
export function readDescription(offered: bigint, config: DataView): DaemonDescription {
  if ((offered & bit(VirtioFeature.VERSION_1)) === 0n) {
    throw new ProtocolViolation("speaks only the virtio of before 1.0, which guests here do not");
  }
  const features = sensibleFeatures(offered, config);
  const hasBlockSize = (features & bit(VirtioBlkFeature.BLK_SIZE)) !== 0n;
  const blockBytes = hasBlockSize
    ? config.getUint32(VirtioBlkConfig.BLK_SIZE, true)
    : VIRTIO_BLK_SECTOR_BYTES;
  if (!isBlockSize(blockBytes)) {
    throw new ProtocolViolation(`claims blocks of ${blockBytes} bytes`);
  }
  return {
    features,
    config: relayedConfig(features, config),
    capacityBytes: readCapacityBytes(config),
    blockBytes,
    readOnly: (features & bit(VirtioBlkFeature.RO)) !== 0n,
  };
}

/** Why a daemon that came back cannot take the place of the one that was there; null when it can. */
export function whatChanged(before: DaemonDescription, after: DaemonDescription): string | null {
  if (before.capacityBytes !== after.capacityBytes) {
    return `its disk has ${after.capacityBytes} bytes now, not ${before.capacityBytes}`;
  }
  if (before.blockBytes !== after.blockBytes) {
    return `its blocks have ${after.blockBytes} bytes now, not ${before.blockBytes}`;
  }
  if (before.readOnly !== after.readOnly) {
    return `its disk is ${after.readOnly ? "read-only" : "writable"} now`;
  }
  const lost = before.features & ~after.features;
  return lost === 0n ? null : `it no longer offers the features 0x${lost.toString(16)}`;
}
