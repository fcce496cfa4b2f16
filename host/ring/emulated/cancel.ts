/**
 * ASYNC_CANCEL and POLL_REMOVE: finding pending operations and ending or changing them, by the
 * kernel's matching rules (io_uring/cancel.c: io_cancel_req_match). Members of a chain that were
 * not started are not found, as there. What is cancelled is queued behind the canceller, so its CQE
 * comes after.
 */
import { AsyncCancel, Errno, Op, PollFlag } from "../../abi";
import type { SlotTable } from "../slot-table";
import { SqeWord } from "../sqe-word";
import type { Operations } from "./operations";
import type { Pending } from "./pending";

const POLL_MASK = 0xffff;
const NOT_FOUND = -1;

function matches(
  operations: Operations,
  candidate: number,
  canceller: number,
  flags: number,
): boolean {
  if ((flags & AsyncCancel.ANY) !== 0) return true;
  if ((flags & AsyncCancel.FD) !== 0) {
    const slot = operations.word(canceller, SqeWord.FD);
    if (operations.word(candidate, SqeWord.FD) !== slot) return false;
  }
  if ((flags & AsyncCancel.OP) !== 0) {
    const opcode = operations.word(canceller, SqeWord.LEN) & 0xff;
    if (operations.opcode(candidate) !== opcode) return false;
  }
  const narrowed = (flags & (AsyncCancel.FD | AsyncCancel.OP)) !== 0;
  if (narrowed && (flags & AsyncCancel.USERDATA) === 0) return true;
  const low = operations.word(canceller, SqeWord.ADDR_LOW);
  return operations.hasUserData(candidate, low, operations.word(canceller, SqeWord.ADDR_HIGH));
}

/** @returns 0 or the number of cancelled operations (ALL, ANY), or a negated errno */
export function cancel(
  operations: Operations,
  pending: Pending,
  slots: SlotTable,
  canceller: number,
): number {
  const flags = operations.word(canceller, SqeWord.OP_FLAGS);
  if ((flags & AsyncCancel.FD) !== 0) {
    if (slots.get(operations.word(canceller, SqeWord.FD)) === undefined) return -Errno.EBADF;
  }
  const all = (flags & (AsyncCancel.ALL | AsyncCancel.ANY)) !== 0;
  let cancelled = 0;
  // A single cancel takes the youngest match, as the kernel's hash chains do; the order of many is
  // the age.
  let place = all ? 0 : pending.count - 1;
  while (place >= 0 && place < pending.count) {
    const candidate = pending.at(place);
    if (matches(operations, candidate, canceller, flags)) {
      pending.remove(place);
      operations.settle(candidate, -Errno.ECANCELED, true);
      if (!all) return 0;
      cancelled++;
    } else {
      place += all ? 1 : -1;
    }
  }
  return all ? cancelled : -Errno.ENOENT;
}

function findPoll(operations: Operations, pending: Pending, low: number, high: number): number {
  for (let place = pending.count - 1; place >= 0; place--) {
    const candidate = pending.at(place);
    if (operations.opcode(candidate) !== Op.POLL_ADD) continue;
    if (operations.hasUserData(candidate, low, high)) return place;
  }
  return NOT_FOUND;
}

/**
 * POLL_REMOVE: removes a poll, or changes what it waits for and its user_data.
 *
 * @returns 0 or a negated errno
 */
export function removePoll(operations: Operations, pending: Pending, remover: number): number {
  const low = operations.word(remover, SqeWord.ADDR_LOW);
  const place = findPoll(operations, pending, low, operations.word(remover, SqeWord.ADDR_HIGH));
  if (place === NOT_FOUND) return -Errno.ENOENT;
  const poll = pending.at(place);
  const flags = operations.word(remover, SqeWord.LEN);
  const updates = PollFlag.UPDATE_EVENTS | PollFlag.UPDATE_USER_DATA;
  if ((flags & updates) === 0) {
    pending.remove(place);
    operations.settle(poll, -Errno.ECANCELED, true);
    return 0;
  }
  if ((flags & PollFlag.UPDATE_EVENTS) !== 0) {
    const events = operations.word(remover, SqeWord.OP_FLAGS) & POLL_MASK;
    operations.setWord(poll, SqeWord.OP_FLAGS, events);
  }
  if ((flags & PollFlag.UPDATE_USER_DATA) !== 0) {
    operations.setWord(poll, SqeWord.USER_DATA_LOW, operations.word(remover, SqeWord.OFF_LOW));
    operations.setWord(poll, SqeWord.USER_DATA_HIGH, operations.word(remover, SqeWord.OFF_HIGH));
  }
  return 0;
}
