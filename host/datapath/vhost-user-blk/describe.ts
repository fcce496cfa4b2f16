/**
 * Asks a daemon what it serves, without blocking the event loop: for the embedder's thread, so that a wrong socket is
 * told before the guest starts. The connection is closed again; the guest's thread makes its own.
 */
import { connect, type Socket } from "node:net";
import { WasmUringError } from "../../errors";
import { type Conversation, type Exchange, introduce } from "./conversation";
import type { DaemonDescription } from "./description";
import {
  connectFailure,
  type DaemonFailure,
  daemonError,
  hangUpFailure,
  silentFailure,
  violationFailure,
} from "./failure";
import { Header } from "./layout";
import { checkReplyHeader, encodeMessage, NO_PAYLOAD, ProtocolViolation } from "./message";

/** How long a daemon may think about one message. */
export const REPLY_TIMEOUT_MS = 3000;

/** sun_path without its closing zero. */
const SOCKET_PATH_MAX_BYTES = 107;

/** No answer is longer: what a daemon pours out beyond it is not kept. */
const RECEIVED_MAX_BYTES = 4096;

/** Carries a conversation over a socket; `settle` is called once. */
class Carrier<Result> {
  readonly #socket: Socket;
  readonly #conversation: Conversation<Result>;
  readonly #settle: (outcome: Result | WasmUringError) => void;
  readonly #fail: (failure: DaemonFailure) => WasmUringError;
  #received = Buffer.alloc(0);
  #exchange: Exchange | null = null;

  constructor(
    socket: Socket,
    conversation: Conversation<Result>,
    fail: (failure: DaemonFailure) => WasmUringError,
    settle: (outcome: Result | WasmUringError) => void,
  ) {
    this.#socket = socket;
    this.#conversation = conversation;
    this.#fail = fail;
    this.#settle = settle;
    socket.on("data", (bytes) => this.#receive(bytes));
  }

  /** Resumes the conversation with an answer, and goes on to the next message that has one. */
  proceed(answer: Uint8Array): void {
    this.#guard(() => {
      let step = this.#conversation.next(answer);
      for (; !step.done; step = this.#conversation.next(NO_PAYLOAD)) {
        const { request, payload, needReply, replyBytes } = step.value;
        this.#socket.write(encodeMessage(request, payload, needReply));
        if (replyBytes === 0) continue;
        this.#exchange = step.value;
        return;
      }
      this.#settle(step.value);
    });
  }

  #receive(bytes: Buffer): void {
    this.#guard(() => {
      this.#received = Buffer.concat([this.#received, bytes]);
      const exchange = this.#exchange;
      if (exchange === null) throw new ProtocolViolation("speaks without being asked");
      if (this.#received.length < Header.SIZE) return;
      const { request, replyBytes } = exchange;
      const length = checkReplyHeader(this.#received, request, replyBytes);
      const end = Header.SIZE + length;
      if (this.#received.length > Math.min(end, RECEIVED_MAX_BYTES)) {
        throw new ProtocolViolation("says more than it was asked for");
      }
      if (this.#received.length < end) return;
      const answer = new Uint8Array(this.#received.subarray(Header.SIZE, end));
      this.#received = Buffer.alloc(0);
      this.#exchange = null;
      this.proceed(answer);
    });
  }

  #guard(step: () => void): void {
    try {
      step();
    } catch (error) {
      if (!(error instanceof ProtocolViolation)) throw error;
      this.#settle(this.#fail(violationFailure(error.message)));
    }
  }
}

/**
 * @param socketPath of the daemon's Unix socket
 * @throws WasmUringError ERR_DEVICE
 */
export function describeDaemon(
  socketPath: string,
  timeoutMs: number = REPLY_TIMEOUT_MS,
): Promise<DaemonDescription> {
  const fail = (failure: DaemonFailure) => daemonError(socketPath, failure);
  // Told here, because not every version of Node does.
  if (Buffer.byteLength(socketPath) > SOCKET_PATH_MAX_BYTES) {
    return Promise.reject(fail(connectFailure(socketPath, "ENAMETOOLONG")));
  }
  return new Promise((resolve, reject) => {
    const socket = connect(socketPath);
    const settle = (outcome: DaemonDescription | WasmUringError) => {
      clearTimeout(timer);
      socket.destroy();
      if (outcome instanceof WasmUringError) reject(outcome);
      else resolve(outcome);
    };
    const timer = setTimeout(() => settle(fail(silentFailure(timeoutMs))), timeoutMs);
    const carrier = new Carrier(socket, introduce(), fail, (outcome) =>
      settle(outcome instanceof WasmUringError ? outcome : outcome.description),
    );
    let connected = false;
    socket.on("connect", () => {
      connected = true;
      carrier.proceed(NO_PAYLOAD);
    });
    socket.on("end", () => settle(fail(hangUpFailure())));
    socket.on("error", (cause: NodeJS.ErrnoException) => {
      const failure = connected ? hangUpFailure() : connectFailure(socketPath, cause.code ?? "");
      settle(fail({ ...failure, cause }));
    });
  });
}
