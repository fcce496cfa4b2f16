/** The family that describes a descriptor: fdstat, filestat, and what of them can be set. */
import type { GuestMemory } from "../memory/guest-memory";
import type { DescriptorContext } from "./context";
import { type Descriptor, FdFlag, Kind } from "./descriptor";
import { WasiErrno, wasiErrnoOf } from "./errno";
import { type Parameter, unsigned, type WasiFunctions } from "./parameter";
import { inheritedRightsOf, rightsOf } from "./rights";
import { FileStat, type Status } from "./status";
import type { Times } from "./times";

/** `fdstat`: type u8, flags u16, rights u64, inherited rights u64. */
const enum FdStat {
  TYPE = 0,
  FLAGS = 2,
  RIGHTS = 8,
  INHERITED = 16,
  SIZE = 24,
}

export interface StatusParts {
  context: DescriptorContext;
  status: Status;
  times: Times;
}

export function statusFunctions({ context, status, times }: StatusParts): WasiFunctions {
  const { table, memory } = context;
  const { files } = context.native;

  /** A stream that is nothing of the host's has a type, and that is all. */
  function describeStream(guest: GuestMemory, at: number, { fileType }: Descriptor): void {
    guest.bytes.fill(0, at, at + FileStat.SIZE);
    guest.view.setUint8(at + FileStat.TYPE, fileType);
    guest.view.setUint8(at + FileStat.LINKS, 1);
  }

  function setFlags(found: Descriptor, flags: number): WasiErrno {
    if ((flags & ~FdFlag.ALL) !== 0) return WasiErrno.EINVAL;
    // As wasmtime: the standard streams are shared with others, and wait as they always do.
    if (found.kind === Kind.STREAM) return WasiErrno.EBADF;
    const isFile = found.kind === Kind.FILE;
    // Only writes to a file can be synchronous: they are told so one by one.
    if (!isFile && (flags & ~(FdFlag.APPEND | FdFlag.NONBLOCK)) !== 0) return WasiErrno.ENOTSUP;
    found.flags = flags;
    return WasiErrno.SUCCESS;
  }

  function setTimes(found: Descriptor, [a, m, flags]: readonly Parameter[]): WasiErrno {
    if (!times.set(a ?? 0, m ?? 0, flags ?? 0)) return WasiErrno.EINVAL;
    if (found.kind === Kind.STREAM || found.readOnly) return WasiErrno.EPERM;
    const result = files.setTimes(found.hostFd, times.address);
    return result < 0 ? wasiErrnoOf(-result) : WasiErrno.SUCCESS;
  }

  return {
    fd_fdstat_get: (fd = 0, result = 0) => {
      const found = table.get(fd);
      if (found === null) return WasiErrno.EBADF;
      const guest = memory();
      const at = unsigned(result);
      if (!guest.contains(at, FdStat.SIZE)) return WasiErrno.EFAULT;
      const { view } = guest;
      view.setUint32(at + FdStat.TYPE, found.fileType | (found.flags << 16), true);
      view.setUint32(at + 4, 0, true);
      view.setUint32(at + FdStat.RIGHTS, rightsOf(found), true);
      view.setUint32(at + FdStat.RIGHTS + 4, 0, true);
      view.setUint32(at + FdStat.INHERITED, inheritedRightsOf(found), true);
      view.setUint32(at + FdStat.INHERITED + 4, 0, true);
      return WasiErrno.SUCCESS;
    },
    fd_fdstat_set_flags: (fd = 0, flags = 0) => {
      const found = table.get(fd);
      return found === null ? WasiErrno.EBADF : setFlags(found, unsigned(flags));
    },
    // Rights are not taken away one by one, as in wasmtime.
    fd_fdstat_set_rights: (fd = 0) =>
      table.get(fd) === null ? WasiErrno.EBADF : WasiErrno.ENOTSUP,
    fd_filestat_get: (fd = 0, result = 0) => {
      const found = table.get(fd);
      if (found === null) return WasiErrno.EBADF;
      const guest = memory();
      const at = unsigned(result);
      if (!guest.contains(at, FileStat.SIZE)) return WasiErrno.EFAULT;
      if (found.hostFd < 0) {
        describeStream(guest, at, found);
        return WasiErrno.SUCCESS;
      }
      const failure = files.status(found.hostFd, status.address);
      if (failure < 0) return wasiErrnoOf(-failure);
      status.write(guest, at);
      // statx does not tell a datagram socket from a stream.
      guest.view.setUint8(at + FileStat.TYPE, found.fileType);
      return WasiErrno.SUCCESS;
    },
    fd_filestat_set_times: (fd = 0, accessed = 0, modified = 0, flags = 0) => {
      const found = table.get(fd);
      return found === null ? WasiErrno.EBADF : setTimes(found, [accessed, modified, flags]);
    },
  };
}
