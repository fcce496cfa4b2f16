/**
 * READ_FIXED and WRITE_FIXED without io_uring, with its errno in its order: empty slot, bounds,
 * access, flags, position. Files are read and written at once. Streams are tried without blocking;
 * what would block is PENDING, and is tried again when poll(2) says so.
 */
import { Errno, GrantAccess, GrantKind, Op, Poll, Rwf } from "../../abi";
import type { ArenaWindows } from "../arena-window";
import type { GrantSlot } from "../engine";
import { isStream } from "../slot-table";
import { leavesFile, SQE_WORDS, SqeWord, unsigned64 } from "../sqe-word";
import type { FileBackend } from "./files";
import type { Operations } from "./operations";
import type { PollSet } from "./poll-set";

/** Not an errno: the operation waits. */
export const PENDING = -0x10000;

const RWF_KNOWN =
  Rwf.HIPRI |
  Rwf.DSYNC |
  Rwf.SYNC |
  Rwf.NOWAIT |
  Rwf.APPEND |
  Rwf.NOAPPEND |
  Rwf.ATOMIC |
  Rwf.DONTCACHE |
  Rwf.NOSIGNAL;
/** Only files know these. */
const RWF_FILES_ONLY = Rwf.ATOMIC | Rwf.DONTCACHE;

/** A position of its own: the file's. */
const POSITION_CURRENT = -1;

/** PIPE_BUF: a pipe that is ready takes this much without blocking. */
const PIPE_CHUNK_BYTES = 4096;

export class Transfers {
  readonly #operations: Operations;
  readonly #backend: FileBackend;
  readonly #windows: ArenaWindows;
  readonly #poll: PollSet;
  /** By slot and direction: the file does not know RWF_NOWAIT (pipes before 6.4, terminals). */
  readonly #blind: Uint8Array;

  constructor(
    operations: Operations,
    backend: FileBackend,
    windows: ArenaWindows,
    poll: PollSet,
    slots: number,
  ) {
    this.#operations = operations;
    this.#backend = backend;
    this.#windows = windows;
    this.#poll = poll;
    this.#blind = new Uint8Array(slots * 2);
  }

  /** Another file may lie in the slot. */
  forget(slot: number): void {
    this.#blind.fill(0, slot * 2, slot * 2 + 2);
  }

  /** @returns bytes, a negated errno, or PENDING */
  run(operation: number, grant: GrantSlot): number {
    const operations = this.#operations;
    const writes = operations.opcode(operation) === Op.WRITE_FIXED;
    const offset = this.#windows.locate(operations.words, operation * SQE_WORDS);
    if (offset < 0) return -Errno.EFAULT;
    const needed = writes ? GrantAccess.WRITE : GrantAccess.READ;
    // A timer opens for writing but has no write: the kernel says EINVAL, and is asked.
    const timer = grant.kind === GrantKind.TIMERFD;
    if ((grant.access & needed) === 0 && !timer) return -Errno.EBADF;
    const flags = operations.word(operation, SqeWord.OP_FLAGS);
    if ((flags & ~RWF_KNOWN) !== 0) return -Errno.EOPNOTSUPP;
    if ((flags & Rwf.HIPRI) !== 0) return -Errno.EINVAL; // for polled rings only
    const length = operations.word(operation, SqeWord.LEN) >>> 0;
    const low = operations.word(operation, SqeWord.OFF_LOW);
    const high = operations.word(operation, SqeWord.OFF_HIGH);
    const current = low === -1 && high === -1;
    if (!current && high < 0) return -Errno.EINVAL;
    if (!current && leavesFile(low, high, length)) return -Errno.EINVAL;
    const position = current ? POSITION_CURRENT : unsigned64(low, high);
    if (isStream(grant.kind)) return this.#stream(grant, writes, offset, length, position, flags);
    // No file is that long. The numbers stop being exact, so the kernel is not asked.
    if (position > Number.MAX_SAFE_INTEGER) return writes && length > 0 ? -Errno.EFBIG : 0;
    return this.#move(grant, writes, offset, length, position, flags);
  }

  #move(
    grant: GrantSlot,
    writes: boolean,
    offset: number,
    length: number,
    position: number,
    flags: number,
  ): number {
    return writes
      ? this.#backend.write(grant, offset, length, position, flags)
      : this.#backend.read(grant, offset, length, position, flags);
  }

  #stream(
    grant: GrantSlot,
    writes: boolean,
    offset: number,
    length: number,
    position: number,
    flags: number,
  ): number {
    if (!this.#backend.streams) return -Errno.EOPNOTSUPP;
    // An eventfd has no write that takes flags, so it could block for ever; `mapped` cannot write
    // it either.
    if (writes && grant.kind === GrantKind.EVENTFD) return -Errno.EFAULT;
    if ((flags & RWF_FILES_ONLY) !== 0) return -Errno.EOPNOTSUPP;
    const refusesToWait = (flags & Rwf.NOWAIT) !== 0;
    const direction = grant.slot * 2 + (writes ? 1 : 0);
    if (this.#blind[direction] === 0) {
      const result = this.#tryStream(grant, writes, offset, length, position, flags | Rwf.NOWAIT);
      if (result === -Errno.EAGAIN && !refusesToWait) return PENDING;
      if (result !== -Errno.EOPNOTSUPP || refusesToWait) return result;
      this.#blind[direction] = 1;
    }
    if (refusesToWait) return -Errno.EOPNOTSUPP;
    return this.#blindStream(grant, writes, offset, length, position, flags);
  }

  /** Most streams have no position; a character device may have one. */
  #tryStream(
    grant: GrantSlot,
    writes: boolean,
    offset: number,
    length: number,
    position: number,
    flags: number,
  ): number {
    if (grant.kind === GrantKind.CHARACTER_DEVICE && position <= Number.MAX_SAFE_INTEGER) {
      const result = this.#move(grant, writes, offset, length, position, flags);
      if (result !== -Errno.ESPIPE) return result;
    }
    return this.#move(grant, writes, offset, length, POSITION_CURRENT, flags);
  }

  /** Moves only what poll(2) promises not to block on: a read once, a write in chunks. */
  #blindStream(
    grant: GrantSlot,
    writes: boolean,
    offset: number,
    length: number,
    position: number,
    flags: number,
  ): number {
    let moved = 0;
    do {
      if (this.#poll.ready(grant.fd, writes ? Poll.OUT : Poll.IN) === 0) break;
      const left = length - moved;
      const size = writes && left > PIPE_CHUNK_BYTES ? PIPE_CHUNK_BYTES : left;
      const result = this.#tryStream(grant, writes, offset + moved, size, position, flags);
      if (result < 0) return moved > 0 ? moved : result;
      moved += result;
      if (!writes || result < size) return moved;
    } while (moved < length);
    return moved > 0 || length === 0 ? moved : PENDING;
  }
}
