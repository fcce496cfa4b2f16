/**
 * eventfds between two threads: signal, take, wait. For the data path: one scratch area per thread at a fixed address,
 * so that no call allocates.
 */
import { loadLibc } from "./libc";

const POLLIN = 1;
const POLLFD_BYTES = 8;
const EAGAIN = 11;
const EINTR = 4;
const NS_PER_US = 1000;
const US_PER_S = 1_000_000;

/** The scratch area: three struct pollfd, a struct timespec, the value written and the value read. */
const enum Scratch {
  POLLFDS = 0,
  TIMESPEC = 24,
  ONE = 40,
  VALUE = 48,
  /** More than V8 keeps on its own moving heap. */
  SIZE = 4096,
}

/** What `waitReadable` found: bits by the place of the descriptor. */
export const enum Readable {
  FIRST = 1,
  SECOND = 2,
  THIRD = 4,
}

export interface EventFds {
  /** Adds 1 to the counter. 0 or a negated errno. */
  signal(fd: number): number;
  /** Takes a non-blocking eventfd's counter: above 0, 0 when there is nothing, or a negated errno. */
  take(fd: number): number;
  /**
   * ppoll(2) of up to three descriptors, -1 for none. Bits of `Readable` (an error or a hang-up counts as well), 0
   * when the time ran out or a signal came, or a negated errno.
   */
  waitReadable(first: number, second: number, third: number, timeoutUs: number): number;
}

function makeEventFds(): EventFds {
  const { koffi, number } = loadLibc();
  const write = number("int64_t write(int fd, uintptr_t buffer, size_t length)");
  const read = number("int64_t read(int fd, uintptr_t buffer, size_t length)");
  const ppoll = number(
    "int ppoll(uintptr_t fds, uint64_t count, uintptr_t timeout, uintptr_t signals)",
  );
  const buffer = new ArrayBuffer(Scratch.SIZE);
  const words = new Int32Array(buffer);
  const address = Number(koffi.address(words));
  words[Scratch.ONE / 4] = 1;
  for (let index = 0; index < 3; index++) {
    words[(Scratch.POLLFDS + index * POLLFD_BYTES + 4) / 4] = POLLIN;
  }
  const errno = () => -koffi.errno();
  /** revents is the upper half of the second word. */
  const found = (index: number) => {
    const word = words[(Scratch.POLLFDS + index * POLLFD_BYTES + 4) / 4] ?? 0;
    return word >>> 16 === 0 ? 0 : 1 << index;
  };
  return {
    signal: (fd) => (write(fd, address + Scratch.ONE, 8) === -1 ? errno() : 0),
    take: (fd) => {
      if (read(fd, address + Scratch.VALUE, 8) !== -1)
        return (words[Scratch.VALUE / 4] ?? 0) >>> 0 || 1;
      const result = errno();
      return result === -EAGAIN || result === -EINTR ? 0 : result;
    },
    waitReadable: (first, second, third, timeoutUs) => {
      words[Scratch.POLLFDS / 4] = first;
      words[(Scratch.POLLFDS + POLLFD_BYTES) / 4] = second;
      words[(Scratch.POLLFDS + 2 * POLLFD_BYTES) / 4] = third;
      const seconds = Math.floor(timeoutUs / US_PER_S);
      // Both halves of two 64-bit integers below 2^31.
      words[Scratch.TIMESPEC / 4] = seconds;
      words[Scratch.TIMESPEC / 4 + 1] = 0;
      words[Scratch.TIMESPEC / 4 + 2] = (timeoutUs - seconds * US_PER_S) * NS_PER_US;
      words[Scratch.TIMESPEC / 4 + 3] = 0;
      const count = ppoll(address, 3, address + Scratch.TIMESPEC, 0);
      if (count > 0) return found(0) | found(1) | found(2);
      if (count === 0) return 0;
      const result = errno();
      return result === -EINTR ? 0 : result;
    },
  };
}

let table: EventFds | undefined;

/** The table of this thread. Throws what koffi throws when libc cannot be loaded. */
export function eventFds(): EventFds {
  table ??= makeEventFds();
  return table;
}
