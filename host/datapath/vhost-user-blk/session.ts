/**
 * One connection to a daemon and what hangs on it: socket, kick, call and error, and the epoll that watches them. A
 * queue is served by one session from start to stop, and never by the same one twice, so that nothing of an earlier
 * life of the queue is left in the daemon.
 *
 * The kick is a pipe and not an eventfd: flags belong to an open file, and the daemon could make a shared eventfd
 * blocking and fill it. Of the pipe it has the other end only; when it is gone, kicking fails with -EPIPE. The call
 * is an eventfd, which never fills up when the guest polls instead of waiting, and is never read.
 */
import { Errno } from "../../abi";
import { errnoName } from "../../errors";
import type { EpollCalls } from "../../ffi/epoll";
import type { Syscalls } from "../../ffi/syscalls";
import type { QueueSetup } from "../../virtio/service";
import { type Introduction, introduce, startQueue, stopQueue } from "./conversation";
import type { DaemonDescription } from "./description";
import type { Descriptors } from "./descriptors";
import { DROPPED_KICK, goneFailure, violationFailure } from "./failure";
import { Link, type LinkCalls, LinkLost, type Patience } from "./link";

const O_NONBLOCK = 0x800;
const O_CLOEXEC = 0x80000;

const enum Mark {
  SOCKET = 1,
  CALL = 2,
  ERROR = 4,
}

export interface SessionCalls extends LinkCalls {
  syscalls: Syscalls;
  epoll: EpollCalls;
}

export interface SessionWindow {
  offset: number;
  length: number;
  memfd: number;
}

function checked(result: number, what: string): number {
  if (result >= 0) return result;
  const why = `${what} fails on this side (${errnoName(-result)})`;
  throw new LinkLost({ why, errno: -result });
}

export class Session {
  readonly #calls: SessionCalls;
  readonly #descriptors: Descriptors;
  readonly #socket: number;
  readonly #link: Link;
  #introduction: Introduction | null = null;
  #kick = -1;
  #epoll = -1;
  #called = false;

  /** @param socket connected; closed with the session */
  constructor(socket: number, descriptors: Descriptors, calls: SessionCalls) {
    this.#calls = calls;
    this.#descriptors = descriptors;
    this.#socket = descriptors.keep(socket);
    this.#link = new Link(socket, calls);
  }

  /** @throws LinkLost, LinkInterrupted; as `start` and `stop` */
  introduce(patience: Patience): DaemonDescription {
    this.#introduction = this.#link.carry(introduce(), patience);
    return this.#introduction.description;
  }

  /** Makes the daemon serve the queue, beginning with what is in it already. After `introduce`. */
  start(queue: QueueSetup, window: SessionWindow, patience: Patience): void {
    const introduction = this.#introduction;
    if (introduction === null) throw new Error("wasm-uring bug: a queue before the introduction");
    const { syscalls, epoll, eventFds } = this.#calls;
    const keep = (fd: number, what: string) => this.#descriptors.keep(checked(fd, what));
    const pipe = syscalls.pipe2(O_NONBLOCK | O_CLOEXEC);
    if (typeof pipe === "number") throw new LinkLost({ why: "no pipe can be made", errno: -pipe });
    const [theirs, ours] = pipe.map((fd) => this.#descriptors.keep(fd)) as [number, number];
    const call = keep(syscalls.eventfd(0, O_NONBLOCK | O_CLOEXEC), "eventfd");
    const error = keep(syscalls.eventfd(0, O_NONBLOCK | O_CLOEXEC), "eventfd");
    this.#epoll = keep(epoll.create(), "epoll_create1");
    checked(epoll.add(this.#epoll, call, Mark.CALL, true), "epoll_ctl");
    checked(epoll.add(this.#epoll, error, Mark.ERROR, true), "epoll_ctl");
    this.#link.carry(
      startQueue(introduction, queue, { window, kick: theirs, call, error }),
      patience,
    );
    // From here on nothing is due on the socket: whatever comes is a hang-up or a lie.
    checked(epoll.add(this.#epoll, this.#socket, Mark.SOCKET, false), "epoll_ctl");
    this.#descriptors.closeOne(theirs, syscalls.close);
    this.#kick = ours;
    const kicked = eventFds.signal(ours);
    if (kicked === -Errno.EPIPE) {
      throw new LinkLost(violationFailure(DROPPED_KICK));
    }
    checked(kicked, "the first kick");
  }

  /** Does not allocate. Whether the daemon can still hear. */
  kick(): boolean {
    const result = this.#calls.eventFds.signal(this.#kick);
    // A full pipe has been kicked often enough.
    return result === 0 || result === -Errno.EAGAIN;
  }

  /** Whether the daemon called since the last time; does not wait. */
  takeCall(): boolean {
    const called = this.#called;
    this.#called = false;
    return called;
  }

  /** Looks at what happened, without waiting. @throws LinkLost when the daemon is gone or broke the protocol */
  look(): void {
    const marks = checked(this.#calls.epoll.take(this.#epoll), "epoll_wait");
    if (marks === 0) return;
    if ((marks & Mark.CALL) !== 0) this.#called = true;
    if ((marks & Mark.ERROR) !== 0) throw new LinkLost({ why: "it reports an error of the queue" });
    if ((marks & Mark.SOCKET) !== 0) this.#judgeSocket();
  }

  /** Waits until there is something to look at, at most so long. Does not allocate. */
  waitEvent(timeoutUs: number): void {
    this.#calls.eventFds.waitReadable(this.#epoll, -1, -1, timeoutUs);
  }

  /** Makes the daemon take no more. Returns the index of the next avail entry that it would have taken. */
  stop(patience: Patience): number {
    return this.#link.carry(stopQueue(), patience);
  }

  close(): void {
    this.#descriptors.closeAll(this.#calls.sockets.close);
  }

  #judgeSocket(): void {
    const got = this.#calls.sockets.receive(this.#socket, new Uint8Array(1));
    if (got === -Errno.EAGAIN || got === -Errno.EINTR) return;
    if (got > 0) throw new LinkLost(violationFailure("speaks without being asked"));
    throw new LinkLost(goneFailure());
  }
}
