/**
 * Moves the bytes of vectors that were checked: one system call, straight between the file and the
 * guest's memory. Two things keep a thread from being stuck where nobody can end it: a transfer
 * that is long is cut in parts with a look at the stop signal between them, and what is not ready
 * (a FIFO, a terminal, a socket) is waited for in slices.
 */
import { Errno, Poll } from "../abi";
import type { DescriptorContext } from "./context";
import { type Descriptor, FdFlag, Kind } from "./descriptor";
import type { Messages } from "./messages";
import { Vectors } from "./vectors";
import type { Waiter } from "./waiter";

/** Takes about 10 ms from the page cache. */
const PART_BYTES = 64 * 1024 * 1024;
const WHENCE_CURRENT = 1;
const ANYWHERE = -1;
const enum Rwf {
  DSYNC = 2,
  SYNC = 4,
  APPEND = 16,
}

/** The guest's flags as they are given with each write; the open file has none of them. */
export function writeFlags(flags: number): number {
  const append = (flags & FdFlag.APPEND) !== 0 ? Rwf.APPEND : 0;
  if ((flags & FdFlag.SYNC) !== 0) return append | Rwf.SYNC;
  return (flags & FdFlag.DSYNC) !== 0 ? append | Rwf.DSYNC : append;
}

export interface TransferParts {
  context: DescriptorContext;
  vectors: Vectors;
  waiter: Waiter;
  messages: Messages;
}

export class Transfers {
  readonly #context: DescriptorContext;
  readonly #vectors: Vectors;
  readonly #waiter: Waiter;
  readonly #messages: Messages;

  constructor({ context, vectors, waiter, messages }: TransferParts) {
    this.#context = context;
    this.#vectors = vectors;
    this.#waiter = waiter;
    this.#messages = messages;
  }

  /** Bytes read at `offset`, or a negated errno. */
  readAt(fd: number, offset: number): number {
    const { files } = this.#context.native;
    const vectors = this.#vectors;
    if (vectors.totalBytes > PART_BYTES) {
      return this.#inParts(offset, (address, length, at) => files.pread(fd, address, length, at));
    }
    if (vectors.count === 1) return files.pread(fd, vectors.address, vectors.length, offset);
    return files.preadv(fd, vectors.table, vectors.count, offset);
  }

  /** Bytes written at `offset`, or a negated errno; `flags` are RWF_*. */
  writeAt(fd: number, offset: number, flags: number): number {
    const { files } = this.#context.native;
    const vectors = this.#vectors;
    if (vectors.totalBytes > PART_BYTES) return this.#writeInParts(fd, offset, flags);
    if (flags !== 0 || vectors.count !== 1) return this.#writeVectors(fd, offset, flags);
    return files.pwrite(fd, vectors.address, vectors.length, offset);
  }

  /** At the end of the file, wherever that is by then; the kernel's position then follows. */
  append(fd: number, flags: number): number {
    return this.writeAt(fd, ANYWHERE, flags | Rwf.APPEND);
  }

  /** Where an appending write left the kernel's position. */
  positionOf(descriptor: Descriptor): number {
    return this.#context.native.files.seek(descriptor.hostFd, 0, WHENCE_CURRENT);
  }

  /** From or to what has no places; waits unless the guest asked not to. */
  stream(descriptor: Descriptor, isRead: boolean): number {
    const events = isRead ? Poll.IN : Poll.OUT;
    const mayWait = (descriptor.flags & FdFlag.NONBLOCK) === 0;
    if (isRead && this.#vectors.totalBytes === 0) return 0;
    for (;;) {
      // First of all: a FIFO without a writer would read as its end.
      const ready = this.#waiter.untilReady(descriptor.hostFd, events, mayWait);
      if (ready < 0) return ready;
      const result = isRead ? this.#receive(descriptor) : this.#send(descriptor);
      if (result === -Errno.EINTR) continue;
      if (result !== -Errno.EAGAIN || !mayWait) return result;
    }
  }

  #receive({ kind, hostFd }: Descriptor): number {
    const { files } = this.#context.native;
    const { count, address, length, table, totalBytes } = this.#vectors;
    if (kind === Kind.SOCKET) return this.#messages.receive(hostFd, this.#vectors, 0);
    // A pipe gives less, but /dev/urandom takes seconds for what a guest may ask for.
    if (totalBytes > PART_BYTES) return this.#readPart(hostFd);
    return count === 1
      ? files.read(hostFd, address, length)
      : files.preadv(hostFd, table, count, ANYWHERE);
  }

  /** Into the first vector that is not empty, one part at most: a stream may give less than it is asked for. */
  #readPart(fd: number): number {
    const vectors = this.#vectors;
    let index = 0;
    while (vectors.lengthAt(index) === 0) index++;
    const length = Math.min(vectors.lengthAt(index), PART_BYTES);
    return this.#context.native.files.read(fd, vectors.addressAt(index), length);
  }

  #send({ kind, hostFd }: Descriptor): number {
    const { files } = this.#context.native;
    const { count, address, length, table } = this.#vectors;
    if (kind === Kind.SOCKET) return this.#messages.send(hostFd, this.#vectors);
    return count === 1
      ? files.write(hostFd, address, length)
      : files.pwritev(hostFd, table, count, ANYWHERE, 0);
  }

  #writeVectors(fd: number, offset: number, flags: number): number {
    const { files } = this.#context.native;
    const vectors = this.#vectors;
    if (vectors.count === 1) vectors.tabulate();
    return files.pwritev(fd, vectors.table, vectors.count, offset, flags);
  }

  #writeInParts(fd: number, offset: number, flags: number): number {
    const { files } = this.#context.native;
    const part = new Vectors(this.#context);
    return this.#inParts(offset, (address, length, at) => {
      part.setPart(address, length);
      return files.pwritev(fd, part.table, 1, at, flags);
    });
  }

  /** Vector after vector; what was moved before an error or the stop signal counts. */
  #inParts(
    offset: number,
    move: (address: number, length: number, offset: number) => number,
  ): number {
    const vectors = this.#vectors;
    let total = 0;
    for (let index = 0; index < vectors.count; index++) {
      const length = vectors.lengthAt(index);
      for (let done = 0; done < length; ) {
        if (this.#context.stopped()) return total > 0 ? total : -Errno.EINTR;
        const wanted = Math.min(length - done, PART_BYTES);
        const at = offset === ANYWHERE ? ANYWHERE : offset + total;
        const moved = move(vectors.addressAt(index) + done, wanted, at);
        if (moved < 0) return total > 0 ? total : moved;
        total += moved;
        done += moved;
        if (moved < wanted) return total;
      }
    }
    return total;
  }
}
