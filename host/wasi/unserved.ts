/**
 * The rest of preview1: files, directories and sockets. No guest holds a descriptor for any of
 * them, so the truthful answer is EBADF for every descriptor but the standard streams, and ENOTSUP
 * for those. They exist because the start code of Go, Zig or CPython imports them all, and a module
 * with a missing import does not start.
 */
import { WasiErrno } from "./errno";
import { unsigned, type WasiFunctions } from "./parameter";

const NAMES = [
  "fd_advise",
  "fd_allocate",
  "fd_datasync",
  "fd_fdstat_set_rights",
  "fd_filestat_set_size",
  "fd_filestat_set_times",
  "fd_pread",
  "fd_pwrite",
  "fd_readdir",
  "fd_renumber",
  "fd_sync",
  "path_create_directory",
  "path_filestat_get",
  "path_filestat_set_times",
  "path_link",
  "path_open",
  "path_readlink",
  "path_remove_directory",
  "path_rename",
  "path_unlink_file",
  "sock_accept",
  "sock_recv",
  "sock_send",
  "sock_shutdown",
] as const;

export function unservedFunctions(): WasiFunctions {
  const functions: WasiFunctions = {
    // The one whose descriptor is not its first parameter; it cannot be a good one either.
    path_symlink: () => WasiErrno.EBADF,
  };
  for (const name of NAMES) {
    functions[name] = (fd = 0) => (unsigned(fd) > 2 ? WasiErrno.EBADF : WasiErrno.ENOTSUP);
  }
  return functions;
}
