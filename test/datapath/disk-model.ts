/**
 * What a disk is to a guest, as a plain array: the model that every data path is compared with. Also the pattern and
 * the hash of test/guests/disk-script.ts, the same numbers in this language.
 */
import { Errno } from "../../assembly/abi/index";

export const SECTOR = 512;

/** The first line that the guest prints of a disk. */
export interface DiskTraits {
  capacityBytes: number;
  blockBytes: number;
  depth: number;
  readOnly: boolean;
  canFlush: boolean;
  canDiscard: boolean;
  canWriteZeroes: boolean;
  selfRunning: boolean;
}

export function parseTraits(line: string): DiskTraits {
  const words = line.split(" ");
  if (words.length !== 8) throw new Error(`not a disk: ${line}`);
  return {
    capacityBytes: Number(words[0]),
    blockBytes: Number(words[1]),
    depth: Number(words[2]),
    readOnly: words[3] === "ro",
    canFlush: words[4] === "flush",
    canDiscard: words[5] === "discard",
    canWriteZeroes: words[6] === "zeroes",
    selfRunning: words[7] === "self-running",
  };
}

function patternWord(seed: number, index: number): number {
  let word = (seed + Math.imul(index, 0x9e3779b9)) >>> 0;
  word ^= word >>> 16;
  word = Math.imul(word, 0x85ebca6b) >>> 0;
  return (word ^ (word >>> 13)) >>> 0;
}

export function pattern(seed: number, lengthBytes: number): Uint8Array {
  const words = Uint32Array.from({ length: lengthBytes / 4 }, (_, index) =>
    patternWord(seed, index),
  );
  return new Uint8Array(words.buffer);
}

export function hashOf(bytes: Uint8Array): number {
  const words = new Uint32Array(bytes.slice().buffer);
  return words.reduce((hash, word) => Math.imul(hash ^ word, 16777619) >>> 0, 2166136261);
}

export class DiskModel {
  readonly traits: DiskTraits;
  readonly bytes: Uint8Array;
  /** By sector: 1 when nobody says what it holds, because it was discarded. */
  readonly undefinedSectors: Uint8Array;

  /** @param bytes what the disk holds at first; changed by the methods */
  constructor(traits: DiskTraits, bytes: Uint8Array) {
    this.traits = traits;
    this.bytes = bytes;
    this.undefinedSectors = new Uint8Array(bytes.length / SECTOR);
  }

  /** 0, or the negated errno with which a transfer is refused. */
  transferError(offset: number, length: number, isWrite: boolean): number {
    if (isWrite && this.traits.readOnly) return -Errno.EROFS;
    return this.#rangeError(offset, length);
  }

  /** As `transferError`, for discard and write zeroes. */
  changeError(offset: number, length: number, supported: boolean): number {
    if (this.traits.readOnly) return -Errno.EROFS;
    return supported ? this.#rangeError(offset, length) : -Errno.EOPNOTSUPP;
  }

  flushError(): number {
    if (this.traits.readOnly) return -Errno.EROFS;
    return this.traits.canFlush ? 0 : -Errno.EOPNOTSUPP;
  }

  #rangeError(offset: number, length: number): number {
    const { blockBytes, capacityBytes } = this.traits;
    const good =
      offset % blockBytes === 0 &&
      length % blockBytes === 0 &&
      length > 0 &&
      offset + length <= capacityBytes;
    return good ? 0 : -Errno.EINVAL;
  }

  write(offset: number, data: Uint8Array): void {
    this.bytes.set(data, offset);
    this.#mark(offset, data.length, 0);
  }

  zero(offset: number, length: number): void {
    this.bytes.fill(0, offset, offset + length);
    this.#mark(offset, length, 0);
  }

  discard(offset: number, length: number): void {
    this.#mark(offset, length, 1);
  }

  /** The hash of a range, or null when part of it is undefined. */
  hash(offset: number, length: number): number | null {
    const sectors = this.undefinedSectors.subarray(offset / SECTOR, (offset + length) / SECTOR);
    return sectors.includes(1) ? null : hashOf(this.bytes.subarray(offset, offset + length));
  }

  #mark(offset: number, length: number, value: number): void {
    this.undefinedSectors.fill(value, offset / SECTOR, (offset + length) / SECTOR);
  }
}
