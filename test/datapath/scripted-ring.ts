/**
 * A ring for one thread: the module `uring` for a guest in this thread, whose requests a test performs on arrays, as
 * awkwardly as io_uring may: cut short, in any order, taken in part.
 */
import {
  Cqe,
  EnterFlag,
  Errno,
  FallocateMode,
  GrantAccess,
  GrantInfo,
  GrantKind,
  GUEST_ADDRESS_BASE,
  Limits,
  Op,
  RingMode,
  SetupRequest,
  Sqe,
} from "../../assembly/abi/index";
import type { Functions } from "./scripted-guest";

export interface RingBehaviour {
  /** Which of `count` requests in hand completes next. Default: the oldest. */
  pick?: (count: number) => number;
  /** Bytes that a transfer of `length` moves: 1 to `length`. Default: all. */
  cut?: (length: number) => number;
  /** How many of `count` SQEs one enter takes: at least 1. Default: all. */
  take?: (count: number) => number;
  /** Requests that no enter completes by itself: every wait runs out. */
  stuck?: boolean;
}

interface Taken {
  opcode: number;
  slot: number;
  offset: number;
  address: number;
  length: number;
  userData: bigint;
}

const PAGE_BYTES = 4096;
/** Where the words lie in the ring region. */
const enum Word {
  SQ_HEAD = 0,
  SQ_TAIL = 4,
  CQ_HEAD = 8,
  CQ_TAIL = 12,
  SQ_FLAGS = 16,
  SQ_DROPPED = 20,
  CQ_OVERFLOW = 24,
  CQ_FLAGS = 28,
  CQES = 64,
}

export class ScriptedRing {
  enters = 0;
  readonly #disks: ReadonlyMap<string, Uint8Array>;
  readonly #behaviour: RingBehaviour;
  readonly #memory: () => ArrayBuffer;
  readonly #hand: Taken[] = [];
  #ring = 0;
  #sqes = 0;
  #sqMask = 0;
  #cqMask = 0;

  constructor(
    disks: ReadonlyMap<string, Uint8Array>,
    behaviour: RingBehaviour,
    memory: () => ArrayBuffer,
  ) {
    this.#disks = disks;
    this.#behaviour = behaviour;
    this.#memory = memory;
  }

  functions(): Functions {
    return {
      query: (limits = 0) => this.#query(limits),
      grant: (name = 0, length = 0, info = 0) => this.#grant(name, length, info),
      setup: (request = 0) => this.#setup(request),
      enter: (toSubmit = 0, minComplete = 0, flags = 0, timeoutUs = 0) =>
        this.#enter(toSubmit, minComplete, flags, timeoutUs),
    };
  }

  get #view(): DataView {
    return new DataView(this.#memory());
  }

