/**
 * Submits one SQE as a guest would, by the ring's words in memory, and fetches its result. For
 * probing only: it takes the ring through its interface, so it works on every engine.
 */
import { Cqe, EnterFlag, Sqe } from "../abi";
import type { GuestMemory } from "../memory/guest-memory";
import type { RingEngine } from "../ring/engine";

/** What a request says; everything left out is 0. */
export interface Request {
  opcode: number;
  flags?: number;
  slot?: number;
  address?: bigint;
  length?: number;
  bufferIndex?: number;
  attributeAddress?: bigint;
  attributeTypes?: bigint;
}

const TIMEOUT_US = 1_000_000;

/** A ring that stays silent; no errno, because none came back. */
export const NO_ANSWER = Number.NEGATIVE_INFINITY;

export class Requester {
  readonly #engine: RingEngine;
  readonly #guest: GuestMemory;
  #sequence = 0;

  constructor(engine: RingEngine, guest: GuestMemory) {
    this.#engine = engine;
    this.#guest = guest;
  }

  /** The CQE's result, or NO_ANSWER when none came within a second. */
  submit(request: Request): number {
    const { layout } = this.#engine;
    const { words, view } = this.#guest;
    const userData = ++this.#sequence;
    this.#write(request, userData);
    this.#engine.enter(1, 1, EnterFlag.GETEVENTS, TIMEOUT_US);
    let result = NO_ANSWER;
    // Acquire load: pairs with the consumer's release store of the CQ tail.
    const tail = Atomics.load(words, layout.cqTail >>> 2);
    let head = Atomics.load(words, layout.cqHead >>> 2);
    for (; head !== tail; head = (head + 1) | 0) {
      const cqe = layout.cqes + (head & (layout.cqEntries - 1)) * Cqe.SIZE;
      if (view.getUint32(cqe + Cqe.USER_DATA, true) === userData) {
        result = view.getInt32(cqe + Cqe.RES, true);
      }
    }
    Atomics.store(words, layout.cqHead >>> 2, head);
    return result;
  }

  #write(request: Request, userData: number): void {
    const { layout } = this.#engine;
    const { words, view, bytes } = this.#guest;
    const tail = Atomics.load(words, layout.sqTail >>> 2);
    const index = tail & (layout.sqEntries - 1);
    const sqe = layout.sqes + index * Sqe.SIZE;
    bytes.fill(0, sqe, sqe + Sqe.SIZE);
    view.setUint8(sqe + Sqe.OPCODE, request.opcode);
    view.setUint8(sqe + Sqe.FLAGS, request.flags ?? 0);
    view.setInt32(sqe + Sqe.FD, request.slot ?? 0, true);
    view.setBigUint64(sqe + Sqe.ADDR, request.address ?? 0n, true);
    view.setUint32(sqe + Sqe.LEN, request.length ?? 0, true);
    view.setUint32(sqe + Sqe.USER_DATA, userData, true);
    view.setUint16(sqe + Sqe.BUF_INDEX, request.bufferIndex ?? 0, true);
    view.setBigUint64(sqe + Sqe.ATTR_PTR, request.attributeAddress ?? 0n, true);
    view.setBigUint64(sqe + Sqe.ATTR_TYPE_MASK, request.attributeTypes ?? 0n, true);
    if (layout.sqArray !== 0) view.setUint32(layout.sqArray + index * 4, index, true);
    // Sequentially consistent store: pairs with the consumer's acquire load of the SQ tail.
    Atomics.store(words, layout.sqTail >>> 2, (tail + 1) | 0);
  }
}
