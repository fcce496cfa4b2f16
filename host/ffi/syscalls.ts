/**
 * The table of system calls that the rest of the host is written against. It is an interface so that a test can make
 * the n-th call fail and so that nothing of koffi leaks out of this folder. Every call returns its result or a negated
 * errno, as the kernel does; native addresses are bigint.
 */
export interface Syscalls {
  /** io_uring_setup(2). `params` is a struct io_uring_params of 120 bytes, read and written. */
  ioUringSetup(entries: number, params: Uint8Array): number;
  /** io_uring_register(2). */
  ioUringRegister(
    fd: number,
    opcode: number,
    argument: Uint8Array | bigint | null,
    count: number,
  ): number;
  /**
   * io_uring_enter(2). The hot path: `argumentAddress` is a plain number (user addresses are below 2^48) so that no
   * bigint is made per call; 0 means NULL.
   */
  ioUringEnter(
    fd: number,
    toSubmit: number,
    minComplete: number,
    flags: number,
    argumentAddress: number,
    argumentSize: number,
  ): number;
  /**
   * io_uring_enter(2) that submits and waits for nothing: without GETEVENTS the kernel reads neither of the last two
   * parameters, so they are not even passed. For the hot path.
   */
  ioUringSubmit(fd: number, toSubmit: number, flags: number): number;
  mmap(
    address: bigint,
    length: number,
    protection: number,
    flags: number,
    fd: number,
    offset: number,
  ): bigint;
  munmap(address: bigint, length: number): number;
  mremap(
    address: bigint,
    oldLength: number,
    newLength: number,
    flags: number,
    newAddress: bigint,
  ): bigint;
  mprotect(address: bigint, length: number, protection: number): number;

  /** The native address of a view's first byte. Valid until the memory behind it is freed or moved. */
  addressOf(view: ArrayBufferView): bigint;
  /** An ArrayBuffer over native memory, no copy. The caller keeps the mapping alive. */
  viewOf(address: bigint, length: number): ArrayBuffer;

  open(path: string, flags: number, mode: number): number;
  close(fd: number): number;
  dup(fd: number): number;
  pipe2(flags: number): [read: number, write: number] | number;
  eventfd(initial: number, flags: number): number;
  fcntlGetFlags(fd: number): number;

  /** preadv2(2) of one segment. `offset` -1 uses the file position; `flags` are RWF_*. */
  preadv2(fd: number, address: bigint, length: number, offset: number, flags: number): number;
  pwritev2(fd: number, address: bigint, length: number, offset: number, flags: number): number;
  fsync(fd: number): number;
  fdatasync(fd: number): number;
  syncFileRange(fd: number, offset: number, length: number, flags: number): number;
  fadvise(fd: number, offset: number, length: number, advice: number): number;
  fallocate(fd: number, mode: number, offset: number, length: number): number;
  ftruncate(fd: number, length: number): number;
  shutdown(fd: number, how: number): number;
  /** poll(2). `fds` is an array of struct pollfd (8 bytes each: i32 fd, i16 events, i16 revents). */
  poll(fds: Uint8Array, count: number, timeoutMs: number): number;

  /** getrlimit(2) of RLIMIT_MEMLOCK: [soft, hard] bytes; Infinity for RLIM_INFINITY. */
  getMemlockLimit(): [soft: number, hard: number] | number;
  pageSize(): number;
}
