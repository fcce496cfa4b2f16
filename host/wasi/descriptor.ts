/**
 * What one descriptor of a guest stands for. One class for all kinds, so that the calls that every
 * guest makes most find a shape that never changes. Rights are what wasmtime makes of them: only
 * reading and writing matter; a preopen that is read-only hands that on to all that is opened
 * through it.
 */
import { FileType, type Stream } from "./stream";

export const enum Kind {
  /** Bytes that come and go: standard streams. Moved by `stream`. */
  STREAM = 0,
  /** A regular file or a block device: read and written at a place. */
  FILE = 1,
  /** Opened by a path, but without places: FIFOs and character devices. Never blocks by itself. */
  PIPE = 2,
  DIRECTORY = 3,
  SOCKET = 4,
}

/** `fdflags`. */
export const enum FdFlag {
  APPEND = 1,
  DSYNC = 2,
  NONBLOCK = 4,
  RSYNC = 8,
  SYNC = 16,
  ALL = 31,
}

/** The open file's own position counts, not the one kept here. */
export const POSITION_OF_KERNEL = -1;

export interface DescriptorParts {
  kind: Kind;
  fileType: FileType;
  /** The host's descriptor; -1 when there is none. */
  hostFd: number;
  readable: boolean;
  writable: boolean;
  /** Nothing may be changed through it: opened through a read-only preopen. */
  readOnly?: boolean;
  flags?: number;
  stream?: Stream | null;
  /** Where the host's descriptor is noted for who must close it; -1 when that is not the guest. */
  slot?: number;
  /** Guest path of a preopened directory, UTF-8. */
  preopen?: Uint8Array | null;
}

export class Descriptor {
  readonly kind: Kind;
  readonly fileType: FileType;
  readonly hostFd: number;
  readonly readable: boolean;
  readonly writable: boolean;
  readonly readOnly: boolean;
  readonly stream: Stream | null;
  readonly slot: number;
  readonly preopen: Uint8Array | null;
  flags: number;
  /**
   * Where the next read or write of a FILE begins. Kept here, because nobody else shares the open
   * file: a seek then costs no system call.
   */
  position: number;
  /** Where the last fd_readdir of a DIRECTORY ended: entries before it, and the kernel's d_off. */
  entriesRead = 0;
  entriesOffset = 0n;
  /** The root of what the guest can see, so its ".." is itself. null: not looked at yet. */
  isRoot: boolean | null = null;

  constructor(parts: DescriptorParts) {
    this.kind = parts.kind;
    this.fileType = parts.fileType;
    this.hostFd = parts.hostFd;
    this.readable = parts.readable;
    this.writable = parts.writable;
    this.readOnly = parts.readOnly ?? false;
    this.stream = parts.stream ?? null;
    this.slot = parts.slot ?? -1;
    this.preopen = parts.preopen ?? null;
    this.flags = parts.flags ?? 0;
    this.position = 0;
  }

  /**
   * It has places, by itself or (standard input that is a file) shared with the host. Not standard
   * output: what the host wrote there before is not the guest's to write over.
   */
  get seekable(): boolean {
    if (this.hostFd < 0 || !isPlaced(this.fileType)) return false;
    return this.kind !== Kind.STREAM || !this.writable;
  }
}

/** The types of file that are read and written at a place. */
export function isPlaced(fileType: FileType): boolean {
  return fileType === FileType.REGULAR_FILE || fileType === FileType.BLOCK_DEVICE;
}
