/**
 * epoll(7), for descriptors whose flags another process can change: an eventfd that is shared with one could be made
 * blocking by it, so that reading it is no longer safe. Watched edge-triggered it never has to be read: each signal is
 * one event. Waiting with a time is done by poll on the epoll descriptor itself (`event-fd.ts`).
 */
import { loadLibc } from "./libc";

const EPOLL_CLOEXEC = 0x80000;
const EPOLL_CTL_ADD = 1;
const EPOLLIN = 1;
const EPOLLRDHUP = 0x2000;
const EPOLLET = 0x80000000;

/** struct epoll_event is packed on x86_64 only: u32 events, then u64 data at 4 or 8. */
const DATA_OFFSET = process.arch === "x64" ? 4 : 8;
const EVENT_BYTES = DATA_OFFSET + 8;
const EVENTS_MAX = 8;

export interface EpollCalls {
  /** A descriptor or a negated errno. */
  create(): number;
  /**
   * Watches a descriptor: readable, hung up, or in error.
   *
   * @param mark one bit, by which `take` names it
   * @param edge whether each event is told once, without the descriptor being read
   */
  add(epoll: number, fd: number, mark: number, edge: boolean): number;
  /** Without waiting: the marks of what has events, 0 for none, or a negated errno. Does not allocate. */
  take(epoll: number): number;
}

function makeEpollCalls(): EpollCalls {
  const { koffi, number, checked } = loadLibc();
  const create = number("int epoll_create1(int flags)");
  const control = number("int epoll_ctl(int epoll, int operation, int fd, void *event)");
  const wait = number("int epoll_wait(int epoll, void *events, int count, int timeout)");
  const events = new Uint8Array(EVENT_BYTES * EVENTS_MAX);
  const view = new DataView(events.buffer);
  return {
    create: () => checked(create(EPOLL_CLOEXEC)),
    add: (epoll, fd, mark, edge) => {
      const event = new DataView(new ArrayBuffer(EVENT_BYTES));
      event.setUint32(0, (EPOLLIN | EPOLLRDHUP | (edge ? EPOLLET : 0)) >>> 0, true);
      event.setUint32(DATA_OFFSET, mark, true);
      return checked(control(epoll, EPOLL_CTL_ADD, fd, new Uint8Array(event.buffer)));
    },
    take: (epoll) => {
      const count = wait(epoll, events, EVENTS_MAX, 0);
      if (count < 0) return -koffi.errno();
      let marks = 0;
      for (let index = 0; index < count; index++) {
        marks |= view.getUint32(index * EVENT_BYTES + DATA_OFFSET, true);
      }
      return marks;
    },
  };
}

let table: EpollCalls | undefined;

/** The table of this thread. Throws what koffi throws when libc cannot be loaded. */
export function epollCalls(): EpollCalls {
  table ??= makeEpollCalls();
  return table;
}
