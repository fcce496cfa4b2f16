/**
 * Operations that wait for their file: polls, and reads and writes of streams that would have
 * blocked. They wait together in one poll(2), for as long as a slice at most, in the order in which
 * they came.
 */
import { Errno, FILE_SLOTS, Op, Poll } from "../../abi";
import type { SlotTable } from "../slot-table";
import { SqeWord } from "../sqe-word";
import type { Operations } from "./operations";
import { POLL_ALWAYS, type PollSet } from "./poll-set";
import { PENDING, type Transfers } from "./transfer";

const POLL_MASK = 0xffff;
const NO_ENTRY = -1;

/** The poll events that an operation waits for. */
export function eventsOf(operations: Operations, operation: number): number {
  switch (operations.opcode(operation)) {
    case Op.POLL_ADD:
      return operations.word(operation, SqeWord.OP_FLAGS) & POLL_MASK;
    case Op.WRITE_FIXED:
      return Poll.OUT | Poll.WRNORM;
    default:
      return Poll.IN | Poll.RDNORM | Poll.PRI;
  }
}

export class Pending {
  count = 0;
  readonly #operations: Operations;
  readonly #slots: SlotTable;
  readonly #poll: PollSet;
  readonly #transfers: Transfers;
  readonly #list: Int32Array;
  /** By slot: its entry in the poll set. */
  readonly #entries = new Int32Array(FILE_SLOTS);

  constructor(operations: Operations, slots: SlotTable, poll: PollSet, transfers: Transfers) {
    this.#operations = operations;
    this.#slots = slots;
    this.#poll = poll;
    this.#transfers = transfers;
    this.#list = new Int32Array(operations.capacity);
  }

  add(operation: number): void {
    this.#list[this.count++] = operation;
  }

  /** The operation at a place, 0 being the oldest. */
  at(place: number): number {
    return this.#list[place] ?? 0;
  }

  /** Takes an operation out of its place; those behind it move up. */
  remove(place: number): void {
    this.#list.copyWithin(place, place + 1, this.count);
    this.count--;
  }

  /** Cancels what waits for files that were taken away. */
  cancelLost(): void {
    for (let slot = 0; slot < FILE_SLOTS; slot++) {
      if (this.#slots.isLost(slot)) this.#transfers.forget(slot);
    }
    for (let place = 0; place < this.count; ) {
      const operation = this.at(place);
      if (this.#slots.isLost(this.#operations.word(operation, SqeWord.FD))) {
        this.remove(place);
        this.#operations.settle(operation, -Errno.ECANCELED, true);
      } else place++;
    }
  }

  /**
   * Waits until something happens to one of the files, `timeoutMs` at most, and settles the
   * operations that it lets finish.
   *
   * @returns how many were settled; -1 when something happened that was of no use to any of them
   */
  progress(timeoutMs: number): number {
    this.#fillPollSet();
    const happened = this.#poll.wait(timeoutMs);
    if (happened <= 0) return happened === 0 || happened === -Errno.EINTR ? 0 : -1;
    // Looked at before any of them runs: a transfer uses the poll set itself.
    for (let place = 0; place < this.count; place++) this.#note(this.at(place));
    let kept = 0;
    const before = this.count;
    for (let place = 0; place < before; place++) {
      const operation = this.at(place);
      if (!this.#advance(operation)) this.#list[kept++] = operation;
    }
    this.count = kept;
    return kept < before ? before - kept : -1;
  }

  #fillPollSet(): void {
    this.#poll.clear();
    this.#entries.fill(NO_ENTRY);
    for (let place = 0; place < this.count; place++) {
      const operation = this.at(place);
      const slot = this.#operations.word(operation, SqeWord.FD);
      const events = eventsOf(this.#operations, operation);
      const entry = this.#entries[slot] ?? NO_ENTRY;
      if (entry !== NO_ENTRY) this.#poll.widen(entry, events);
      else this.#entries[slot] = this.#poll.add(this.#slots.get(slot)?.fd ?? -1, events);
    }
  }

  /** Remembers in the operation's result what happened to its file. */
  #note(operation: number): void {
    const slot = this.#operations.word(operation, SqeWord.FD);
    const happened = this.#poll.happened(this.#entries[slot] ?? 0);
    this.#operations.results[operation] =
      happened & (eventsOf(this.#operations, operation) | POLL_ALWAYS);
  }

  /** @returns whether the operation is settled */
  #advance(operation: number): boolean {
    const operations = this.#operations;
    const happened = operations.results[operation] ?? 0;
    operations.results[operation] = 0;
    if (happened === 0) return false;
    if (operations.opcode(operation) === Op.POLL_ADD) {
      const closed = (happened & Poll.NVAL) !== 0;
      operations.settle(operation, closed ? -Errno.EBADF : happened, closed);
      return true;
    }
    const grant = this.#slots.get(operations.word(operation, SqeWord.FD));
    const result = grant === undefined ? -Errno.EBADF : this.#transfers.run(operation, grant);
    if (result === PENDING) return false;
    operations.settle(operation, result, result !== (operations.word(operation, SqeWord.LEN) | 0));
    return true;
  }
}
