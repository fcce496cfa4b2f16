/**
 * Where a guest's standard streams lead: the interface, and the siblings that need nothing of the
 * operating system (`capture`, `ignore`, `bytes`). `inherit.ts` has those that pass the host's own
 * descriptors through.
 */
import { Errno } from "../abi";

/** `filetype` of WASI. */
export enum FileType {
  UNKNOWN = 0,
  BLOCK_DEVICE = 1,
  CHARACTER_DEVICE = 2,
  DIRECTORY = 3,
  REGULAR_FILE = 4,
  SOCKET_DATAGRAM = 5,
  SOCKET_STREAM = 6,
  SYMBOLIC_LINK = 7,
}

/**
 * One standard stream. `bytes` is a view of guest memory, perhaps shared: it is used before the
 * call returns and never kept. Both answer with a number of bytes (0 from `read` is the end) or a
 * negated Linux errno; -EINTR when the guest is being stopped. Neither throws.
 */
export interface Stream {
  readonly fileType: FileType;
  /** The host's descriptor that it passes through, for status and readiness. */
  readonly hostFd?: number;
  readonly read: ((bytes: Uint8Array) => number) | null;
  readonly write: ((bytes: Uint8Array) => number) | null;
  /** Closes what it opened itself, once; when the guest has ended. */
  readonly close?: () => void;
}

export interface Stdio {
  readonly stdin: Stream;
  readonly stdout: Stream;
  readonly stderr: Stream;
}

/** Takes a private copy of what the guest wrote on descriptor 1 or 2. */
export type CaptureSink = (fd: 1 | 2, chunk: Uint8Array) => void;

/**
 * Passes copies to `sink`, `limitBytes` at most; what is beyond is refused, so that a guest cannot
 * fill the host.
 */
export function captureOutput(fd: 1 | 2, sink: CaptureSink, limitBytes: number): Stream {
  let roomBytes = limitBytes;
  function write(bytes: Uint8Array): number {
    const length = Math.min(bytes.length, roomBytes);
    if (length === 0) return bytes.length === 0 ? 0 : -Errno.ENOSPC;
    roomBytes -= length;
    // Not slice(): of a view of shared memory it would make a shared copy on some engines.
    const chunk = new Uint8Array(length);
    chunk.set(bytes.subarray(0, length));
    sink(fd, chunk);
    return length;
  }
  return { fileType: FileType.UNKNOWN, read: null, write };
}

/** Takes everything and keeps nothing, as /dev/null. */
export function ignoreOutput(): Stream {
  return { fileType: FileType.CHARACTER_DEVICE, read: null, write: (bytes) => bytes.length };
}

/** At its end from the start, as /dev/null. */
export function ignoreInput(): Stream {
  return { fileType: FileType.CHARACTER_DEVICE, read: () => 0, write: null };
}

/** Gives out these bytes, then the end. */
export function bytesInput(source: Uint8Array): Stream {
  let position = 0;
  function read(bytes: Uint8Array): number {
    const part = source.subarray(position, position + bytes.length);
    bytes.set(part);
    position += part.length;
    return part.length;
  }
  return { fileType: FileType.UNKNOWN, read, write: null };
}
