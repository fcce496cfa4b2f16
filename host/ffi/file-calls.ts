/**
 * System calls on open files, for guests that read and write by WASI: data goes straight between
 * the file and the guest's memory. Every argument is a plain number, addresses included, so that a
 * call costs its conversion and nothing else; every result is a value or a negated errno.
 */
import { Errno } from "../abi";
import { loadLibc } from "./libc";

/** Numbers of system calls that not every libc wraps, by architecture. */
const SYS_GETDENTS64 = process.arch === "arm64" ? 61 : 217;
const SYS_FSTAT = process.arch === "arm64" ? 80 : 5;
const F_DUPFD_CLOEXEC = 1030;
const FIONREAD = 0x541b;

/** `vectors` is the address of an array of struct iovec; `offset` -1 stands for the file position. */
export interface FileCalls {
  read(fd: number, address: number, length: number): number;
  write(fd: number, address: number, length: number): number;
  pread(fd: number, address: number, length: number, offset: number): number;
  pwrite(fd: number, address: number, length: number, offset: number): number;
  preadv(fd: number, vectors: number, count: number, offset: number): number;
  /** pwritev2(2); `flags` are RWF_*. */
  pwritev(fd: number, vectors: number, count: number, offset: number, flags: number): number;
  seek(fd: number, offset: number, whence: number): number;
  /** lseek(2) of a directory to what getdents64 gave as d_off, which may be any 64-bit number. */
  seekDirectory(fd: number, cookie: bigint): number;
  /** getdents64(2) into a buffer. */
  readDirectory(fd: number, address: number, length: number): number;
  /** fstat(2) of an open file (O_PATH too) into the kernel's struct stat; faster than statx(2). */
  status(fd: number, result: number): number;
  /** futimens(2): two struct timespec. */
  setTimes(fd: number, times: number): number;
  allocate(fd: number, offset: number, length: number): number;
  advise(fd: number, offset: number, length: number, advice: number): number;
  truncate(fd: number, length: number): number;
  sync(fd: number): number;
  dataSync(fd: number): number;
  /** FIONREAD into an int. */
  available(fd: number, result: number): number;
  /** The same open file by another number, closed on exec. */
  duplicate(fd: number): number;
  close(fd: number): number;
}

function makeFileCalls(): FileCalls {
  const { koffi, number, mixed, checked } = loadLibc();
  const read = number("int64_t read(int fd, uintptr_t buffer, size_t length)");
  const write = number("int64_t write(int fd, uintptr_t buffer, size_t length)");
  const pread = number("int64_t pread(int fd, uintptr_t buffer, size_t length, int64_t offset)");
  const pwrite = number("int64_t pwrite(int fd, uintptr_t buffer, size_t length, int64_t offset)");
  const preadv2 = number(
    "int64_t preadv2(int fd, uintptr_t iov, int count, int64_t offset, int flags)",
  );
  const pwritev2 = number(
    "int64_t pwritev2(int fd, uintptr_t iov, int count, int64_t offset, int flags)",
  );
  const lseek = number("int64_t lseek(int fd, int64_t offset, int whence)");
  const lseekFar = mixed("int64_t lseek(int fd, int64_t offset, int whence)");
  const getdents = number("int64_t syscall(long nr, int fd, uintptr_t buffer, size_t length)");
  const fstat = number("int syscall(long nr, int fd, uintptr_t result)");
  const futimens = number("int futimens(int fd, uintptr_t times)");
  const fallocate = number("int fallocate(int fd, int mode, int64_t offset, int64_t length)");
  const fadvise = number("int posix_fadvise(int fd, int64_t offset, int64_t length, int advice)");
  const ftruncate = number("int ftruncate(int fd, int64_t length)");
  const fsync = number("int fsync(int fd)");
  const fdatasync = number("int fdatasync(int fd)");
  const ioctl = number("int ioctl(int fd, unsigned long request, uintptr_t argument)");
  const fcntl = number("int fcntl(int fd, int command, int argument)");
  const close = number("int close(int fd)");

  // Written out where it is hot: one call less than `checked`.
  const result = (value: number): number => (value === -1 ? -koffi.errno() : value);
  return {
    read: (fd, address, length) => result(read(fd, address, length)),
    write: (fd, address, length) => result(write(fd, address, length)),
    pread: (fd, address, length, offset) => {
      const count = pread(fd, address, length, offset);
      return count === -1 ? -koffi.errno() : count;
    },
    pwrite: (fd, address, length, offset) => {
      const count = pwrite(fd, address, length, offset);
      return count === -1 ? -koffi.errno() : count;
    },
    preadv: (fd, vectors, count, offset) => result(preadv2(fd, vectors, count, offset, 0)),
    pwritev: (fd, vectors, count, offset, flags) =>
      result(pwritev2(fd, vectors, count, offset, flags)),
    seek: (fd, offset, whence) => Number(result(lseek(fd, offset, whence))),
    // The position that comes back may be too large for a number; the caller knows it.
    seekDirectory: (fd, cookie) => Math.min(Number(checked(lseekFar(fd, cookie, 0))), 0),
    readDirectory: (fd, address, length) => result(getdents(SYS_GETDENTS64, fd, address, length)),
    status: (fd, to) => result(fstat(SYS_FSTAT, fd, to)),
    setTimes: (fd, times) => checked(futimens(fd, times)),
    allocate: (fd, offset, length) => checked(fallocate(fd, 0, offset, length)),
    // posix_fadvise returns the error instead of setting errno.
    advise: (fd, offset, length, advice) => -fadvise(fd, offset, length, advice),
    truncate: (fd, length) => checked(ftruncate(fd, length)),
    sync: (fd) => checked(fsync(fd)),
    dataSync: (fd) => checked(fdatasync(fd)),
    available: (fd, to) => checked(ioctl(fd, FIONREAD, to)),
    duplicate: (fd) => checked(fcntl(fd, F_DUPFD_CLOEXEC, 0)),
    close: (fd) => checked(close(fd)),
  };
}

let table: FileCalls | undefined;

/** The table of this thread. Throws what koffi throws when libc cannot be loaded. */
export function fileCalls(): FileCalls {
  table ??= makeFileCalls();
  return table;
}

const refuse = (): number => -Errno.ENOSYS;

/** Where there are no system calls: nothing is open that they could be used on. */
export const absentFileCalls: FileCalls = {
  read: refuse,
  write: refuse,
  pread: refuse,
  pwrite: refuse,
  preadv: refuse,
  pwritev: refuse,
  seek: refuse,
  seekDirectory: refuse,
  readDirectory: refuse,
  status: refuse,
  setTimes: refuse,
  allocate: refuse,
  advise: refuse,
  truncate: refuse,
  sync: refuse,
  dataSync: refuse,
  available: refuse,
  duplicate: refuse,
  close: refuse,
};
