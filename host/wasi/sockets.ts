/**
 * The family sock_accept, sock_recv, sock_send, sock_shutdown, on sockets that the embedder granted
 * and on what they accept. A guest opens none itself, and no call waits but in slices.
 */
import { Errno, Poll } from "../abi";
import type { DescriptorContext } from "./context";
import { Descriptor, FdFlag, Kind } from "./descriptor";
import { WasiErrno, wasiErrnoOf } from "./errno";
import type { Messages } from "./messages";
import { type Parameter, unsigned, type WasiFunctions } from "./parameter";
import { FileType } from "./stream";
import { Vectors } from "./vectors";
import type { Waiter } from "./waiter";

/** `riflags`. */
const enum ReceiveFlag {
  PEEK = 1,
  WAIT_ALL = 2,
  ALL = 3,
}

const RECEIVED_TRUNCATED = 1;
const MSG_PEEK = 2;
const MSG_TRUNC = 0x20;
const SHUTDOWN_BOTH = 3;

export interface SocketParts {
  context: DescriptorContext;
  vectors: Vectors;
  waiter: Waiter;
  messages: Messages;
}

export function socketFunctions(parts: SocketParts): WasiFunctions {
  const { context, vectors, waiter, messages } = parts;
  const { table, memory } = context;
  const { sockets } = context.native;
  const part = new Vectors(context);

  function socket(fd: Parameter): Descriptor | WasiErrno {
    const found = table.get(fd);
    if (found === null) return WasiErrno.EBADF;
    return found.kind === Kind.SOCKET ? found : WasiErrno.ENOTSOCK;
  }

  function failed(result: number): WasiErrno {
    return result === -Errno.EINTR ? context.interrupted() : wasiErrnoOf(-result);
  }

  /** Until it is neither too early nor interrupted, or the guest asked not to wait. */
  function whenReady(found: Descriptor, events: number, call: () => number): number {
    const mayWait = (found.flags & FdFlag.NONBLOCK) === 0;
    for (;;) {
      // Before the call: what is accepted while the thread is ended would stay open.
      if (context.stopped()) return -Errno.EINTR;
      const result = call();
      if (result === -Errno.EINTR) continue;
      if (result !== -Errno.EAGAIN || !mayWait) return result;
      const ready = waiter.untilReady(found.hostFd, events, true);
      if (ready < 0) return ready;
    }
  }

  function receiveAll(found: Descriptor): number {
    let total = 0;
    for (let index = 0; index < vectors.count; index++) {
      const address = vectors.addressAt(index);
      const length = vectors.lengthAt(index);
      for (let done = 0; done < length; ) {
        part.setPart(address + done, length - done);
        const count = whenReady(found, Poll.IN, () => messages.receive(found.hostFd, part, 0));
        if (count <= 0) return total > 0 ? total : count;
        total += count;
        done += count;
      }
    }
    return total;
  }

  function accept(found: Descriptor, flags: number, resultAt: number): WasiErrno {
    const guest = memory();
    if (!guest.contains(resultAt, 4)) return WasiErrno.EFAULT;
    if ((flags & ~FdFlag.NONBLOCK) !== 0) return WasiErrno.EINVAL;
    if (table.isFull) return WasiErrno.EMFILE;
    const hostFd = whenReady(found, Poll.IN, () => sockets.accept(found.hostFd));
    if (hostFd < 0) return failed(hostFd);
    const slot = table.openFiles.note(hostFd);
    const fileType = FileType.SOCKET_STREAM;
    const accepted = { kind: Kind.SOCKET, fileType, hostFd, slot, flags };
    const number = table.insert(new Descriptor({ ...accepted, readable: true, writable: true }));
    guest.view.setUint32(resultAt, number, true);
    return WasiErrno.SUCCESS;
  }

  return {
    sock_accept: (fd = 0, flags = 0, result = 0) => {
      const found = socket(fd);
      return found instanceof Descriptor ? accept(found, unsigned(flags), unsigned(result)) : found;
    },
    sock_recv: (fd = 0, at = 0, count = 0, flags = 0, result = 0, resultFlags: Parameter = 0) => {
      const found = socket(fd);
      if (!(found instanceof Descriptor)) return found;
      const guest = memory();
      const resultAt = unsigned(result);
      const flagsAt = unsigned(resultFlags);
      const wanted = unsigned(flags);
      if ((wanted & ~ReceiveFlag.ALL) !== 0) return WasiErrno.EINVAL;
      if (!guest.contains(flagsAt, 2)) return WasiErrno.EFAULT;
      const bad = vectors.load(guest, at, count, resultAt);
      if (bad !== WasiErrno.SUCCESS) return bad;
      const peeks = (wanted & ReceiveFlag.PEEK) !== 0 ? MSG_PEEK : 0;
      // To look at what is there, and to wait for all of it, are two things.
      const received =
        wanted === ReceiveFlag.WAIT_ALL
          ? receiveAll(found)
          : whenReady(found, Poll.IN, () => messages.receive(found.hostFd, vectors, peeks));
      if (received < 0) return failed(received);
      const isCut = (messages.receivedFlags & MSG_TRUNC) !== 0;
      guest.view.setUint32(resultAt, received, true);
      guest.view.setUint16(flagsAt, isCut ? RECEIVED_TRUNCATED : 0, true);
      return WasiErrno.SUCCESS;
    },
    sock_send: (fd = 0, at = 0, count = 0, flags = 0, result: Parameter = 0) => {
      const found = socket(fd);
      if (!(found instanceof Descriptor)) return found;
      if (unsigned(flags) !== 0) return WasiErrno.EINVAL;
      const guest = memory();
      const resultAt = unsigned(result);
      const bad = vectors.load(guest, at, count, resultAt);
      if (bad !== WasiErrno.SUCCESS) return bad;
      const sent = whenReady(found, Poll.OUT, () => messages.send(found.hostFd, vectors));
      if (sent < 0) return failed(sent);
      guest.view.setUint32(resultAt, sent, true);
      return WasiErrno.SUCCESS;
    },
    sock_shutdown: (fd = 0, how = 0) => {
      const found = socket(fd);
      if (!(found instanceof Descriptor)) return found;
      const directions = unsigned(how);
      if (directions < 1 || directions > SHUTDOWN_BOTH) return WasiErrno.EINVAL;
      // Bits in WASI, numbers from 0 in Linux.
      const result = sockets.shutdown(found.hostFd, directions - 1);
      return result < 0 ? failed(result) : WasiErrno.SUCCESS;
    },
  };
}
