/**
 * The hot path of a kernel ring: io_uring_enter(2) on behalf of a thread that must stay stoppable. Waits are cut into
 * slices with a timeout in the call itself (EXT_ARG), so that host code never waits on a guest-writable word without
 * an end. Nothing here allocates.
 */
import { EnterFlag, Errno, GeteventsArg, KernelTimespec } from "../../abi";
import type { Syscalls } from "../../ffi/syscalls";
import { SLICE_MS, type StopSignal } from "../engine";

const SLICE_US = SLICE_MS * 1000;

/** A polled ring with nothing in flight does not wait: after so many looks in vain each one is followed by a pause. */
const POLLS_BEFORE_PAUSE = 20_000;
const POLL_PAUSE_MS = 1;

const pauseWord = new Int32Array(new SharedArrayBuffer(4));

/** Waits of one thread on one kernel ring. */
export class Enter {
  /** io_uring_enter system calls made. */
  syscallCount = 0;
  /** IORING_SETUP_IOPOLL: the kernel polls in a wait, and heeds no timeout. */
  readonly polled: boolean;
  readonly #syscalls: Syscalls;
  readonly #fd: number;
  readonly #fdFlag: number;
  readonly #stop: StopSignal;
  readonly #argument: DataView;
  readonly #argumentAddress: number;
  readonly #timespec: number;
  #armedUs = -1;

  /** @param fdFlag EnterFlag.REGISTERED_RING when `fd` is an index of a registered ring, else 0 */
  constructor(syscalls: Syscalls, fd: number, fdFlag: number, stop: StopSignal, polled = false) {
    this.#syscalls = syscalls;
    this.#fd = fd;
    this.#fdFlag = fdFlag;
    this.#stop = stop;
    this.polled = polled;
    this.#timespec = GeteventsArg.SIZE;
    this.#argument = new DataView(new ArrayBuffer(GeteventsArg.SIZE + KernelTimespec.SIZE));
    const address = syscalls.addressOf(this.#argument);
    this.#argumentAddress = Number(address);
    this.#argument.setBigUint64(GeteventsArg.TS, address + BigInt(this.#timespec), true);
  }

  /** Submits without waiting; GETEVENTS flushes overflow and runs what is due. */
  submit(toSubmit: number, flags: number): number {
    this.syscallCount++;
    if ((flags & EnterFlag.GETEVENTS) === 0) {
      return this.#syscalls.ioUringSubmit(this.#fd, toSubmit, flags | this.#fdFlag);
    }
    return this.#syscalls.ioUringEnter(this.#fd, toSubmit, 0, flags | this.#fdFlag, 0, 0);
  }

  /** Submits and waits at most `timeoutUs`, one system call; -ETIME when nothing was submitted and time ran out. */
  submitAndWait(toSubmit: number, minComplete: number, flags: number, timeoutUs: number): number {
    if (timeoutUs !== this.#armedUs) this.#arm(timeoutUs);
    this.syscallCount++;
    return this.#syscalls.ioUringEnter(
      this.#fd,
      toSubmit,
      minComplete,
      flags | this.#fdFlag | EnterFlag.GETEVENTS | EnterFlag.EXT_ARG,
      this.#argumentAddress,
      GeteventsArg.SIZE,
    );
  }

  /**
   * Waits in slices until `ready` says so, `timeoutUs` (-1: no end) is over or the guest is stopped.
   *
   * @returns 0, -ETIME, -EINTR when stopped, or the kernel's errno
   */
  waitInSlices(
    ready: () => boolean,
    minComplete: number,
    flags: number,
    timeoutUs: number,
  ): number {
    const end = timeoutUs < 0 ? Infinity : performance.now() + timeoutUs / 1000;
    for (let looks = 0; ; looks++) {
      if (this.#stop.stopped()) return -Errno.EINTR;
      if (ready()) return 0;
      const leftUs = Math.ceil((end - performance.now()) * 1000);
      if (leftUs <= 0) return -Errno.ETIME;
      const result = this.submitAndWait(0, minComplete, flags, Math.min(leftUs, SLICE_US));
      if (result < 0 && result !== -Errno.ETIME && result !== -Errno.EINTR) return result;
      this.rest(looks);
    }
  }

  /** Between two looks of a wait: a pause when a polled ring was looked at often and in vain. */
  rest(looks: number): void {
    if (this.polled && looks > POLLS_BEFORE_PAUSE) Atomics.wait(pauseWord, 0, 0, POLL_PAUSE_MS);
  }

  #arm(timeoutUs: number): void {
    const seconds = Math.floor(timeoutUs / 1_000_000);
    const nanoseconds = (timeoutUs - seconds * 1_000_000) * 1000;
    // Two 32-bit halves: setBigInt64 would allocate.
    this.#argument.setInt32(this.#timespec + KernelTimespec.TV_SEC, seconds, true);
    this.#argument.setInt32(this.#timespec + KernelTimespec.TV_NSEC, nanoseconds, true);
    this.#armedUs = timeoutUs;
  }
}

/** The slice for a wait of `timeoutUs` (-1: no end). */
export function firstSliceUs(timeoutUs: number): number {
  return timeoutUs < 0 || timeoutUs > SLICE_US ? SLICE_US : timeoutUs;
}
