/**
 * The device's side of a split virtqueue (virtio 1.2 section 2.7) in the device mapping of a window: takes what the
 * driver made available, gives it back as used, and decides who wakes whom, by event index or by flags. The indices
 * that count are kept here; of guest memory only avail.idx, the avail ring and the driver's wishes are read. Nothing is
 * allocated after construction.
 */
import {
  VIRTQUEUE_SIZE_MAX,
  VirtioFeature,
  VRING_AVAIL_ALIGN,
  VRING_AVAIL_F_NO_INTERRUPT,
  VRING_DESC_ALIGN,
  VRING_USED_ALIGN,
  VRING_USED_F_NO_NOTIFY,
  VringAvail,
  VringDesc,
  VringUsed,
  VringUsedElement,
} from "../abi";
import { assert } from "../errors";
import { DescriptorChain, type DeviceWindow } from "./descriptor-chain";
import { QueueFault } from "./queue-fault";
import type { QueueSetup } from "./service";

/** Indices are free-running modulo 2^16. */
const INDEX_MASK = 0xffff;

export function hasFeature(features: bigint, bit: number): boolean {
  return ((features >> BigInt(bit)) & 1n) === 1n;
}

/** Bytes of the three areas, event fields included. */
export function queueAreaBytes(size: number): { desc: number; avail: number; used: number } {
  return {
    desc: VringDesc.SIZE * size,
    avail: VringAvail.RING + VringAvail.ELEMENT_SIZE * size + 2,
    used: VringUsed.RING + VringUsed.ELEMENT_SIZE * size + 2,
  };
}

/** Whether a queue's areas are aligned and lie inside a window, so that a `DeviceQueue` may be made of it. */
export function queueFits(queue: QueueSetup, windowOffset: number, windowLength: number): boolean {
  const { size } = queue;
  if (
    !Number.isInteger(size) ||
    size < 1 ||
    size > VIRTQUEUE_SIZE_MAX ||
    (size & (size - 1)) !== 0
  ) {
    return false;
  }
  const bytes = queueAreaBytes(size);
  const inside = (offset: number, length: number, align: number) =>
    offset % align === 0 &&
    offset >= windowOffset &&
    offset + length <= windowOffset + windowLength;
  return (
    inside(queue.descOffset, bytes.desc, VRING_DESC_ALIGN) &&
    inside(queue.availOffset, bytes.avail, VRING_AVAIL_ALIGN) &&
    inside(queue.usedOffset, bytes.used, VRING_USED_ALIGN)
  );
}

export class DeviceQueue {
  /** The chain that `next` took. */
  readonly chain: DescriptorChain;
  readonly size: number;
  /** Once it is not NONE, `next` gives nothing more. */
  fault = QueueFault.NONE;

  readonly #halves: Uint16Array;
  readonly #words: Uint32Array;
  readonly #eventIndex: boolean;
  // Indices into #halves, and #usedRingAt into #words.
  readonly #availFlagsAt: number;
  readonly #availIndexAt: number;
  readonly #availRingAt: number;
  readonly #usedEventAt: number;
  readonly #usedFlagsAt: number;
  readonly #usedIndexAt: number;
  readonly #usedRingAt: number;
  readonly #availEventAt: number;

  /** The next avail entry to take, and where the driver's index was when last looked at. */
  #availIndex: number;
  #availSeen: number;
  /** The next used element to write, and what the driver knows of. */
  #usedIndex: number;
  #usedPublished: number;
  /** used.idx when an interrupt was last thought about; before the first time there is always one. */
  #usedSignalled: number;
  #signalledValid = false;

  constructor(window: DeviceWindow, queue: QueueSetup) {
    const { size, features } = queue;
    assert(queueFits(queue, window.offset, window.buffer.byteLength), "a queue outside its window");
    const desc = queue.descOffset - window.offset;
    const avail = queue.availOffset - window.offset;
    const used = queue.usedOffset - window.offset;
    this.size = size;
    this.#halves = new Uint16Array(window.buffer, 0, window.buffer.byteLength >>> 1);
    this.#words = new Uint32Array(window.buffer, 0, window.buffer.byteLength >>> 2);
    this.#eventIndex = hasFeature(features, VirtioFeature.EVENT_IDX);
    const indirect = hasFeature(features, VirtioFeature.INDIRECT_DESC);
    this.chain = new DescriptorChain(window, desc, size, indirect);
    this.#availFlagsAt = (avail + VringAvail.FLAGS) / 2;
    this.#availIndexAt = (avail + VringAvail.IDX) / 2;
    this.#availRingAt = (avail + VringAvail.RING) / 2;
    this.#usedEventAt = this.#availRingAt + size;
    this.#usedFlagsAt = (used + VringUsed.FLAGS) / 2;
    this.#usedIndexAt = (used + VringUsed.IDX) / 2;
    this.#usedRingAt = (used + VringUsed.RING) / 4;
    this.#availEventAt = (used + VringUsed.RING + VringUsed.ELEMENT_SIZE * size) / 2;
    // Everything taken before a stop was completed, so both indices resume at the same place.
    this.#availIndex = queue.availIndex & INDEX_MASK;
    this.#availSeen = this.#availIndex;
    this.#usedIndex = this.#availIndex;
    this.#usedPublished = this.#availIndex;
    this.#usedSignalled = this.#availIndex;
  }

