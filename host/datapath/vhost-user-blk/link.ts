/**
 * Carries conversations over a connected socket from a thread that may block: the guest's. Every wait is bounded, in
 * slices between which the stop signal is looked at.
 */
import { Errno } from "../../abi";
import { errnoName } from "../../errors";
import type { EventFds } from "../../ffi/event-fd";
import type { UnixSocketCalls } from "../../ffi/unix-socket";
import type { Conversation, Exchange } from "./conversation";
import { type DaemonFailure, hangUpFailure, silentFailure, violationFailure } from "./failure";
import { Header } from "./layout";
import { checkReplyHeader, encodeMessage, NO_PAYLOAD, ProtocolViolation } from "./message";

const SLICE_US = 50_000;

/** The connection is of no use any more. */
export class LinkLost extends Error {
  readonly failure: DaemonFailure;
  /** Whether a daemon that comes back mends it. */
  readonly passing: boolean;

  constructor(failure: DaemonFailure, passing = false) {
    super(failure.why);
    this.failure = failure;
    this.passing = passing;
  }
}

/** The guest is to end. */
export class LinkInterrupted extends Error {}

export interface LinkCalls {
  sockets: UnixSocketCalls;
  eventFds: EventFds;
}

export interface Patience {
  /** For each message. */
  timeoutMs: number;
  /** Whether to give up at once. */
  stopped: () => boolean;
}

function failed(errno: number): LinkLost {
  return new LinkLost({ why: `its socket fails (${errnoName(errno)})`, errno });
}

export class Link {
  readonly #fd: number;
  readonly #calls: LinkCalls;

  constructor(fd: number, calls: LinkCalls) {
    this.#fd = fd;
    this.#calls = calls;
  }

  /** @throws LinkLost, LinkInterrupted */
  carry<Result>(conversation: Conversation<Result>, patience: Patience): Result {
    try {
      let step = conversation.next(NO_PAYLOAD);
      while (!step.done) step = conversation.next(this.#exchange(step.value, patience));
      return step.value;
    } catch (error) {
      if (!(error instanceof ProtocolViolation)) throw error;
      throw new LinkLost(violationFailure(error.message));
    }
  }

  #exchange(exchange: Exchange, patience: Patience): Uint8Array {
    const { request, payload, descriptors, replyBytes, needReply } = exchange;
    const deadline = performance.now() + patience.timeoutMs;
    this.#send(encodeMessage(request, payload, needReply), descriptors, deadline, patience);
    if (replyBytes === 0) return NO_PAYLOAD;
    const header = this.#receive(Header.SIZE, deadline, patience);
    const length = checkReplyHeader(header, request, replyBytes);
    return length === 0 ? NO_PAYLOAD : this.#receive(length, deadline, patience);
  }

  /** The descriptors go with the first byte. */
  #send(
    message: Uint8Array,
    descriptors: readonly number[],
    deadline: number,
    patience: Patience,
  ): void {
    let rest = message;
    let along = descriptors;
    while (rest.length > 0) {
      const sent = this.#calls.sockets.send(this.#fd, rest, along);
      if (sent === -Errno.EPIPE || sent === -Errno.ECONNRESET)
        throw new LinkLost(hangUpFailure(), true);
      if (sent === -Errno.EAGAIN) {
        // A full socket whose reader does not read: nothing to wait for but time.
        this.#calls.eventFds.waitReadable(-1, -1, -1, 1000);
        checkPatience(deadline, patience);
      } else if (sent < 0 && sent !== -Errno.EINTR) throw failed(-sent);
      if (sent <= 0) continue;
      rest = rest.subarray(sent);
      along = [];
    }
  }

  #receive(length: number, deadline: number, patience: Patience): Uint8Array {
    const bytes = new Uint8Array(length);
    let have = 0;
    while (have < length) {
      const got = this.#calls.sockets.receive(this.#fd, bytes.subarray(have));
      if (got > 0) have += got;
      else if (got === 0 || got === -Errno.ECONNRESET) throw new LinkLost(hangUpFailure(), true);
      else if (got === -Errno.EAGAIN) {
        const leftUs = Math.max(0, deadline - performance.now()) * 1000;
        this.#calls.eventFds.waitReadable(this.#fd, -1, -1, Math.min(SLICE_US, Math.ceil(leftUs)));
        checkPatience(deadline, patience);
      } else if (got !== -Errno.EINTR) throw failed(-got);
    }
    return bytes;
  }
}

function checkPatience(deadline: number, { stopped, timeoutMs }: Patience): void {
  if (stopped()) throw new LinkInterrupted();
  if (performance.now() >= deadline) throw new LinkLost(silentFailure(timeoutMs));
}
