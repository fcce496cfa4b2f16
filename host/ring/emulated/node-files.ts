/**
 * The emulated engine's files by node:fs, for platforms without our system-call table. Regular
 * files and block devices only: a read of a stream could block the guest's thread beyond its
 * deadline, so streams answer EOPNOTSUPP. Where node:fs has no equal of a Linux call, the nearest
 * stronger one is made (a range is synced by syncing the data) or the answer is EOPNOTSUPP.
 */
import { fdatasyncSync, fsyncSync, ftruncateSync, readSync, writeSync } from "node:fs";
import { Errno, Fadvise, Rwf, SyncFileRange } from "../../abi";
import type { GuestMemory } from "../../memory/guest-memory";
import type { GrantSlot } from "../engine";
import { isStream } from "../slot-table";
import type { FileBackend } from "./files";

/** The longest transfer of one call, as on Linux (MAX_RW_COUNT). */
const TRANSFER_MAX = 0x7fff_f000;
/** Flags that node:fs can honour: by a sync after the write, or by having no effect on files. */
const FLAGS_KNOWN = Rwf.DSYNC | Rwf.SYNC | Rwf.NOSIGNAL;
const SYNC_RANGE_FLAGS = SyncFileRange.WAIT_BEFORE | SyncFileRange.WRITE | SyncFileRange.WAIT_AFTER;

/**
 * Linux's number for what node:fs threw; the name is the same on every platform, the number is not.
 */
function negatedErrno(error: unknown): number {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  const errno =
    typeof code === "string" && code in Errno ? Errno[code as keyof typeof Errno] : Errno.EIO;
  return -errno;
}

/** A call that has nothing to say but that it failed. */
function perform(call: () => void): number {
  return attempt(() => {
    call();
    return 0;
  });
}

function attempt(call: () => number): number {
  try {
    return call();
  } catch (error) {
    return negatedErrno(error);
  }
}

export class NodeFiles implements FileBackend {
  readonly streams = false;
  readonly #memory: GuestMemory;

  constructor(memory: GuestMemory) {
    this.#memory = memory;
  }

  refresh(): void {
    // Views are made per call.
  }

  read(
    grant: GrantSlot,
    offset: number,
    lengthBytes: number,
    position: number,
    flags: number,
  ): number {
    if (isStream(grant.kind) || (flags & ~FLAGS_KNOWN) !== 0) return -Errno.EOPNOTSUPP;
    const length = Math.min(lengthBytes, TRANSFER_MAX);
    const where = position < 0 ? null : position;
    return attempt(() => readSync(grant.fd, this.#memory.bytes, offset, length, where));
  }

  write(
    grant: GrantSlot,
    offset: number,
    lengthBytes: number,
    position: number,
    flags: number,
  ): number {
    if (isStream(grant.kind) || (flags & ~FLAGS_KNOWN) !== 0) return -Errno.EOPNOTSUPP;
    const length = Math.min(lengthBytes, TRANSFER_MAX);
    const where = position < 0 ? null : position;
    return attempt(() => {
      const written = writeSync(grant.fd, this.#memory.bytes, offset, length, where);
      if ((flags & Rwf.SYNC) !== 0) fsyncSync(grant.fd);
      else if ((flags & Rwf.DSYNC) !== 0) fdatasyncSync(grant.fd);
      return written;
    });
  }

  sync(grant: GrantSlot, dataOnly: boolean): number {
    return perform(() => (dataOnly ? fdatasyncSync(grant.fd) : fsyncSync(grant.fd)));
  }

  syncRange(grant: GrantSlot, _position: number, _lengthBytes: number, flags: number): number {
    if ((flags & ~SYNC_RANGE_FLAGS) !== 0) return -Errno.EINVAL;
    if (isStream(grant.kind)) return -Errno.ESPIPE;
    return perform(() => fdatasyncSync(grant.fd));
  }

  advise(grant: GrantSlot, _position: number, lengthBytes: number, advice: number): number {
    if (isStream(grant.kind)) return -Errno.ESPIPE;
    return advice < 0 || advice > Fadvise.NOREUSE || lengthBytes < 0 ? -Errno.EINVAL : 0;
  }

  allocate(): number {
    return -Errno.EOPNOTSUPP;
  }

  truncate(grant: GrantSlot, lengthBytes: number): number {
    return perform(() => ftruncateSync(grant.fd, lengthBytes));
  }

  shutdown(grant: GrantSlot): number {
    return isStream(grant.kind) ? -Errno.EOPNOTSUPP : -Errno.ENOTSOCK;
  }

  poll(): number {
    return -Errno.EOPNOTSUPP;
  }
}
