/**
 * Standard streams that are the host's own: a guest's descriptor 0, 1 or 2 is that of the process.
 * The worker thread that runs the guest reads and writes them directly, and must never be stuck in
 * a system call that a deadline cannot end: it polls in slices, and moves bytes by an opening of its
 * own that does not block. Others share the host's: they may be faster, and a terminal that polls
 * writable takes less than it is given. What cannot be opened anew (a socket, somebody else's
 * terminal) gets only as much at a time as does not block when nobody else uses it.
 */
import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readSync,
  type Stats,
  writeSync,
} from "node:fs";
import { Errno, Poll } from "../abi";
import { FileType, type Stream } from "./stream";

/**
 * poll(2) of one descriptor: the events that are ready, 0 when the time ran out, or a negated
 * errno.
 */
export type PollCall = (fd: number, events: number, timeoutMs: number) => number;

export interface InheritOptions {
  stopped: () => boolean;
  /**
   * Without it (no system calls on this platform) a blocking descriptor blocks until it is ready.
   */
  poll: PollCall | null;
  /** The thread is to be ended in time even while it waits. */
  isEnded: boolean;
}

/** The longest wait before the next look at the stop signal. */
const SLICE_MS = 50;
/** Without poll, a descriptor that would block is tried again this often. */
const RETRY_MS = 5;
/** PIPE_BUF: a pipe that polls writable takes this much without blocking. */
const PIPE_WRITE_BYTES = 4096;
/**
 * Larger writes are cut, to look at the stop signal between and to stay below Node's limit of 2
 * GiB.
 */
const WRITE_MAX_BYTES = 1024 * 1024;

/** Major numbers of pseudo-terminals' slaves: what a terminal's program runs on. */
const PTS_FIRST = 136;
const PTS_LAST = 143;

const sleepWord = new Int32Array(new SharedArrayBuffer(4));

export function inheritOutput(fd: number, options: InheritOptions): Stream {
  const fileType = fileTypeOf(fd);
  const canBlock = fileType !== FileType.REGULAR_FILE;
  const poll = canBlock ? options.poll : null;
  const own = poll !== null && options.isEnded ? openAnew(fd, constants.O_WRONLY) : -1;
  const limit = poll === null || own >= 0 ? WRITE_MAX_BYTES : PIPE_WRITE_BYTES;
  const target = own >= 0 ? own : fd;

  function write(bytes: Uint8Array): number {
    const part = bytes.length <= limit ? bytes : bytes.subarray(0, limit);
    for (;;) {
      if (options.stopped()) return -Errno.EINTR;
      if (poll !== null && notReady(poll(fd, Poll.OUT, SLICE_MS))) continue;
      const written = attempt(() => writeSync(target, part));
      if (written === -Errno.EAGAIN) Atomics.wait(sleepWord, 0, 0, RETRY_MS);
      else if (written !== -Errno.EINTR) return written;
    }
  }
  return { fileType, hostFd: fd, read: null, write, close: closerOf(own) };
}

export function inheritInput(fd: number, options: InheritOptions): Stream {
  const fileType = fileTypeOf(fd);
  const poll = fileType === FileType.REGULAR_FILE ? null : options.poll;
  const own = poll !== null && options.isEnded ? openAnew(fd, constants.O_RDONLY) : -1;
  const source = own >= 0 ? own : fd;

  function read(bytes: Uint8Array): number {
    const part = bytes.length <= WRITE_MAX_BYTES ? bytes : bytes.subarray(0, WRITE_MAX_BYTES);
    for (;;) {
      if (options.stopped()) return -Errno.EINTR;
      if (poll !== null && notReady(poll(fd, Poll.IN, SLICE_MS))) continue;
      const count = attempt(() => readSync(source, part));
      if (count === -Errno.EAGAIN) Atomics.wait(sleepWord, 0, 0, RETRY_MS);
      else if (count !== -Errno.EINTR) return count;
    }
  }
  return { fileType, hostFd: fd, read, write: null, close: closerOf(own) };
}

/**
 * A pipe or a terminal once more, without blocking; negative when that cannot be. The host's descriptor is
 * polled all the same: only it knows that a FIFO had a writer before. It is closed with the thread,
 * should that be ended (Node does so for what a worker opened).
 */
function openAnew(fd: number, direction: number): number {
  const flags = direction | constants.O_NONBLOCK | constants.O_NOCTTY;
  return attempt(() =>
    isPipeOrTerminal(fstatSync(fd)) ? openSync(`/proc/self/fd/${fd}`, flags) : -1,
  );
}

/** Of other devices a second opening may be another thing: /dev/ptmx is a new terminal each time. */
function isPipeOrTerminal(stat: Stats): boolean {
  const major = (stat.rdev >>> 8) & 0xfff;
  const isTerminal = stat.isCharacterDevice() && major >= PTS_FIRST && major <= PTS_LAST;
  return stat.isFIFO() || isTerminal;
}

function closerOf(own: number): () => void {
  let isOpen = own >= 0;
  return () => {
    if (isOpen) closeSync(own);
    isOpen = false;
  };
}

/** Other errors of poll are left to the transfer itself, which names them better. */
function notReady(polled: number): boolean {
  return polled === 0 || polled === -Errno.EINTR;
}

/** What Node's fs throws, as a negated Linux errno. Windows says "EOF" where others return 0. */
function attempt(call: () => number): number {
  try {
    return call();
  } catch (error) {
    const name = error instanceof Error && "code" in error ? String(error.code) : "";
    if (name === "EOF") return 0;
    const errno: unknown = Reflect.get(Errno, name);
    return typeof errno === "number" ? -errno : -Errno.EIO;
  }
}

/**
 * The real type, so that a program does not take a pipe for a terminal. A closed descriptor has
 * none.
 */
function fileTypeOf(fd: number): FileType {
  try {
    const stat = fstatSync(fd);
    if (stat.isCharacterDevice()) return FileType.CHARACTER_DEVICE;
    if (stat.isFile()) return FileType.REGULAR_FILE;
    if (stat.isSocket()) return FileType.SOCKET_STREAM;
    if (stat.isBlockDevice()) return FileType.BLOCK_DEVICE;
    return FileType.UNKNOWN;
  } catch {
    return FileType.UNKNOWN;
  }
}
