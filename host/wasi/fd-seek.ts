/** The family fd_seek, fd_tell: arithmetic on the position that a file's descriptor keeps. */
import type { DescriptorContext } from "./context";
import { type Descriptor, Kind, POSITION_OF_KERNEL } from "./descriptor";
import { WasiErrno, wasiErrnoOf } from "./errno";
import { setNumber64, signed64 } from "./number64";
import { type Parameter, unsigned, type WasiFunctions } from "./parameter";

/** The numbers of WASI and of lseek(2) alike. */
const enum Whence {
  SET = 0,
  CURRENT = 1,
  END = 2,
}

export function seekFunctions({ table, memory, native }: DescriptorContext): WasiFunctions {
  const { files } = native;

  /** The new position, or a negated Linux errno. */
  function moved(found: Descriptor, delta: number, whence: number): number {
    // A standard stream that is a file shares its position with the host's process.
    if (found.kind === Kind.STREAM) return files.seek(found.hostFd, delta, whence);
    if (whence === Whence.SET) return delta;
    if (whence === Whence.CURRENT) {
      const here = found.position;
      if (here !== POSITION_OF_KERNEL) return here + delta;
      return added(files.seek(found.hostFd, 0, Whence.CURRENT), delta);
    }
    return added(files.seek(found.hostFd, 0, Whence.END), delta);
  }

  function seek(fd: Parameter, offset: Parameter, whence: number, resultAt: number): WasiErrno {
    const found = table.get(fd);
    if (found === null) return WasiErrno.EBADF;
    if (!found.seekable) return found.kind === Kind.DIRECTORY ? WasiErrno.EBADF : WasiErrno.ESPIPE;
    if (whence > Whence.END) return WasiErrno.EINVAL;
    const guest = memory();
    if (!guest.contains(resultAt, 8)) return WasiErrno.EFAULT;
    const delta = signed64(offset);
    if (delta > Number.MAX_SAFE_INTEGER || delta < -Number.MAX_SAFE_INTEGER) {
      return WasiErrno.EINVAL;
    }
    const position = moved(found, delta, whence);
    if (position < 0) return position < -4095 ? WasiErrno.EINVAL : negative(found, position);
    if (position > Number.MAX_SAFE_INTEGER) return WasiErrno.EOVERFLOW;
    found.position = position;
    setNumber64(guest.view, resultAt, position);
    return WasiErrno.SUCCESS;
  }

  /** Below 0 by arithmetic is EINVAL; what the kernel answered for a shared file is its errno. */
  function negative(found: Descriptor, position: number): WasiErrno {
    return found.kind === Kind.STREAM ? wasiErrnoOf(-position) : WasiErrno.EINVAL;
  }

  return {
    fd_seek: (fd = 0, offset = 0, whence = 0, result = 0) =>
      seek(fd, offset, unsigned(whence), unsigned(result)),
    fd_tell: (fd = 0, result = 0) => seek(fd, 0, Whence.CURRENT, unsigned(result)),
  };
}

/** An errno stays what it is. */
function added(position: number, delta: number): number {
  return position < 0 ? position : position + delta;
}
