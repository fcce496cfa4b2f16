/**
 * What the kernel checks of an SQE's fields before it starts the operation (the `prep` functions of
 * io_uring), for the opcodes that a policy can allow. A field that an opcode does not use must be
 * zero; a flag that it does not know is EINVAL. One exception, on purpose: `attr_type_mask` is
 * always EINVAL here, and `attr_ptr` is never followed, where the kernel reads host memory
 * (kernel-facts 2).
 *
 * Such a refusal is of another kind than a failed operation: it fails the whole link chain before
 * any of it ran.
 */
import { AsyncCancel, Errno, Fsync, Op, PollFlag, SqeFlag } from "../abi";
import { bufferIndexOf, flagsOf, ioprioOf, opcodeOf, personalityOf, SqeWord } from "./sqe-word";

/** Fields that must be zero, by opcode: bits. */
const enum Zero {
  OFF = 1,
  ADDR = 2,
  LEN = 4,
  OP_FLAGS = 8,
  BUF_INDEX = 16,
  SPLICE_FD_IN = 32,
  ADDR3 = 64,
  IOPRIO = 128,
}

const COMMON = Zero.IOPRIO | Zero.BUF_INDEX | Zero.SPLICE_FD_IN;

const MUST_BE_ZERO: Readonly<Partial<Record<number, number>>> = {
  [Op.READ_FIXED]: 0,
  [Op.WRITE_FIXED]: 0,
  [Op.FSYNC]: COMMON | Zero.ADDR,
  [Op.SYNC_FILE_RANGE]: COMMON | Zero.ADDR,
  [Op.FALLOCATE]: COMMON | Zero.OP_FLAGS,
  [Op.FADVISE]: COMMON,
  [Op.FTRUNCATE]: COMMON | Zero.ADDR | Zero.LEN | Zero.OP_FLAGS | Zero.ADDR3,
  [Op.POLL_ADD]: Zero.IOPRIO | Zero.BUF_INDEX | Zero.OFF | Zero.ADDR,
  [Op.POLL_REMOVE]: COMMON,
  [Op.ASYNC_CANCEL]: Zero.IOPRIO | Zero.OFF | Zero.SPLICE_FD_IN,
  [Op.SHUTDOWN]: COMMON | Zero.OFF | Zero.ADDR | Zero.OP_FLAGS,
  [Op.LISTEN]: COMMON | Zero.OFF | Zero.ADDR | Zero.OP_FLAGS,
};

/** As bytes, for the look-up per SQE; an opcode without rules must have every field zero. */
const zeroFields = Uint8Array.from({ length: 256 }, (_, opcode) => MUST_BE_ZERO[opcode] ?? 0xff);

const CANCEL_FLAGS =
  AsyncCancel.ALL |
  AsyncCancel.FD |
  AsyncCancel.ANY |
  AsyncCancel.FD_FIXED |
  AsyncCancel.USERDATA |
  AsyncCancel.OP;

/** Classes of an I/O priority, bits 13-15 of ioprio (linux/ioprio.h). */
const IOPRIO_CLASS_SHIFT = 13;
const IOPRIO_CLASS_NONE = 0;
const IOPRIO_CLASS_IDLE = 3;
const IOPRIO_LEVEL_MASK = 7;

const isSet = (words: Int32Array, at: number): boolean => (words[at] ?? 0) !== 0;
const isPairSet = (words: Int32Array, at: number): boolean =>
  isSet(words, at) || isSet(words, at + 1);

/** Whether a field that must be zero is not. */
function hasStrayField(words: Int32Array, at: number, zero: number): boolean {
  if ((zero & Zero.IOPRIO) !== 0 && ioprioOf(words[at] ?? 0) !== 0) return true;
  if ((zero & Zero.OFF) !== 0 && isPairSet(words, at + SqeWord.OFF_LOW)) return true;
  if ((zero & Zero.ADDR) !== 0 && isPairSet(words, at + SqeWord.ADDR_LOW)) return true;
  if ((zero & Zero.LEN) !== 0 && isSet(words, at + SqeWord.LEN)) return true;
  if ((zero & Zero.OP_FLAGS) !== 0 && isSet(words, at + SqeWord.OP_FLAGS)) return true;
  const buffer = words[at + SqeWord.BUFFER] ?? 0;
  if ((zero & Zero.BUF_INDEX) !== 0 && bufferIndexOf(buffer) !== 0) return true;
  if ((zero & Zero.SPLICE_FD_IN) !== 0 && isSet(words, at + SqeWord.SPLICE_FD_IN)) return true;
  return (zero & Zero.ADDR3) !== 0 && isPairSet(words, at + SqeWord.ADDR3_LOW);
}

