/**
 * The family that changes directories: path_create_directory, path_remove_directory,
 * path_unlink_file, path_rename, path_link, path_symlink. Their system calls take no RESOLVE flags,
 * so each gets the parent, resolved beneath, and one last component that the kernel does not follow
 * (filename_parentat): a slash after it only says that it must be a directory.
 */
import { Errno } from "../abi";
import type { DescriptorContext } from "./context";
import { Descriptor } from "./descriptor";
import { WasiErrno } from "./errno";
import type { GuestPath } from "./guest-path";
import { type Parameter, unsigned, type WasiFunctions } from "./parameter";
import type { Resolver } from "./resolve";
import type { Status } from "./status";
import { FileType } from "./stream";

const AT_REMOVEDIR = 0x200;
/** Before the umask. */
const MODE_OF_NEW_DIRECTORIES = 0o777;

export interface ChangeParts {
  context: DescriptorContext;
  resolver: Resolver;
  path: GuestPath;
  /** The second path of a call that has two. */
  other: GuestPath;
  status: Status;
}

export function changeFunctions(parts: ChangeParts): WasiFunctions {
  const { context, resolver, path, other, status } = parts;
  const { memory, native } = context;
  const { paths } = native;

  /** One path below one directory, which must not be read-only. */
  function change(
    fd: Parameter,
    [at, length]: readonly [Parameter, Parameter],
    keepSlash: boolean,
    action: (parent: number) => number,
  ): WasiErrno {
    const directory = resolver.directory(fd);
    if (!(directory instanceof Descriptor)) return directory;
    const bad = path.load(memory(), at, length);
    if (bad !== WasiErrno.SUCCESS) return bad;
    if (directory.readOnly) return WasiErrno.EPERM;
    path.cutName(keepSlash);
    return resolver.errnoOf(resolver.withParent(directory, path, action));
  }

  /** "file/" is ENOTDIR, "directory/" EISDIR, and nothing is removed either way. */
  function unlink(parent: number): number {
    if (!path.trailingSlash) return paths.unlink(parent, path.nameAddress, 0);
    const failure = paths.status(parent, path.nameAddress, status.address);
    if (failure < 0) return failure;
    return status.fileType === FileType.DIRECTORY ? -Errno.EISDIR : -Errno.ENOTDIR;
  }

  /** Two paths below two directories, neither of which may be read-only. */
  function changeBoth(
    fds: readonly [Parameter, Parameter],
    from: readonly [Parameter, Parameter],
    to: readonly [Parameter, Parameter],
    action: (source: Descriptor, target: Descriptor) => number,
  ): WasiErrno {
    const source = resolver.directory(fds[0]);
    if (!(source instanceof Descriptor)) return source;
    const target = resolver.directory(fds[1]);
    if (!(target instanceof Descriptor)) return target;
    const guest = memory();
    const badSource = path.load(guest, ...from);
    if (badSource !== WasiErrno.SUCCESS) return badSource;
    const badTarget = other.load(guest, ...to);
    if (badTarget !== WasiErrno.SUCCESS) return badTarget;
    if (source.readOnly || target.readOnly) return WasiErrno.EPERM;
    return resolver.errnoOf(action(source, target));
  }

  function rename(source: Descriptor, target: Descriptor): number {
    // renameat follows neither last component and knows best what a slash after it demands.
    path.cutName(true);
    other.cutName(true);
    return resolver.withParent(source, path, (from) =>
      resolver.withParent(target, other, (to) =>
        paths.rename(from, path.nameAddress, to, other.nameAddress),
      ),
    );
  }

  function link(source: Descriptor, target: Descriptor): number {
    // linkat would follow a source with a slash after it, and look up "..": these are directories,
    // or nothing, or an error that resolving it beneath tells.
    if (path.trailingSlash || path.isDot) {
      return resolver.withTarget(source, path, false, () => -Errno.EPERM);
    }
    path.cutName(false);
    other.cutName(true);
    return resolver.withParent(source, path, (from) =>
      resolver.withParent(target, other, (to) =>
        paths.link(from, path.nameAddress, to, other.nameAddress),
      ),
    );
  }

  /** "file/" is ENOTDIR, where Linux says that it exists. */
  function symlink(parent: number): number {
    const result = paths.symlink(other.address, parent, path.nameAddress);
    if (result !== -Errno.EEXIST || !path.trailingSlash) return result;
    path.cutName(false);
    const failure = paths.status(parent, path.nameAddress, status.address);
    return failure < 0 || status.fileType === FileType.DIRECTORY ? result : -Errno.ENOTDIR;
  }

  return {
    path_create_directory: (fd = 0, at = 0, length = 0) =>
      change(fd, [at, length], false, (parent) =>
        paths.makeDirectory(parent, path.nameAddress, MODE_OF_NEW_DIRECTORIES),
      ),
    path_remove_directory: (fd = 0, at = 0, length = 0) =>
      change(fd, [at, length], false, (parent) =>
        paths.unlink(parent, path.nameAddress, AT_REMOVEDIR),
      ),
    path_unlink_file: (fd = 0, at = 0, length = 0) => change(fd, [at, length], false, unlink),
    path_rename: (fd = 0, at = 0, length = 0, newFd = 0, newAt = 0, newLength = 0) =>
      changeBoth([fd, newFd], [at, length], [newAt, newLength], rename),
    path_link: (fd = 0, flags = 0, at = 0, length = 0, newFd = 0, newAt = 0, newLength = 0) => {
      // As in wasmtime: a link is made of what the path names, never of what that points at.
      if (unsigned(flags) !== 0) return WasiErrno.EINVAL;
      return changeBoth([fd, newFd], [at, length], [newAt, newLength], link);
    },
    path_symlink: (at = 0, length = 0, fd = 0, newAt = 0, newLength = 0) => {
      // ENOTCAPABLE for an absolute target: it would lead out wherever it was followed.
      const bad = other.loadTarget(memory(), at, length);
      if (bad !== WasiErrno.SUCCESS) return bad;
      return change(fd, [newAt, newLength], true, symlink);
    },
  };
}