  #query(limits: number): number {
    const view = this.#view;
    view.setUint32(limits + Limits.PAGE_SIZE, PAGE_BYTES, true);
    view.setUint32(limits + Limits.SQ_ENTRIES, 64, true);
    const allowed = [Op.READ_FIXED, Op.WRITE_FIXED, Op.FSYNC, Op.FALLOCATE];
    const opcodes = allowed.reduce((all, opcode) => all | (1n << BigInt(opcode)), 0n);
    view.setBigUint64(limits + Limits.OPCODES, opcodes, true);
    return 0;
  }

  #grant(name: number, length: number, info: number): number {
    const wanted = Buffer.from(this.#memory(), name, length).toString();
    const slot = [...this.#disks.keys()].indexOf(wanted);
    if (slot < 0) return -Errno.ENOENT;
    const view = this.#view;
    view.setBigUint64(info + GrantInfo.SIZE_BYTES, BigInt(this.#disk(slot).length), true);
    view.setUint32(info + GrantInfo.ACCESS, GrantAccess.READ | GrantAccess.WRITE, true);
    view.setUint32(info + GrantInfo.KIND, GrantKind.FILE, true);
    view.setUint32(info + GrantInfo.ALIGNMENT, 1, true);
    return slot;
  }

  #disk(slot: number): Uint8Array {
    const disk = [...this.#disks.values()][slot];
    if (disk === undefined) throw new Error(`no slot ${slot}`);
    return disk;
  }

  #setup(request: number): number {
    const view = this.#view;
    const asked = (field: number) => view.getUint32(request + field, true);
    const answer = (field: number, value: number) => view.setUint32(request + field, value, true);
    this.#ring = asked(SetupRequest.RING_OFFSET);
    this.#sqes = asked(SetupRequest.SQES_OFFSET);
    this.#sqMask = asked(SetupRequest.SQ_ENTRIES) - 1;
    this.#cqMask = asked(SetupRequest.CQ_ENTRIES) - 1;
    answer(SetupRequest.MODE, RingMode.MAPPED | RingMode.DEFER_TASKRUN);
    answer(SetupRequest.SQ_HEAD, this.#ring + Word.SQ_HEAD);
    answer(SetupRequest.SQ_TAIL, this.#ring + Word.SQ_TAIL);
    answer(SetupRequest.SQ_FLAGS, this.#ring + Word.SQ_FLAGS);
    answer(SetupRequest.SQ_DROPPED, this.#ring + Word.SQ_DROPPED);
    answer(SetupRequest.SQ_ARRAY, 0);
    answer(SetupRequest.SQES, this.#sqes);
    answer(SetupRequest.CQ_HEAD, this.#ring + Word.CQ_HEAD);
    answer(SetupRequest.CQ_TAIL, this.#ring + Word.CQ_TAIL);
    answer(SetupRequest.CQ_OVERFLOW, this.#ring + Word.CQ_OVERFLOW);
    answer(SetupRequest.CQ_FLAGS, this.#ring + Word.CQ_FLAGS);
    answer(SetupRequest.CQES, this.#ring + Word.CQES);
    answer(SetupRequest.SQ_ENTRIES_ACTUAL, this.#sqMask + 1);
    answer(SetupRequest.CQ_ENTRIES_ACTUAL, this.#cqMask + 1);
    // As after a self-test: the indices do not begin at 0, and soon run round 2^32.
    for (const word of [Word.SQ_HEAD, Word.SQ_TAIL, Word.CQ_HEAD, Word.CQ_TAIL]) {
      view.setUint32(this.#ring + word, 0xffff_fff0, true);
    }
    return 0;
  }

  #word(word: Word): number {
    return this.#view.getUint32(this.#ring + word, true);
  }

  #enter(toSubmit: number, minComplete: number, flags: number, timeoutUs: number): number {
    this.enters++;
    const { take = (count: number) => count } = this.#behaviour;
    const published = (this.#word(Word.SQ_TAIL) - this.#word(Word.SQ_HEAD)) >>> 0;
    const count = Math.min(toSubmit, published);
    const taken = count === 0 ? 0 : Math.min(count, take(count));
    for (let index = 0; index < taken; index++) this.#takeOne();
    const waits = minComplete > 0 && taken === count;
    // Without GETEVENTS nothing is posted: DEFER_TASKRUN.
    if ((flags & EnterFlag.GETEVENTS) === 0) return taken;
    while (this.#behaviour.stuck !== true && this.#hand.length > 0) {
      if (waits && this.#ready() >= minComplete) break;
      this.#completeOne();
      if (!waits) break;
    }
    if (!waits || this.#ready() >= minComplete || taken > 0) return taken;
    if (timeoutUs < 0) throw new Error("the guest waits for what will not come");
    return -Errno.ETIME;
  }

  #ready(): number {
    return (this.#word(Word.CQ_TAIL) - this.#word(Word.CQ_HEAD)) >>> 0;
  }

  #takeOne(): void {
    const view = this.#view;
    const head = this.#word(Word.SQ_HEAD);
    const sqe = this.#sqes + ((head & this.#sqMask) >>> 0) * Sqe.SIZE;
    this.#hand.push({
      opcode: view.getUint8(sqe + Sqe.OPCODE),
      slot: view.getInt32(sqe + Sqe.FD, true),
      offset: Number(view.getBigUint64(sqe + Sqe.OFF, true)),
      address: Number(view.getBigUint64(sqe + Sqe.ADDR, true)),
      length: view.getUint32(sqe + Sqe.LEN, true),
      userData: view.getBigUint64(sqe + Sqe.USER_DATA, true),
    });
    // The SQE is read and may be used again at once.
    new Uint8Array(this.#memory(), sqe, Sqe.SIZE).fill(0xee);
    view.setUint32(this.#ring + Word.SQ_HEAD, head + 1, true);
  }

  #completeOne(): void {
    const { pick = () => 0 } = this.#behaviour;
    const [request] = this.#hand.splice(pick(this.#hand.length), 1);
    if (request === undefined) return;
    const view = this.#view;
    const tail = this.#word(Word.CQ_TAIL);
    if (this.#ready() > this.#cqMask) throw new Error("the CQ overflows");
    const cqe = this.#ring + Word.CQES + ((tail & this.#cqMask) >>> 0) * Cqe.SIZE;
    view.setBigUint64(cqe + Cqe.USER_DATA, request.userData, true);
    view.setInt32(cqe + Cqe.RES, this.#perform(request), true);
    view.setUint32(this.#ring + Word.CQ_TAIL, tail + 1, true);
  }

  #perform({ opcode, slot, offset, address, length }: Taken): number {
    const { cut = (bytes: number) => bytes } = this.#behaviour;
    const disk = this.#disk(slot);
    if (opcode === Op.FSYNC) return 0;
    if (opcode === Op.FALLOCATE) {
      // The length is in `addr`, the mode in `len`.
      const punches = (length & FallocateMode.PUNCH_HOLE) !== 0;
      const zeroes = (length & FallocateMode.ZERO_RANGE) !== 0;
      if (punches === zeroes || (length & FallocateMode.KEEP_SIZE) === 0) return -Errno.EINVAL;
      disk.fill(0, offset, offset + address);
      return 0;
    }
    const moved = Math.min(cut(length), Math.max(0, disk.length - offset));
    const buffer = new Uint8Array(this.#memory(), address - GUEST_ADDRESS_BASE, moved);
    if (opcode === Op.READ_FIXED) buffer.set(disk.subarray(offset, offset + moved));
    else disk.set(buffer, offset);
    return moved;
  }
}