function isReadWriteBad(words: Int32Array, at: number): boolean {
  // attr_type_mask: an attribute would be read through a host pointer.
  if (isPairSet(words, at + SqeWord.PAD2_LOW)) return true;
  const ioprio = ioprioOf(words[at] ?? 0);
  const priorityClass = ioprio >>> IOPRIO_CLASS_SHIFT;
  if (priorityClass === IOPRIO_CLASS_NONE) return (ioprio & IOPRIO_LEVEL_MASK) !== 0;
  // A known class is taken and ignored: the host lends no guest its I/O priority.
  return priorityClass > IOPRIO_CLASS_IDLE;
}

function isPollAddBad(words: Int32Array, at: number): boolean {
  const pollFlags = words[at + SqeWord.LEN] ?? 0;
  if ((pollFlags & ~PollFlag.ADD_MULTI) !== 0) return true;
  const skips = (flagsOf(words[at] ?? 0) & SqeFlag.CQE_SKIP_SUCCESS) !== 0;
  return pollFlags !== 0 && skips;
}

function isPollRemoveBad(words: Int32Array, at: number): boolean {
  const known = PollFlag.UPDATE_EVENTS | PollFlag.UPDATE_USER_DATA | PollFlag.ADD_MULTI;
  const pollFlags = words[at + SqeWord.LEN] ?? 0;
  if ((pollFlags & ~known) !== 0 || pollFlags === PollFlag.ADD_MULTI) return true;
  const renames = (pollFlags & PollFlag.UPDATE_USER_DATA) !== 0;
  if (!renames && isPairSet(words, at + SqeWord.OFF_LOW)) return true;
  return (pollFlags & PollFlag.UPDATE_EVENTS) === 0 && isSet(words, at + SqeWord.OP_FLAGS);
}

function isCancelBad(words: Int32Array, at: number): boolean {
  const cancelFlags = words[at + SqeWord.OP_FLAGS] ?? 0;
  if ((cancelFlags & ~CANCEL_FLAGS) !== 0) return true;
  const narrowed = (cancelFlags & (AsyncCancel.FD | AsyncCancel.OP)) !== 0;
  return narrowed && (cancelFlags & AsyncCancel.ANY) !== 0;
}

export class Preparation {
  /** By id: 1 when the host registered it with the ring. 0 is nobody's. */
  readonly #personalities = new Uint8Array(0x1_0000);

  /** @param personalities ids that a guest may name */
  constructor(personalities: Iterable<number> = []) {
    for (const id of personalities) this.#personalities[id] = 1;
    this.#personalities[0] = 1;
  }

  /**
   * Judges the fields of a copied SQE whose opcode the policy allows.
   *
   * @param at index of its first word
   * @returns 0, or a negated errno
   */
  prepare(words: Int32Array, at: number): number {
    const opcode = opcodeOf(words[at] ?? 0);
    const personality = personalityOf(words[at + SqeWord.BUFFER] ?? 0);
    if (this.#personalities[personality] === 0) return -Errno.EINVAL;
    if (hasStrayField(words, at, zeroFields[opcode] ?? 0xff)) return -Errno.EINVAL;
    return isBad(opcode, words, at) ? -Errno.EINVAL : 0;
  }
}

function isBad(opcode: number, words: Int32Array, at: number): boolean {
  switch (opcode) {
    case Op.READ_FIXED:
    case Op.WRITE_FIXED:
      return isReadWriteBad(words, at);
    case Op.FSYNC:
      if (((words[at + SqeWord.OP_FLAGS] ?? 0) & ~Fsync.DATASYNC) !== 0) return true;
      return (words[at + SqeWord.OFF_HIGH] ?? 0) < 0; // a negative offset
    case Op.POLL_ADD:
      return isPollAddBad(words, at);
    case Op.POLL_REMOVE:
      return isPollRemoveBad(words, at);
    case Op.ASYNC_CANCEL:
      return isCancelBad(words, at);
    default:
      return false;
  }
}
