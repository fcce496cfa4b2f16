/**
 * `rights`: what a descriptor says it may. Nothing but reading, writing and a read-only preopen is
 * enforced (as in wasmtime); the rest tells a guest's library what kind of thing it holds.
 */
import { type Descriptor, Kind } from "./descriptor";
import { FileType } from "./stream";

const enum Right {
  FD_DATASYNC = 1 << 0,
  FD_READ = 1 << 1,
  FD_SEEK = 1 << 2,
  FD_FDSTAT_SET_FLAGS = 1 << 3,
  FD_SYNC = 1 << 4,
  FD_TELL = 1 << 5,
  FD_WRITE = 1 << 6,
  FD_ADVISE = 1 << 7,
  FD_ALLOCATE = 1 << 8,
  PATH_CREATE_DIRECTORY = 1 << 9,
  PATH_CREATE_FILE = 1 << 10,
  PATH_LINK_SOURCE = 1 << 11,
  PATH_LINK_TARGET = 1 << 12,
  PATH_OPEN = 1 << 13,
  FD_READDIR = 1 << 14,
  PATH_READLINK = 1 << 15,
  PATH_RENAME_SOURCE = 1 << 16,
  PATH_RENAME_TARGET = 1 << 17,
  PATH_FILESTAT_GET = 1 << 18,
  PATH_FILESTAT_SET_TIMES = 1 << 20,
  FD_FILESTAT_GET = 1 << 21,
  FD_FILESTAT_SET_SIZE = 1 << 22,
  FD_FILESTAT_SET_TIMES = 1 << 23,
  PATH_SYMLINK = 1 << 24,
  PATH_REMOVE_DIRECTORY = 1 << 25,
  PATH_UNLINK_FILE = 1 << 26,
  POLL_FD_READWRITE = 1 << 27,
  SOCK_SHUTDOWN = 1 << 28,
  SOCK_ACCEPT = 1 << 29,
}

const DIRECTORY_READING =
  Right.PATH_OPEN |
  Right.FD_READDIR |
  Right.PATH_READLINK |
  Right.PATH_FILESTAT_GET |
  Right.FD_FILESTAT_GET;

const DIRECTORY_WRITING =
  Right.PATH_CREATE_DIRECTORY |
  Right.PATH_CREATE_FILE |
  Right.PATH_LINK_SOURCE |
  Right.PATH_LINK_TARGET |
  Right.PATH_RENAME_SOURCE |
  Right.PATH_RENAME_TARGET |
  Right.PATH_SYMLINK |
  Right.PATH_REMOVE_DIRECTORY |
  Right.PATH_UNLINK_FILE |
  Right.PATH_FILESTAT_SET_TIMES |
  Right.FD_FILESTAT_SET_TIMES;

const FILE_READING =
  Right.FD_READ |
  Right.FD_SEEK |
  Right.FD_TELL |
  Right.FD_FDSTAT_SET_FLAGS |
  Right.FD_ADVISE |
  Right.FD_FILESTAT_GET |
  Right.POLL_FD_READWRITE;

const FILE_WRITING =
  Right.FD_WRITE |
  Right.FD_DATASYNC |
  Right.FD_SYNC |
  Right.FD_ALLOCATE |
  Right.FD_FILESTAT_SET_SIZE |
  Right.FD_FILESTAT_SET_TIMES;

/** Without these two, wasi-libc's isatty() takes a character device for a terminal. */
const PLACES = Right.FD_SEEK | Right.FD_TELL;

const SOCKET =
  Right.FD_READ |
  Right.FD_WRITE |
  Right.FD_FDSTAT_SET_FLAGS |
  Right.FD_FILESTAT_GET |
  Right.POLL_FD_READWRITE |
  Right.SOCK_SHUTDOWN |
  Right.SOCK_ACCEPT;

/** Standard streams say no more than they did when they were all that a guest had. */
const STREAM = Right.FD_FILESTAT_GET | Right.POLL_FD_READWRITE | Right.FD_FDSTAT_SET_FLAGS;

export const RIGHT_READ = Right.FD_READ;
export const RIGHT_WRITE = Right.FD_WRITE;

function direction({ readable, writable }: Descriptor): number {
  return (readable ? Right.FD_READ : 0) | (writable ? Right.FD_WRITE : 0);
}

/** The rights of a descriptor itself. */
export function rightsOf(descriptor: Descriptor): number {
  const { kind, fileType, readable, writable, readOnly, seekable } = descriptor;
  switch (kind) {
    case Kind.DIRECTORY:
      return DIRECTORY_READING | (readOnly ? 0 : DIRECTORY_WRITING);
    case Kind.SOCKET:
      return SOCKET;
    case Kind.STREAM:
      return STREAM | direction(descriptor) | (seekable ? PLACES : 0);
    default: {
      const all = FILE_READING | (writable ? FILE_WRITING : 0);
      const fitting = fileType === FileType.CHARACTER_DEVICE || !seekable ? all & ~PLACES : all;
      return readable ? fitting : fitting & ~Right.FD_READ;
    }
  }
}

/** The rights of what may be opened through it. */
export function inheritedRightsOf({ kind, readOnly }: Descriptor): number {
  if (kind !== Kind.DIRECTORY) return 0;
  const reading = DIRECTORY_READING | FILE_READING;
  return readOnly ? reading : reading | DIRECTORY_WRITING | FILE_WRITING;
}
