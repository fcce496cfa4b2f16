/**
 * The kernel's side of a ring that lies in guest memory, for the engines where the host plays the
 * kernel. Like the kernel it trusts nothing there but the two indices that the guest owns (SQ tail,
 * CQ head), each loaded once and clamped: masks, entries and its own two indices are private, what
 * the header shows of them is for the guest to read. SQEs are copied once into host memory before
 * anything looks at them. Nothing allocates after construction, but for the views that are re-made
 * when the guest grew its memory.
 *
 *   0     4     8     12    16    20    24    28    32    36    40    44    64
 *   |sq   |sq   |cq   |cq   |sq   |cq   |sq   |cq   |drop-|sq   |cq   |over-|...| CQEs
 *   |head |tail |head |tail |mask |mask |entr |entr |ped  |flags|flags|flow |
 */
import { Cqe, type RingMode, SqFlag } from "../abi";
import type { GuestMemory } from "../memory/guest-memory";
import type { CheckedRequest, RingLayout } from "./engine";
import { RING_HEADER_BYTES } from "./layout";
import { SQE_WORDS } from "./sqe-word";

/** Byte offsets in the header: where Linux 6.18 has them, so that a guest sees no difference. */
const enum Header {
  SQ_HEAD = 0,
  SQ_TAIL = 4,
  CQ_HEAD = 8,
  CQ_TAIL = 12,
  SQ_MASK = 16,
  CQ_MASK = 20,
  SQ_ENTRIES = 24,
  CQ_ENTRIES = 28,
  SQ_DROPPED = 32,
  SQ_FLAGS = 36,
  CQ_FLAGS = 40,
  CQ_OVERFLOW = 44,
}

function placeRing(request: CheckedRequest, mode: RingMode): RingLayout {
  const at = request.ringOffset;
  return {
    mode,
    sqHead: at + Header.SQ_HEAD,
    sqTail: at + Header.SQ_TAIL,
    sqFlags: at + Header.SQ_FLAGS,
    sqDropped: at + Header.SQ_DROPPED,
    sqArray: 0, // as with IORING_SETUP_NO_SQARRAY: an SQE's index is its position
    sqes: request.sqesOffset,
    cqHead: at + Header.CQ_HEAD,
    cqTail: at + Header.CQ_TAIL,
    cqOverflow: at + Header.CQ_OVERFLOW,
    cqFlags: at + Header.CQ_FLAGS,
    cqes: at + RING_HEADER_BYTES,
    sqEntries: request.sqEntries,
    cqEntries: request.cqEntries,
  };
}

export class GuestRing {
  readonly layout: RingLayout;
  /** CQEs posted since the start. */
  posted = 0;
  readonly #memory: GuestMemory;
  readonly #sqMask: number;
  readonly #cqMask: number;
  // Word indices into the guest's memory.
  readonly #sqHeadAt: number;
  readonly #sqTailAt: number;
  readonly #sqFlagsAt: number;
  readonly #sqesAt: number;
  readonly #cqHeadAt: number;
  readonly #cqTailAt: number;
  readonly #cqesAt: number;
  #words: Int32Array;
  #sqHead = 0;
  #cqTail = 0;
  #overflowShown = false;

  /**
   * Clears both regions and writes the header. The request must have been checked against the
   * memory.
   */
  constructor(memory: GuestMemory, request: CheckedRequest, mode: RingMode) {
    const layout = placeRing(request, mode);
    this.layout = layout;
    this.#memory = memory;
    this.#sqMask = request.sqEntries - 1;
    this.#cqMask = request.cqEntries - 1;
    this.#sqHeadAt = layout.sqHead >>> 2;
    this.#sqTailAt = layout.sqTail >>> 2;
    this.#sqFlagsAt = layout.sqFlags >>> 2;
    this.#sqesAt = layout.sqes >>> 2;
    this.#cqHeadAt = layout.cqHead >>> 2;
    this.#cqTailAt = layout.cqTail >>> 2;
    this.#cqesAt = layout.cqes >>> 2;
    memory.bytes.fill(0, request.ringOffset, request.ringOffset + request.ringLength);
    memory.bytes.fill(0, request.sqesOffset, request.sqesOffset + request.sqesLength);
    this.#words = memory.words;
    const header = request.ringOffset >>> 2;
    this.#words[header + Header.SQ_MASK / 4] = this.#sqMask;
    this.#words[header + Header.CQ_MASK / 4] = this.#cqMask;
    this.#words[header + Header.SQ_ENTRIES / 4] = request.sqEntries;
    this.#words[header + Header.CQ_ENTRIES / 4] = request.cqEntries;
  }

