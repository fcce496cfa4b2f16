/**
 * path_open: what the guest may open, with which flags of Linux, and what kind of descriptor comes
 * of it. Nothing is ever opened so that it could block: a FIFO or a terminal is waited for in
 * slices when it is read.
 */
import type { GuestMemory } from "../memory/guest-memory";
import type { DescriptorContext } from "./context";
import { Descriptor, FdFlag, isPlaced, Kind } from "./descriptor";
import { WasiErrno } from "./errno";
import type { GuestPath } from "./guest-path";
import { type Parameter, unsigned, type WasiFunctions } from "./parameter";
import { Open, type Resolver } from "./resolve";
import { RIGHT_READ, RIGHT_WRITE } from "./rights";
import type { Status } from "./status";
import { FileType } from "./stream";

/** `oflags`. */
const enum OpenFlag {
  CREATE = 1,
  DIRECTORY = 2,
  EXCLUSIVE = 4,
  TRUNCATE = 8,
  ALL = 15,
}

/** `lookupflags`. */
export const SYMLINK_FOLLOW = 1;

const O_WRONLY = 1;
const O_RDWR = 2;
const O_CREAT = 0o100;
const O_EXCL = 0o200;
const O_NOCTTY = 0o400;
const O_TRUNC = 0o1000;
const O_NONBLOCK = 0o4000;
/** Before the umask. */
const MODE_OF_NEW_FILES = 0o666;

export interface OpenParts {
  context: DescriptorContext;
  resolver: Resolver;
  path: GuestPath;
  status: Status;
}

interface Wanted {
  openFlags: number;
  fdFlags: number;
  readable: boolean;
  writable: boolean;
}

/** wasmtime opens for reading whatever is not opened for writing. */
function wantedBy(rights: number, openFlags: number, fdFlags: number): Wanted {
  const writable = (rights & RIGHT_WRITE) !== 0;
  return { openFlags, fdFlags, readable: !writable || (rights & RIGHT_READ) !== 0, writable };
}

function linuxFlags({ openFlags, readable, writable }: Wanted, follow: boolean): number {
  // Truncation needs the file to be open for writing, whatever the guest may do with it then.
  const writes = writable || (openFlags & OpenFlag.TRUNCATE) !== 0;
  let flags = O_NOCTTY | O_NONBLOCK;
  if (writes) flags |= readable ? O_RDWR : O_WRONLY;
  if (!follow) flags |= Open.O_NOFOLLOW;
  if ((openFlags & OpenFlag.CREATE) !== 0) flags |= O_CREAT;
  if ((openFlags & OpenFlag.DIRECTORY) !== 0) flags |= Open.O_DIRECTORY;
  if ((openFlags & OpenFlag.EXCLUSIVE) !== 0) flags |= O_EXCL;
  if ((openFlags & OpenFlag.TRUNCATE) !== 0) flags |= O_TRUNC;
  return flags;
}

/** It would change something, even if only by making an empty file. */
function changes({ openFlags, writable }: Wanted): boolean {
  return writable || (openFlags & (OpenFlag.CREATE | OpenFlag.TRUNCATE)) !== 0;
}

function kindOf(fileType: FileType): Kind {
  if (fileType === FileType.DIRECTORY) return Kind.DIRECTORY;
  return isPlaced(fileType) ? Kind.FILE : Kind.PIPE;
}

export function openFunctions({ context, resolver, path, status }: OpenParts): WasiFunctions {
  const { table, memory } = context;
  const { files } = context.native;

  function open(guest: GuestMemory, directory: Descriptor, wanted: Wanted, follow: boolean) {
    if (directory.readOnly && changes(wanted)) return WasiErrno.EPERM;
    if (table.isFull) return WasiErrno.EMFILE;
    const flags = linuxFlags(wanted, follow);
    const mode = (wanted.openFlags & OpenFlag.CREATE) !== 0 ? MODE_OF_NEW_FILES : 0;
    const fd = resolver.open(directory, path.address, flags, mode);
    if (fd < 0) return resolver.errnoOf(fd);
    const slot = table.openFiles.note(fd);
    const fileType = typeOf(fd, wanted);
    if (fileType < 0) {
      table.openFiles.close(slot);
      return resolver.errnoOf(fileType);
    }
    return enter(guest, fd, slot, wanted, directory.readOnly, fileType);
  }

  /** A negated errno is below every type. */
  function typeOf(fd: number, { openFlags }: Wanted): FileType {
    if ((openFlags & OpenFlag.DIRECTORY) !== 0) return FileType.DIRECTORY;
    const failure = files.status(fd, status.address);
    return failure < 0 ? failure : status.fileType;
  }

  let resultAt = 0;
  function enter(
    guest: GuestMemory,
    hostFd: number,
    slot: number,
    { readable, writable, fdFlags: flags }: Wanted,
    readOnly: boolean,
    fileType: FileType,
  ): WasiErrno {
    const kind = kindOf(fileType);
    const number = table.insert(
      new Descriptor({ kind, fileType, hostFd, readable, writable, readOnly, flags, slot }),
    );
    guest.view.setUint32(resultAt, number, true);
    return WasiErrno.SUCCESS;
  }

  return {
    path_open: (
      fd = 0,
      lookup: Parameter = 0,
      at = 0,
      length = 0,
      openFlags = 0,
      rights = 0,
      _inherited: Parameter = 0,
      fdFlags = 0,
      result = 0,
    ) => {
      const directory = resolver.directory(fd);
      if (!(directory instanceof Descriptor)) return directory;
      const guest = memory();
      resultAt = unsigned(result);
      if (!guest.contains(resultAt, 4)) return WasiErrno.EFAULT;
      const opened = unsigned(openFlags);
      const flags = unsigned(fdFlags);
      const follow = unsigned(lookup);
      if ((opened & ~OpenFlag.ALL) !== 0 || (flags & ~FdFlag.ALL) !== 0) return WasiErrno.EINVAL;
      if ((follow & ~SYMLINK_FOLLOW) !== 0) return WasiErrno.EINVAL;
      const both = OpenFlag.CREATE | OpenFlag.DIRECTORY;
      if ((opened & both) === both) return WasiErrno.EINVAL;
      const bad = path.load(guest, at, length);
      if (bad !== WasiErrno.SUCCESS) return bad;
      return open(guest, directory, wantedBy(unsigned(rights), opened, flags), follow !== 0);
    },
  };
}
