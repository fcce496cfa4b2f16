/** recvmsg(2) and sendmsg(2) of the guest's vectors, through one struct msghdr made beforehand. */
import type { NativeBuffer } from "../ffi/native-buffer";
import type { DescriptorContext, NativeCalls } from "./context";
import { setNumber64 } from "./number64";
import type { Vectors } from "./vectors";

/** `struct msghdr` of 64-bit Linux; name and control data are never asked for. */
const enum MessageHeader {
  VECTORS = 16,
  COUNT = 24,
  FLAGS = 48,
  SIZE = 56,
}

export class Messages {
  readonly #native: NativeCalls;
  readonly #header: NativeBuffer;

  constructor({ native }: DescriptorContext) {
    this.#native = native;
    this.#header = native.buffer(MessageHeader.SIZE);
  }

  /** Bytes received, or a negated errno; never blocks. */
  receive(fd: number, vectors: Vectors, flags: number): number {
    return this.#native.sockets.receive(fd, this.#prepare(vectors), flags);
  }

  /** MSG_* of what was received last. */
  get receivedFlags(): number {
    return this.#header.view.getUint32(MessageHeader.FLAGS, true);
  }

  /** Bytes sent, or a negated errno; never blocks and raises no signal. */
  send(fd: number, vectors: Vectors): number {
    return this.#native.sockets.send(fd, this.#prepare(vectors));
  }

  #prepare(vectors: Vectors): number {
    if (vectors.count === 1) vectors.tabulate();
    setNumber64(this.#header.view, MessageHeader.VECTORS, vectors.table);
    setNumber64(this.#header.view, MessageHeader.COUNT, vectors.count);
    return this.#header.address;
  }
}
