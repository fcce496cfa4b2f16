/**
 * The family fd_read, fd_write, fd_pread, fd_pwrite: one system call between the file and the
 * guest's memory. The position of a file that the guest opened is kept by its descriptor, so a
 * sequential read is a read at a place, and a seek costs nothing.
 */
import { Errno } from "../abi";
import type { GuestMemory } from "../memory/guest-memory";
import type { DescriptorContext } from "./context";
import { type Descriptor, FdFlag, Kind, POSITION_OF_KERNEL } from "./descriptor";
import { WasiErrno, wasiErrnoOf } from "./errno";
import { signed64 } from "./number64";
import { type Parameter, unsigned, type WasiFunctions } from "./parameter";
import { transferStream } from "./stream-transfer";
import { type Transfers, writeFlags } from "./transfer";
import type { Vectors } from "./vectors";

export interface DataParts {
  context: DescriptorContext;
  vectors: Vectors;
  transfers: Transfers;
}

export function dataFunctions({ context, vectors, transfers }: DataParts): WasiFunctions {
  const { table, memory, interrupted } = context;

  /** Tells the guest how many bytes were moved, or why none were. */
  function finish(guest: GuestMemory, resultAt: number, moved: number): WasiErrno {
    if (moved < 0) return moved === -Errno.EINTR ? interrupted() : wasiErrnoOf(-moved);
    guest.view.setUint32(resultAt, moved, true);
    return WasiErrno.SUCCESS;
  }

  function streamed(
    guest: GuestMemory,
    transfer: ((bytes: Uint8Array) => number) | null,
    [at, count, result]: readonly [Parameter, Parameter, Parameter],
    untilFull: boolean,
  ): WasiErrno {
    if (transfer === null) return WasiErrno.EBADF;
    const resultAt = unsigned(result);
    if (!guest.contains(resultAt, 4)) return WasiErrno.EFAULT;
    return finish(guest, resultAt, transferStream(guest, transfer, [at, count], untilFull));
  }

  function readHere(found: Descriptor): number {
    if (found.kind !== Kind.FILE) return transfers.stream(found, true);
    if (found.position === POSITION_OF_KERNEL) found.position = transfers.positionOf(found);
    const count = transfers.readAt(found.hostFd, found.position);
    if (count > 0) found.position += count;
    return count;
  }

  function writeHere(found: Descriptor): number {
    if (found.kind !== Kind.FILE) return transfers.stream(found, false);
    const flags = writeFlags(found.flags);
    if ((found.flags & FdFlag.APPEND) !== 0) {
      const count = transfers.append(found.hostFd, flags);
      if (count > 0) found.position = POSITION_OF_KERNEL;
      return count;
    }
    if (found.position === POSITION_OF_KERNEL) found.position = transfers.positionOf(found);
    const count = transfers.writeAt(found.hostFd, found.position, flags);
    if (count > 0) found.position += count;
    return count;
  }

  /** Why a read or write at an offset is refused, or SUCCESS. */
  function refusePlaced(found: Descriptor, allowed: boolean, offset: number): WasiErrno {
    if (found.kind === Kind.DIRECTORY) return allowed ? WasiErrno.EISDIR : WasiErrno.EBADF;
    if (!found.seekable) return WasiErrno.ESPIPE;
    if (!allowed) return WasiErrno.EBADF;
    return offset >= 0 ? WasiErrno.SUCCESS : WasiErrno.EINVAL;
  }

  return {
    fd_read: (fd = 0, at = 0, count = 0, result = 0) => {
      const found = table.get(fd);
      if (found === null) return WasiErrno.EBADF;
      const guest = memory();
      // A read stops at the first answer: asking for more could wait for input that never comes.
      const { stream } = found;
      if (stream !== null) return streamed(guest, stream.read, [at, count, result], false);
      if (found.kind === Kind.DIRECTORY) return WasiErrno.EISDIR;
      if (!found.readable) return WasiErrno.EBADF;
      const resultAt = unsigned(result);
      const bad = vectors.load(guest, at, count, resultAt);
      return bad !== WasiErrno.SUCCESS ? bad : finish(guest, resultAt, readHere(found));
    },
    fd_write: (fd = 0, at = 0, count = 0, result = 0) => {
      const found = table.get(fd);
      if (found === null) return WasiErrno.EBADF;
      const guest = memory();
      const { stream } = found;
      if (stream !== null) return streamed(guest, stream.write, [at, count, result], true);
      if (!found.writable) return WasiErrno.EBADF;
      const resultAt = unsigned(result);
      const bad = vectors.load(guest, at, count, resultAt);
      return bad !== WasiErrno.SUCCESS ? bad : finish(guest, resultAt, writeHere(found));
    },
    fd_pread: (fd = 0, at = 0, count = 0, offset = 0, result = 0) => {
      const found = table.get(fd);
      if (found === null) return WasiErrno.EBADF;
      const place = signed64(offset);
      const refused = refusePlaced(found, found.readable, place);
      if (refused !== WasiErrno.SUCCESS) return refused;
      const guest = memory();
      const resultAt = unsigned(result);
      const bad = vectors.load(guest, at, count, resultAt);
      if (bad !== WasiErrno.SUCCESS) return bad;
      // No file reaches as far as numbers are exact.
      const moved = place > Number.MAX_SAFE_INTEGER ? 0 : transfers.readAt(found.hostFd, place);
      return finish(guest, resultAt, moved);
    },
    fd_pwrite: (fd = 0, at = 0, count = 0, offset = 0, result = 0) => {
      const found = table.get(fd);
      if (found === null) return WasiErrno.EBADF;
      const place = signed64(offset);
      const refused = refusePlaced(found, found.writable, place);
      if (refused !== WasiErrno.SUCCESS) return refused;
      if (place > Number.MAX_SAFE_INTEGER) return WasiErrno.EFBIG;
      const guest = memory();
      const resultAt = unsigned(result);
      const bad = vectors.load(guest, at, count, resultAt);
      if (bad !== WasiErrno.SUCCESS) return bad;
      // POSIX: at the offset, appending or not.
      const flags = writeFlags(found.flags & ~FdFlag.APPEND);
      return finish(guest, resultAt, transfers.writeAt(found.hostFd, place, flags));
    },
  };
}