  /**
   * Re-makes the view when the guest grew a plain memory, which detaches it; that of a shared
   * memory stays good. To be called first in every enter.
   *
   * @returns whether it did, so that the caller can look whether the memory moved
   */
  refresh(): boolean {
    if (this.#words.length !== 0) return false;
    this.#words = this.#memory.words;
    return true;
  }

  /**
   * SQEs that the guest published and that were not taken, never more than the SQ holds
   * (io_sqring_entries).
   */
  pending(): number {
    // Acquire: pairs with the guest's store of the SQ tail after it wrote the SQEs.
    const tail = Atomics.load(this.#words, this.#sqTailAt);
    const count = (tail - this.#sqHead) >>> 0;
    return Math.min(count, this.#sqMask + 1);
  }

  /** Copies the next SQE, once, to `target` from word `at` on. The caller has asked `pending`. */
  take(target: Int32Array, at: number): void {
    const source = this.#sqesAt + (this.#sqHead & this.#sqMask) * SQE_WORDS;
    const words = this.#words;
    for (let word = 0; word < SQE_WORDS; word++) target[at + word] = words[source + word] ?? 0;
    this.#sqHead = (this.#sqHead + 1) | 0;
  }

  /**
   * Gives the last `count` taken SQEs back: they will be copied and judged again. Before
   * `publishHead`.
   */
  giveBack(count: number): void {
    this.#sqHead = (this.#sqHead - count) | 0;
  }

  /** Tells the guest which SQEs it may reuse. */
  publishHead(): void {
    // Release: pairs with the guest's load of the SQ head before it overwrites an SQE.
    Atomics.store(this.#words, this.#sqHeadAt, this.#sqHead);
  }

  /**
   * CQEs in the guest's queue, by the head that it shows: a lie ends or prolongs only the liar's
   * waits.
   */
  available(): number {
    return (this.#cqTail - Atomics.load(this.#words, this.#cqHeadAt)) >>> 0;
  }

  /** Whether another CQE fits. A head from the future counts as a full queue, as in the kernel. */
  hasSpace(): boolean {
    return this.available() <= this.#cqMask;
  }

  /** Posts a CQE. @returns false when the queue is full; the caller keeps the CQE then */
  post(userDataLow: number, userDataHigh: number, result: number, flags: number): boolean {
    // The load of the CQ head in it pairs with the guest's store after it read the CQE that lay
    // here.
    if (!this.hasSpace()) return false;
    const words = this.#words;
    const at = this.#cqesAt + (this.#cqTail & this.#cqMask) * (Cqe.SIZE / 4);
    words[at] = userDataLow;
    words[at + 1] = userDataHigh;
    words[at + 2] = result;
    words[at + 3] = flags;
    this.#cqTail = (this.#cqTail + 1) | 0;
    this.posted++;
    // Release: pairs with the guest's load of the CQ tail before it reads the CQE.
    Atomics.store(words, this.#cqTailAt, this.#cqTail);
    return true;
  }

  /** Shows or hides IORING_SQ_CQ_OVERFLOW: CQEs wait in the host for room in the queue. */
  showOverflow(waiting: boolean): void {
    if (waiting === this.#overflowShown) return;
    this.#overflowShown = waiting;
    // Pairs with the guest's load of the SQ flags when it found its queue empty or full.
    if (waiting) Atomics.or(this.#words, this.#sqFlagsAt, SqFlag.CQ_OVERFLOW);
    else Atomics.and(this.#words, this.#sqFlagsAt, ~SqFlag.CQ_OVERFLOW);
  }
}
