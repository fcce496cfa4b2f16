/**
 * The Linux implementation of the system-call table, by koffi. Errno and pointer conversions stop here. io_uring has no
 * libc wrappers and goes through syscall(2); its numbers are the same on every architecture that shares the generic
 * table, x86_64 included (425 to 427).
 */
import { Errno } from "../abi";
import { assert } from "../errors";
import { loadLibc } from "./libc";
import type { Syscalls } from "./syscalls";

const SYS_IO_URING_SETUP = 425;
const SYS_IO_URING_ENTER = 426;
const SYS_IO_URING_REGISTER = 427;
const RLIMIT_MEMLOCK = 8;
const SC_PAGESIZE = 30;
const IOVEC_BYTES = 16;

function toBigInt(result: number, errno: number): bigint {
  return result === -1 ? BigInt(-errno) : BigInt(result);
}

function makeLinuxSyscalls(): Syscalls {
  const { koffi, number, mixed, checked } = loadLibc();

  const setup = number("int syscall(int nr, uint32_t entries, void *params)");
  const enter = number(
    "int syscall(int nr, int fd, uint32_t submit, uint32_t complete, uint32_t flags, uintptr_t arg, size_t size)",
  );
  const submit = number(
    "int syscall(int nr, int fd, uint32_t submit, uint32_t complete, uint32_t flags)",
  );
  const registerBuffer = number(
    "int syscall(int nr, int fd, uint32_t op, void *arg, uint32_t count)",
  );
  const registerAddress = mixed(
    "int syscall(int nr, int fd, uint32_t op, uintptr_t arg, uint32_t count)",
  );
  const mmap = mixed(
    "int64_t mmap(uintptr_t addr, size_t len, int prot, int flags, int fd, int64_t offset)",
  );
  const munmap = mixed("int munmap(uintptr_t addr, size_t length)");
  const mremap = mixed(
    "int64_t mremap(uintptr_t old, size_t olen, size_t nlen, int flags, uintptr_t addr)",
  );
  const mprotect = mixed("int mprotect(uintptr_t addr, size_t length, int protection)");
  const open = mixed("int open(const char *path, int flags, uint32_t mode)");
  const close = number("int close(int fd)");
  const dupCloexec = number("int fcntl(int fd, int command, int argument)");
  const pipe2 = number("int pipe2(void *fds, int flags)");
  const eventfd = number("int eventfd(uint32_t initial, int flags)");
  const preadv2 = number(
    "int64_t preadv2(int fd, void *iov, int count, int64_t offset, int flags)",
  );
  const pwritev2 = number(
    "int64_t pwritev2(int fd, void *iov, int count, int64_t offset, int flags)",
  );
  const fsync = number("int fsync(int fd)");
  const fdatasync = number("int fdatasync(int fd)");
  const syncFileRange = number(
    "int sync_file_range(int fd, int64_t offset, int64_t length, uint32_t flags)",
  );
  const fadvise = number("int posix_fadvise(int fd, int64_t offset, int64_t length, int advice)");
  const fallocate = number("int fallocate(int fd, int mode, int64_t offset, int64_t length)");
  const ftruncate = number("int ftruncate(int fd, int64_t length)");
  const shutdown = number("int shutdown(int fd, int how)");
  const poll = number("int poll(void *fds, uint64_t count, int timeout)");
  const getrlimit = number("int getrlimit(int resource, void *limit)");
  const sysconf = number("int64_t sysconf(int name)");

  // Reused per thread: these calls are synchronous, so nobody else can be between filling and use.
  const iovec = new BigUint64Array(IOVEC_BYTES / 8);
  const iovecBytes = new Uint8Array(iovec.buffer);
  const setIovec = (address: bigint, length: number): Uint8Array => {
    iovec[0] = address;
    iovec[1] = BigInt(length);
    return iovecBytes;
  };

  return {
    ioUringSetup: (entries, params) => checked(setup(SYS_IO_URING_SETUP, entries, params)),
    ioUringRegister: (fd, opcode, argument, count) =>
      checked(
        typeof argument === "bigint"
          ? registerAddress(SYS_IO_URING_REGISTER, fd, opcode, argument, count)
          : registerBuffer(SYS_IO_URING_REGISTER, fd, opcode, argument, count),
      ),
    ioUringEnter: (fd, toSubmit, minComplete, flags, argumentAddress, argumentSize) => {
      const result = enter(
        SYS_IO_URING_ENTER,
        fd,
        toSubmit,
        minComplete,
        flags,
        argumentAddress,
        argumentSize,
      );
      return result === -1 ? -koffi.errno() : result;
    },
    ioUringSubmit: (fd, toSubmit, flags) => {
      const result = submit(SYS_IO_URING_ENTER, fd, toSubmit, 0, flags);
      return result === -1 ? -koffi.errno() : result;
    },
    mmap: (address, length, protection, flags, fd, offset) =>
      toBigInt(mmap(address, length, protection, flags, fd, offset), koffi.errno()),
    munmap: (address, length) => checked(munmap(address, length)),
    mremap: (address, oldLength, newLength, flags, newAddress) =>
      toBigInt(mremap(address, oldLength, newLength, flags, newAddress), koffi.errno()),
    mprotect: (address, length, protection) => checked(mprotect(address, length, protection)),

    addressOf: (view) => {
      const address = koffi.address(view);
      assert(address !== null && address !== undefined, "a view without an address");
      return BigInt(address);
    },
    viewOf: (address, length) => koffi.view(address, length),

    open: (path, flags, mode) => checked(open(path, flags, mode)),
    close: (fd) => checked(close(fd)),
    dup: (fd) => checked(dupCloexec(fd, 1030 /* F_DUPFD_CLOEXEC */, 0)),
    pipe2: (flags) => {
      const ends = new Int32Array(2);
      const result = checked(pipe2(new Uint8Array(ends.buffer), flags));
      return result < 0 ? result : [ends[0] ?? -1, ends[1] ?? -1];
    },
    eventfd: (initial, flags) => checked(eventfd(initial, flags)),
    fcntlGetFlags: (fd) => checked(dupCloexec(fd, 3 /* F_GETFL */, 0)),

    preadv2: (fd, address, length, offset, flags) =>
      checked(preadv2(fd, setIovec(address, length), 1, offset, flags)),
    pwritev2: (fd, address, length, offset, flags) =>
      checked(pwritev2(fd, setIovec(address, length), 1, offset, flags)),
    fsync: (fd) => checked(fsync(fd)),
    fdatasync: (fd) => checked(fdatasync(fd)),
    syncFileRange: (fd, offset, length, flags) => checked(syncFileRange(fd, offset, length, flags)),
    // posix_fadvise returns the error instead of setting errno.
    fadvise: (fd, offset, length, advice) => -fadvise(fd, offset, length, advice),
    fallocate: (fd, mode, offset, length) => checked(fallocate(fd, mode, offset, length)),
    ftruncate: (fd, length) => checked(ftruncate(fd, length)),
    shutdown: (fd, how) => checked(shutdown(fd, how)),
    poll: (fds, count, timeoutMs) => checked(poll(fds, count, timeoutMs)),

    getMemlockLimit: () => {
      const limit = new BigUint64Array(2);
      const result = checked(getrlimit(RLIMIT_MEMLOCK, new Uint8Array(limit.buffer)));
      if (result < 0) return result;
      const toNumber = (value: bigint) =>
        value === 0xffffffffffffffffn ? Infinity : Number(value);
      return [toNumber(limit[0] ?? 0n), toNumber(limit[1] ?? 0n)];
    },
    pageSize: () => Number(sysconf(SC_PAGESIZE)),
  };
}

let table: Syscalls | undefined;

/** The table of this thread's process. Throws what koffi throws when libc cannot be loaded. */
export function linuxSyscalls(): Syscalls {
  table ??= makeLinuxSyscalls();
  return table;
}

/** A result that is an errno of -EINTR is retried by callers that cannot be interrupted half-way. */
export function retryInterrupted(call: () => number): number {
  let result = call();
  while (result === -Errno.EINTR) result = call();
  return result;
}
