/**
 * Starts one operation of the emulated engine. Beside the result it says whether the operation
 * failed in the sense of link chains, which is the kernel's and uneven: a short read breaks a link,
 * a failed FSYNC does not (io_uring/sync.c reports it without failing the request).
 */
import { Errno, Fsync, GrantAccess, Op, Poll } from "../../abi";
import type { GrantSlot } from "../engine";
import { isStream, type SlotTable } from "../slot-table";
import { leavesFile, SqeWord, unsigned64 } from "../sqe-word";
import { cancel, removePoll } from "./cancel";
import type { FileBackend } from "./files";
import type { Operations } from "./operations";
import { eventsOf, type Pending } from "./pending";
import type { PollSet } from "./poll-set";
import { PENDING, type Transfers } from "./transfer";

/** What poll(2) reports of a file that is always ready (DEFAULT_POLLMASK). */
const ALWAYS_READY = Poll.IN | Poll.OUT | Poll.RDNORM | Poll.WRNORM;

export class Executor {
  /** Whether the last started operation failed, so that a link after it breaks. */
  failed = false;
  readonly #operations: Operations;
  readonly #backend: FileBackend;
  readonly #slots: SlotTable;
  readonly #pending: Pending;
  readonly #poll: PollSet;
  readonly #transfers: Transfers;

  constructor(
    operations: Operations,
    backend: FileBackend,
    slots: SlotTable,
    pending: Pending,
    poll: PollSet,
    transfers: Transfers,
  ) {
    this.#operations = operations;
    this.#backend = backend;
    this.#slots = slots;
    this.#pending = pending;
    this.#poll = poll;
    this.#transfers = transfers;
  }

  /** @returns the result, a negated errno, or PENDING */
  start(operation: number): number {
    const opcode = this.#operations.opcode(operation);
    let result: number;
    if (opcode === Op.ASYNC_CANCEL) {
      result = cancel(this.#operations, this.#pending, this.#slots, operation);
    } else if (opcode === Op.POLL_REMOVE) {
      result = removePoll(this.#operations, this.#pending, operation);
    } else {
      const grant = this.#slots.get(this.#operations.word(operation, SqeWord.FD));
      if (grant === undefined) {
        this.failed = true;
        return -Errno.EBADF;
      }
      return this.#startOn(grant, opcode, operation);
    }
    this.failed = result < 0;
    return result;
  }

  #startOn(grant: GrantSlot, opcode: number, operation: number): number {
    let result: number;
    switch (opcode) {
      case Op.READ_FIXED:
      case Op.WRITE_FIXED:
        result = this.#transfers.run(operation, grant);
        this.failed = result !== (this.#operations.word(operation, SqeWord.LEN) | 0);
        return result;
      case Op.POLL_ADD:
        result = this.#startPoll(grant, operation);
        break;
      case Op.FADVISE:
        result = this.#advise(grant, operation);
        break;
      case Op.SHUTDOWN:
        result = this.#backend.shutdown(grant, this.#operations.word(operation, SqeWord.LEN));
        break;
      default:
        result = this.#startSync(grant, opcode, operation);
        this.failed = false;
        return result;
    }
    this.failed = result < 0;
    return result;
  }

  /** The operations of io_uring/sync.c and truncate.c, whose errors break no link. */
  #startSync(grant: GrantSlot, opcode: number, operation: number): number {
    switch (opcode) {
      case Op.FSYNC: {
        const dataOnly =
          (this.#operations.word(operation, SqeWord.OP_FLAGS) & Fsync.DATASYNC) !== 0;
        return this.#backend.sync(grant, dataOnly);
      }
      case Op.SYNC_FILE_RANGE:
        return this.#syncRange(grant, operation);
      case Op.FALLOCATE:
        return this.#allocate(grant, operation);
      case Op.FTRUNCATE:
        return this.#truncate(grant, operation);
      default:
        return -Errno.EINVAL; // no policy allows another one
    }
  }

  #startPoll(grant: GrantSlot, operation: number): number {
    const events = eventsOf(this.#operations, operation);
    if (!isStream(grant.kind)) {
      const ready = events & ALWAYS_READY;
      return ready === 0 ? -Errno.EINVAL : ready; // nothing to wait for ever comes from a file
    }
    if (!this.#backend.streams) return -Errno.EOPNOTSUPP;
    const ready = this.#poll.ready(grant.fd, events);
    if (ready === 0) return PENDING;
    return (ready & Poll.NVAL) !== 0 ? -Errno.EBADF : ready;
  }

  #syncRange(grant: GrantSlot, operation: number): number {
    const low = this.#operations.word(operation, SqeWord.OFF_LOW);
    const high = this.#operations.word(operation, SqeWord.OFF_HIGH);
    const length = this.#operations.word(operation, SqeWord.LEN) >>> 0;
    if (high < 0 || leavesFile(low, high, length)) return -Errno.EINVAL;
    const flags = this.#operations.word(operation, SqeWord.OP_FLAGS);
    return this.#backend.syncRange(grant, unsigned64(low, high), length, flags);
  }

  /** The length is in `addr`; in `len` when that is 0. */
  #advise(grant: GrantSlot, operation: number): number {
    const length = this.#signed(operation, SqeWord.ADDR_LOW);
    const advice = this.#operations.word(operation, SqeWord.OP_FLAGS);
    const effective = length === 0 ? this.#operations.word(operation, SqeWord.LEN) >>> 0 : length;
    return this.#backend.advise(grant, this.#signed(operation, SqeWord.OFF_LOW), effective, advice);
  }

  #allocate(grant: GrantSlot, operation: number): number {
    const position = this.#signed(operation, SqeWord.OFF_LOW);
    const length = this.#signed(operation, SqeWord.ADDR_LOW);
    if (position < 0 || length <= 0) return -Errno.EINVAL;
    if ((grant.access & GrantAccess.WRITE) === 0) return -Errno.EBADF;
    if (position + length > Number.MAX_SAFE_INTEGER) return -Errno.EFBIG; // no file is that long
    const mode = this.#operations.word(operation, SqeWord.LEN);
    return this.#backend.allocate(grant, mode, position, length);
  }

  #truncate(grant: GrantSlot, operation: number): number {
    const length = this.#signed(operation, SqeWord.OFF_LOW);
    if (length < 0) return -Errno.EINVAL;
    if (length > Number.MAX_SAFE_INTEGER) return -Errno.EFBIG;
    return this.#backend.truncate(grant, length);
  }

  /** A signed 64-bit field as a number: exact between -2^53 and 2^53. */
  #signed(operation: number, low: SqeWord): number {
    const high = this.#operations.word(operation, low + 1);
    return high * 0x1_0000_0000 + (this.#operations.word(operation, low) >>> 0);
  }
}
