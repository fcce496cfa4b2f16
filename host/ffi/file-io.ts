/**
 * Vectored reads and writes at an offset and what else a disk needs of a file, with native addresses as plain numbers:
 * what a virtual disk's requests come down to when a thread performs them itself.
 */
import { loadLibc } from "./libc";

/** Every result is a value or a negated errno. */
export interface FileIo {
  /** preadv(2). `vectors` is the address of an array of struct iovec. */
  readv(fd: number, vectors: number, count: number, offset: number): number;
  /** pwritev(2). */
  writev(fd: number, vectors: number, count: number, offset: number): number;
  /** pwrite(2). */
  write(fd: number, address: number, length: number, offset: number): number;
  /** fallocate(2). */
  allocate(fd: number, mode: number, offset: number, length: number): number;
  /** fdatasync(2). */
  sync(fd: number): number;
}

function makeFileIo(): FileIo {
  const { koffi, number } = loadLibc();
  const preadv = number("int64_t preadv(int fd, uintptr_t vectors, int count, int64_t offset)");
  const pwritev = number("int64_t pwritev(int fd, uintptr_t vectors, int count, int64_t offset)");
  const pwrite = number("int64_t pwrite(int fd, uintptr_t address, size_t length, int64_t offset)");
  const fallocate = number("int fallocate(int fd, int mode, int64_t offset, int64_t length)");
  const fdatasync = number("int fdatasync(int fd)");
  const errno = () => -koffi.errno();
  return {
    readv: (fd, vectors, count, offset) => {
      const result = preadv(fd, vectors, count, offset);
      return result === -1 ? errno() : result;
    },
    writev: (fd, vectors, count, offset) => {
      const result = pwritev(fd, vectors, count, offset);
      return result === -1 ? errno() : result;
    },
    write: (fd, address, length, offset) => {
      const result = pwrite(fd, address, length, offset);
      return result === -1 ? errno() : result;
    },
    allocate: (fd, mode, offset, length) =>
      fallocate(fd, mode, offset, length) === -1 ? errno() : 0,
    sync: (fd) => (fdatasync(fd) === -1 ? errno() : 0),
  };
}

let table: FileIo | undefined;

/** The table of this thread. Throws what koffi throws when libc cannot be loaded. */
export function fileIo(): FileIo {
  table ??= makeFileIo();
  return table;
}