  /** Free-running index of the next avail entry to take. */
  get availIndex(): number {
    return this.#availIndex;
  }

  /** Chains taken and not pushed back. */
  get inFlight(): number {
    return (this.#availIndex - this.#usedIndex) & INDEX_MASK;
  }

  /** Chains that can be taken. Looks at guest memory only when all that was seen is taken. */
  pending(): number {
    if (this.fault !== QueueFault.NONE) return 0;
    if (this.#availSeen === this.#availIndex) {
      // Pairs with the driver's store of avail.idx (assembly/virtq.ts): its ring entries and descriptors are visible.
      this.#availSeen = Atomics.load(this.#halves, this.#availIndexAt);
    }
    const count = (this.#availSeen - this.#availIndex) & INDEX_MASK;
    if (count <= this.size) return count;
    this.fault = QueueFault.AVAIL_INDEX;
    return 0;
  }

  /** Takes the next chain into `chain`. Its head, or -1 when there is none or the driver broke the queue. */
  next(): number {
    if (this.pending() === 0) return -1;
    if (this.inFlight >= this.size) {
      this.fault = QueueFault.TOO_MANY_IN_FLIGHT;
      return -1;
    }
    const head = this.#halves[this.#availRingAt + (this.#availIndex & (this.size - 1))] ?? 0;
    if (!this.chain.load(head)) {
      this.fault = this.chain.fault;
      return -1;
    }
    this.#availIndex = (this.#availIndex + 1) & INDEX_MASK;
    return head;
  }

  /** Gives a chain back. The driver sees it after `publish`. */
  push(head: number, writtenBytes: number): void {
    const at = this.#usedRingAt + (this.#usedIndex & (this.size - 1)) * 2;
    this.#words[at + VringUsedElement.ID / 4] = head;
    this.#words[at + VringUsedElement.LEN / 4] = writtenBytes;
    this.#usedIndex = (this.#usedIndex + 1) & INDEX_MASK;
  }

  /** Chains pushed and not yet published. */
  get unpublished(): number {
    return (this.#usedIndex - this.#usedPublished) & INDEX_MASK;
  }

  /** Shows the driver everything pushed. Whether it wants an interrupt for it. */
  publish(): boolean {
    if (this.#usedPublished === this.#usedIndex) return false;
    this.#usedPublished = this.#usedIndex;
    // Pairs with the driver's load of used.idx: it sees the elements and the data. This store and the load below are
    // sequentially consistent, as are the driver's store of used_event (or flags) and its look at used.idx after it, so
    // that either the driver sees the index or this side sees the wish.
    Atomics.store(this.#halves, this.#usedIndexAt, this.#usedIndex);
    if (!this.#eventIndex) {
      const flags = Atomics.load(this.#halves, this.#availFlagsAt);
      return (flags & VRING_AVAIL_F_NO_INTERRUPT) === 0;
    }
    const event = Atomics.load(this.#halves, this.#usedEventAt);
    const wanted = !this.#signalledValid || needEvent(event, this.#usedIndex, this.#usedSignalled);
    this.#signalledValid = true;
    this.#usedSignalled = this.#usedIndex;
    return wanted;
  }

  /** The driver need not kick: this side looks at the queue on its own. */
  suppressKicks(): void {
    // With the event index, nothing: the driver kicks when it passes avail_event, and that is behind it now.
    if (this.#eventIndex) return;
    Atomics.store(this.#halves, this.#usedFlagsAt, VRING_USED_F_NO_NOTIFY);
  }

  /**
   * The driver is to kick for the next chain that it makes available.
   *
   * @returns true when there is one already, for which no kick may come: look again instead of sleeping
   */
  wantKicks(): boolean {
    if (this.fault !== QueueFault.NONE) return false;
    // Pairs with the driver's load of avail_event (or flags) after its store of avail.idx: either it sees the wish or
    // this side sees the index.
    if (this.#eventIndex) Atomics.store(this.#halves, this.#availEventAt, this.#availIndex);
    else Atomics.store(this.#halves, this.#usedFlagsAt, 0);
    return this.pending() > 0;
  }
}

/** vring_need_event: whether an index that went from `old` to `now` passed the one that the other side waits for. */
export function needEvent(event: number, now: number, old: number): boolean {
  return ((now - event - 1) & INDEX_MASK) < ((now - old) & INDEX_MASK);
}
