/** The family of a file's storage: fd_advise, fd_allocate, fd_sync, fd_datasync, set_size. */
import { Errno, Fadvise } from "../abi";
import type { DescriptorContext } from "./context";
import { Kind } from "./descriptor";
import { WasiErrno, wasiErrnoOf } from "./errno";
import { signed64 } from "./number64";
import { type Parameter, unsigned, type WasiFunctions } from "./parameter";

/** `advice` of WASI, in its order. */
const ADVICE = [
  Fadvise.NORMAL,
  Fadvise.SEQUENTIAL,
  Fadvise.RANDOM,
  Fadvise.WILLNEED,
  Fadvise.DONTNEED,
  Fadvise.NOREUSE,
] as const;

/** Allocated in parts, because some file systems do it page by page and nobody can end that. */
const ALLOCATE_PART_BYTES = 256 * 1024 * 1024;

export function storageFunctions(context: DescriptorContext): WasiFunctions {
  const { table, stopped, interrupted } = context;
  const { files } = context.native;

  function allocate(fd: number, offset: number, length: number): WasiErrno {
    for (let done = 0; done < length; ) {
      if (stopped()) return interrupted();
      const part = Math.min(length - done, ALLOCATE_PART_BYTES);
      const result = files.allocate(fd, offset + done, part);
      if (result < 0 && result !== -Errno.EINTR) return wasiErrnoOf(-result);
      if (result >= 0) done += part;
    }
    return WasiErrno.SUCCESS;
  }

  function advise(fd: Parameter, offset: number, length: number, advice: number): WasiErrno {
    const found = table.get(fd);
    const linuxAdvice = ADVICE[advice];
    if (found === null || found.kind === Kind.DIRECTORY) return WasiErrno.EBADF;
    // As wasmtime: the standard streams are nothing to advise about, even where they are files.
    if (found.kind === Kind.STREAM) return WasiErrno.EBADF;
    if (!found.seekable) return WasiErrno.ESPIPE;
    if (linuxAdvice === undefined || offset < 0 || length < 0) return WasiErrno.EINVAL;
    // Advice beyond what any file reaches is none.
    if (offset > Number.MAX_SAFE_INTEGER) return WasiErrno.SUCCESS;
    const cut = Math.min(length, Number.MAX_SAFE_INTEGER);
    return wasiErrnoOf(-files.advise(found.hostFd, offset, cut, linuxAdvice));
  }

  /** The host's descriptor of something that can be synchronized, or -1. */
  function synchronized(fd: Parameter, sync: (fd: number) => number): WasiErrno {
    const found = table.get(fd);
    if (found === null) return WasiErrno.EBADF;
    if (found.hostFd < 0) return WasiErrno.EINVAL;
    const result = sync(found.hostFd);
    return result < 0 ? wasiErrnoOf(-result) : WasiErrno.SUCCESS;
  }

  return {
    fd_advise: (fd = 0, offset = 0, length = 0, advice = 0) =>
      advise(fd, signed64(offset), signed64(length), unsigned(advice)),
    fd_allocate: (fd = 0, offset = 0, length = 0) => {
      const found = table.get(fd);
      if (found === null || found.kind === Kind.DIRECTORY) return WasiErrno.EBADF;
      if (!found.seekable) return WasiErrno.ESPIPE;
      if (!found.writable) return WasiErrno.EBADF;
      const from = signed64(offset);
      const wanted = signed64(length);
      if (from < 0 || wanted <= 0) return WasiErrno.EINVAL;
      if (from + wanted > Number.MAX_SAFE_INTEGER) return WasiErrno.EFBIG;
      return allocate(found.hostFd, from, wanted);
    },
    fd_filestat_set_size: (fd = 0, size = 0) => {
      const found = table.get(fd);
      if (found === null || found.kind === Kind.DIRECTORY) return WasiErrno.EBADF;
      if (!found.seekable || !found.writable) return WasiErrno.EINVAL;
      const wanted = signed64(size);
      if (wanted < 0) return WasiErrno.EINVAL;
      if (wanted > Number.MAX_SAFE_INTEGER) return WasiErrno.EFBIG;
      const result = files.truncate(found.hostFd, wanted);
      return result < 0 ? wasiErrnoOf(-result) : WasiErrno.SUCCESS;
    },
    fd_sync: (fd = 0) => synchronized(fd, files.sync),
    fd_datasync: (fd = 0) => synchronized(fd, files.dataSync),
  };
}
