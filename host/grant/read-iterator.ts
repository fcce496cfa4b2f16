/**
 * Asks the kernel whether a file has ->read_iter. Without it io_uring ignores the ring's pinned
 * pages and copies to an address of the host's address space (loop_rw_iter), so such a file is
 * never granted. This is the braces to the belt of filesystems.ts: it also catches what no table
 * lists.
 */
import { constants } from "node:fs";
import { Errno, GrantKind, Rwf } from "../abi";
import type { Syscalls } from "../ffi/syscalls";
import { filesOf } from "./files";

/** Kept alive by the module: the call has only its address. */
const byte = new Uint8Array(1);

/**
 * preadv2 with a flag is refused with EOPNOTSUPP for a file without ->read_iter, before anything is
 * read. One byte is asked for: a timer refuses that with EINVAL and keeps its count, and so does a
 * file opened with O_DIRECT.
 */
function readsWithFlag(syscalls: Syscalls, fd: number, offset: number): boolean {
  return syscalls.preadv2(fd, syscalls.addressOf(byte), 1, offset, Rwf.DSYNC) !== -Errno.EOPNOTSUPP;
}

/**
 * Whether this kernel takes flags at all: gVisor refuses them for every file, and has no io_uring
 * either.
 */
function kernelTakesFlags(syscalls: Syscalls): boolean {
  const files = filesOf(syscalls);
  const fd = files.open("/dev/zero", constants.O_RDONLY, 0);
  if (fd < 0) return true;
  const takes = readsWithFlag(syscalls, fd, 0);
  files.close(fd);
  return takes;
}

/** False only when the kernel says so. Nothing is taken out of the file. */
export function hasReadIterator(syscalls: Syscalls, fd: number, kind: GrantKind): boolean {
  // Reading these would take data away or wait; the kernel has iterators for all of them.
  if (kind === GrantKind.PIPE || kind === GrantKind.SOCKET) return true;
  const offset = kind === GrantKind.TIMERFD ? -1 : 0;
  return readsWithFlag(syscalls, fd, offset) || !kernelTakesFlags(syscalls);
}
