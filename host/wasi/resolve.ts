/**
 * From a guest's path to the kernel. Whatever has more than one component goes through openat2 with
 * RESOLVE_BENEATH, so the kernel is the sandbox and a rename in between cannot lead out. Calls
 * without such flags get the parent directory, resolved that way, and one last component, which
 * they do not follow.
 */
import { Errno } from "../abi";
import type { DescriptorContext } from "./context";
import { type Descriptor, Kind } from "./descriptor";
import { WasiErrno, wasiErrnoOf } from "./errno";
import type { GuestPath } from "./guest-path";
import type { Parameter } from "./parameter";

const O_DIRECTORY = process.arch === "arm64" ? 0o40000 : 0o200000;
const O_NOFOLLOW = process.arch === "arm64" ? 0o100000 : 0o400000;
const O_CLOEXEC = 0o2000000;
const O_PATH = 0o10000000;

export const Open = { O_DIRECTORY, O_NOFOLLOW, O_CLOEXEC, O_PATH } as const;

/**
 * A rename anywhere on the machine while ".." is resolved makes the kernel give up with EAGAIN. It
 * is asked again this often; then the guest gets EAGAIN.
 */
const TRIES_MAX = 1000;

/** No errno of Linux: the path would lead out of its directory. A rename may well be EXDEV. */
const ESCAPED = 4096;

export class Resolver {
  readonly #context: DescriptorContext;

  constructor(context: DescriptorContext) {
    this.#context = context;
  }

  /** The directory of a path_* call, or the errno: EBADF, or ENOTDIR for what is none. */
  directory(fd: Parameter): Descriptor | WasiErrno {
    const found = this.#context.table.get(fd);
    if (found === null) return WasiErrno.EBADF;
    return found.kind === Kind.DIRECTORY ? found : WasiErrno.ENOTDIR;
  }

  /** A descriptor on the host, or a negated errno; -ESCAPED for what would lead out. */
  open(directory: Descriptor, path: number, flags: number, mode: number): number {
    const { paths } = this.#context.native;
    // A thread that is ended between the call and the note of what it opened would leave that open:
    // what is asked for after the stop signal is not opened, so that the thread has unwound by then.
    if (this.#context.stopped()) return -Errno.EINTR;
    let fd = 0;
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      fd = paths.beneath(directory.hostFd, path, flags | O_CLOEXEC, mode);
      if (fd !== -Errno.EAGAIN && fd !== -Errno.EINTR) break;
      if (this.#context.stopped()) return -Errno.EINTR;
    }
    return fd === -Errno.EXDEV ? -ESCAPED : fd;
  }

  /** Does something with what a path stands for, by an O_PATH descriptor. */
  withTarget(
    directory: Descriptor,
    path: GuestPath,
    follow: boolean,
    action: (fd: number) => number,
  ): number {
    const flags = follow ? O_PATH : O_PATH | O_NOFOLLOW;
    const fd = this.open(directory, path.address, flags, 0);
    return fd < 0 ? fd : this.#use(fd, action);
  }

  /** Does something with a last component and the directory that it is in. */
  withParent(directory: Descriptor, path: GuestPath, action: (parent: number) => number): number {
    if (path.nameAt === 0) return action(directory.hostFd);
    path.cutParent();
    const fd = this.open(directory, path.address, O_PATH | O_DIRECTORY, 0);
    return fd < 0 ? fd : this.#use(fd, action);
  }

  /** Noted while it is open, for who must close it should the thread be ended meanwhile. */
  #use(fd: number, action: (fd: number) => number): number {
    const { openFiles } = this.#context.table;
    const slot = openFiles.note(fd);
    try {
      return action(fd);
    } finally {
      openFiles.close(slot);
    }
  }

  /** A negated errno as the guest gets it; EINTR ends a guest that is to end. */
  errnoOf(result: number): WasiErrno {
    if (result >= 0) return WasiErrno.SUCCESS;
    if (result === -ESCAPED) return WasiErrno.ENOTCAPABLE;
    if (result === -Errno.EINTR && this.#context.stopped()) return this.#context.interrupted();
    return wasiErrnoOf(-result);
  }
}
