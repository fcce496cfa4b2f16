/** The family path_filestat_get, path_filestat_set_times, path_readlink: what a path stands for. */
import type { GuestMemory } from "../memory/guest-memory";
import type { DescriptorContext } from "./context";
import { Descriptor } from "./descriptor";
import { WasiErrno } from "./errno";
import type { GuestPath } from "./guest-path";
import { type Parameter, unsigned, type WasiFunctions } from "./parameter";
import { SYMLINK_FOLLOW } from "./path-open";
import type { Resolver } from "./resolve";
import { FileStat, type Status } from "./status";
import { FileType } from "./stream";
import type { Times } from "./times";

export interface PathStatusParts {
  context: DescriptorContext;
  resolver: Resolver;
  path: GuestPath;
  status: Status;
  times: Times;
}

export function pathStatusFunctions(parts: PathStatusParts): WasiFunctions {
  const { context, resolver, path, status, times } = parts;
  const { memory, native } = context;
  const { files, paths } = native;
  const statusOf = (fd: number) => files.status(fd, status.address);
  const setTimesOf = (fd: number) => paths.setTimes(fd, times.address);

  /** A name in the directory itself takes one call, unless it is a link that is to be followed. */
  function lookUp(directory: Descriptor, follow: boolean): number {
    if (path.isSingle) {
      const result = paths.status(directory.hostFd, path.address, status.address);
      if (result < 0 || !follow || status.fileType !== FileType.SYMBOLIC_LINK) return result;
    }
    return resolver.withTarget(directory, path, follow, statusOf);
  }

  function readLink(guest: GuestMemory, directory: Descriptor, at: number, length: number): number {
    const address = context.base(guest) + at;
    if (path.isSingle) return paths.readLink(directory.hostFd, path.address, address, length);
    return resolver.withTarget(directory, path, false, (fd) =>
      paths.readOpenLink(fd, address, length),
    );
  }

  return {
    path_filestat_get: (fd = 0, lookup = 0, at = 0, length = 0, result = 0) => {
      const directory = resolver.directory(fd);
      if (!(directory instanceof Descriptor)) return directory;
      const guest = memory();
      const resultAt = unsigned(result);
      const follow = unsigned(lookup);
      if ((follow & ~SYMLINK_FOLLOW) !== 0) return WasiErrno.EINVAL;
      if (!guest.contains(resultAt, FileStat.SIZE)) return WasiErrno.EFAULT;
      const bad = path.load(guest, at, length);
      if (bad !== WasiErrno.SUCCESS) return bad;
      const failure = lookUp(directory, follow !== 0);
      if (failure < 0) return resolver.errnoOf(failure);
      status.write(guest, resultAt);
      return WasiErrno.SUCCESS;
    },
    path_filestat_set_times: (
      fd = 0,
      lookup = 0,
      at: Parameter = 0,
      length = 0,
      accessed = 0,
      modified = 0,
      flags = 0,
    ) => {
      const directory = resolver.directory(fd);
      if (!(directory instanceof Descriptor)) return directory;
      const follow = unsigned(lookup);
      if ((follow & ~SYMLINK_FOLLOW) !== 0) return WasiErrno.EINVAL;
      if (!times.set(accessed, modified, flags)) return WasiErrno.EINVAL;
      const bad = path.load(memory(), at, length);
      if (bad !== WasiErrno.SUCCESS) return bad;
      if (directory.readOnly) return WasiErrno.EPERM;
      return resolver.errnoOf(resolver.withTarget(directory, path, follow !== 0, setTimesOf));
    },
    path_readlink: (fd = 0, at = 0, length = 0, buffer = 0, bufferLength = 0, result = 0) => {
      const directory = resolver.directory(fd);
      if (!(directory instanceof Descriptor)) return directory;
      const guest = memory();
      const resultAt = unsigned(result);
      const bufferAt = unsigned(buffer);
      const roomBytes = unsigned(bufferLength);
      if (!guest.contains(resultAt, 4)) return WasiErrno.EFAULT;
      if (!guest.contains(bufferAt, roomBytes)) return WasiErrno.EFAULT;
      const bad = path.load(guest, at, length);
      if (bad !== WasiErrno.SUCCESS) return bad;
      // What does not fit is cut off; of no room at all Linux says EINVAL, WASI nothing.
      if (roomBytes === 0) {
        guest.view.setUint32(resultAt, 0, true);
        return WasiErrno.SUCCESS;
      }
      const used = readLink(guest, directory, bufferAt, Math.min(roomBytes, 0x7fffffff));
      if (used < 0) return resolver.errnoOf(used);
      guest.view.setUint32(resultAt, used, true);
      return WasiErrno.SUCCESS;
    },
  };
}
