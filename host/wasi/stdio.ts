/**
 * The fd_* family for the only descriptors a guest has by WASI: 0, 1 and 2. Data goes straight
 * between guest memory and the stream, without a copy. Descriptors from 3 upwards would be
 * directories and files, of which none is granted: EBADF.
 */
import { Errno } from "../abi";
import type { GuestMemory } from "../memory/guest-memory";
import { WasiErrno, wasiErrnoOf } from "./errno";
import { type Parameter, unsigned, type WasiFunctions } from "./parameter";
import type { Stdio, Stream } from "./stream";

/** IOV_MAX of Linux. */
export const VECTORS_MAX = 1024;
const VECTOR_BYTES = 8;
/** The most that one call transfers, so that the sum always fits its u32. */
const TRANSFER_MAX_BYTES = 0x7fffffff;

/** `fdstat`: file type u8 at 0, flags u16 at 2, rights u64 at 8, inherited rights u64 at 16. */
const enum FdStat {
  TYPE = 0,
  RIGHTS = 8,
  SIZE = 24,
}

/** `filestat`: device u64, inode u64, type u8 at 16, links u64 at 24, size u64, three times. */
const enum FileStat {
  TYPE = 16,
  LINKS = 24,
  SIZE = 64,
}

/**
 * Bits of `rights`. No FD_SEEK and no FD_TELL: their absence is how wasi-libc's isatty() knows a
 * terminal.
 */
const enum Right {
  FD_READ = 1 << 1,
  FD_WRITE = 1 << 6,
  FD_FILESTAT_GET = 1 << 21,
}

export interface StdioOptions {
  memory: () => GuestMemory;
  stdio: Stdio;
}

/** Moves one vector's bytes: how many, or a negated Linux errno. */
type Transfer = (bytes: Uint8Array) => number;

/**
 * Walks the guest's vectors. Each is read once and checked, because another thread of the guest may
 * change it at any time. An error after the first byte is reported by the next call, as in POSIX.
 */
function transferVectors(
  guest: GuestMemory,
  transfer: Transfer,
  [vectors, count, result]: readonly [Parameter, Parameter, Parameter],
  untilFull: boolean,
): WasiErrno {
  const resultAt = unsigned(result);
  const vectorCount = unsigned(count);
  if (vectorCount > VECTORS_MAX) return WasiErrno.EINVAL;
  const vectorsAt = unsigned(vectors);
  if (!guest.contains(vectorsAt, vectorCount * VECTOR_BYTES)) return WasiErrno.EFAULT;
  if (!guest.contains(resultAt, 4)) return WasiErrno.EFAULT;
  let total = 0;
  for (let index = 0; index < vectorCount; index++) {
    const at = guest.view.getUint32(vectorsAt + index * VECTOR_BYTES, true);
    const length = guest.view.getUint32(vectorsAt + index * VECTOR_BYTES + 4, true);
    const wanted = Math.min(length, TRANSFER_MAX_BYTES - total);
    const done = guest.contains(at, length)
      ? transferOne(guest, transfer, at, wanted, untilFull)
      : -Errno.EFAULT;
    if (done < 0 && total === 0) return wasiErrnoOf(-done);
    if (done > 0) total += done;
    if (done < wanted || (!untilFull && total > 0)) break;
  }
  guest.view.setUint32(resultAt, total, true);
  return WasiErrno.SUCCESS;
}

function transferOne(
  guest: GuestMemory,
  transfer: Transfer,
  at: number,
  length: number,
  untilFull: boolean,
): number {
  let moved = 0;
  while (moved < length) {
    const done = transfer(guest.bytes.subarray(at + moved, at + length));
    if (done < 0) return moved === 0 ? done : moved;
    moved += done;
    if (done === 0 || !untilFull) break;
  }
  return moved;
}

export function stdioFunctions({ memory, stdio }: StdioOptions): WasiFunctions {
  const streams: (Stream | null)[] = [stdio.stdin, stdio.stdout, stdio.stderr];
  const stream = (fd: Parameter): Stream | null => streams[unsigned(fd)] ?? null;
  const stdioError = (fd: Parameter, error: WasiErrno): WasiErrno =>
    stream(fd) === null ? WasiErrno.EBADF : error;

  function describe(fd: Parameter, result: Parameter, size: number): WasiErrno {
    const guest = memory();
    const resultAt = unsigned(result);
    const found = stream(fd);
    if (found === null) return WasiErrno.EBADF;
    if (!guest.contains(resultAt, size)) return WasiErrno.EFAULT;
    guest.bytes.fill(0, resultAt, resultAt + size);
    if (size === FileStat.SIZE) {
      guest.view.setUint8(resultAt + FileStat.TYPE, found.fileType);
      guest.view.setBigUint64(resultAt + FileStat.LINKS, 1n, true);
      return WasiErrno.SUCCESS;
    }
    const direction = found.write === null ? Right.FD_READ : Right.FD_WRITE;
    guest.view.setUint8(resultAt + FdStat.TYPE, found.fileType);
    guest.view.setUint32(resultAt + FdStat.RIGHTS, direction | Right.FD_FILESTAT_GET, true);
    return WasiErrno.SUCCESS;
  }

  return {
    fd_write: (fd = 0, vectors = 0, count = 0, result = 0) => {
      const write = stream(fd)?.write ?? null;
      if (write === null) return WasiErrno.EBADF;
      return transferVectors(memory(), write, [vectors, count, result], true);
    },
    // A read stops at the first answer: asking for more could wait for input that never comes.
    fd_read: (fd = 0, vectors = 0, count = 0, result = 0) => {
      const read = stream(fd)?.read ?? null;
      if (read === null) return WasiErrno.EBADF;
      return transferVectors(memory(), read, [vectors, count, result], false);
    },
    fd_close: (fd = 0) => {
      if (stream(fd) === null) return WasiErrno.EBADF;
      streams[unsigned(fd)] = null;
      return WasiErrno.SUCCESS;
    },
    fd_fdstat_get: (fd = 0, result = 0) => describe(fd, result, FdStat.SIZE),
    fd_filestat_get: (fd = 0, result = 0) => describe(fd, result, FileStat.SIZE),
    fd_fdstat_set_flags: (fd = 0, flags = 0) =>
      stdioError(fd, unsigned(flags) === 0 ? WasiErrno.SUCCESS : WasiErrno.ENOTSUP),
    fd_seek: (fd = 0) => stdioError(fd, WasiErrno.ESPIPE),
    fd_tell: (fd = 0) => stdioError(fd, WasiErrno.ESPIPE),
    // No directory is preopened; EBADF at 3 is how a guest's start code finds the end of the list.
    fd_prestat_get: () => WasiErrno.EBADF,
    fd_prestat_dir_name: () => WasiErrno.EBADF,
  };
}
