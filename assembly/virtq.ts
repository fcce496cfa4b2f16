/**
 * The driver's side of a split virtqueue (virtio 1.2 section 2.7): this guest produces avail entries and consumes used
 * entries, the device the other way round. All memory order is in the atomics below, each of which names its partner
 * in the device. Indices run freely modulo 2^16. Nothing allocates.
 *
 *   avail:  ... publishedIndex ... availIndex   (added, not yet published)
 *   used:   usedIndex (ours) ... idx (the device's)
 *
 * There is no free list: a driver gives each of its tags descriptors of its own for ever. A request then changes a few
 * words of a chain that stands already, and a free tag has free descriptors.
 */
import {
  VRING_AVAIL_F_NO_INTERRUPT,
  VRING_DESC_ALIGN,
  VRING_USED_ALIGN,
  VRING_USED_F_NO_NOTIFY,
  VringAvail,
  VringDesc,
  VringUsed,
  VringUsedElement,
} from "./abi";
import { alignUp } from "./ring-size";

/** Fills one descriptor, of the queue's table or of an indirect one. */
export function writeDescriptor(
  descriptor: usize,
  address: usize,
  lengthBytes: u32,
  flags: u32,
  next: u32,
): void {
  store<u64>(descriptor, <u64>address, VringDesc.ADDR);
  store<u32>(descriptor, lengthBytes, VringDesc.LEN);
  store<u32>(descriptor, flags | (next << 16), VringDesc.FLAGS);
}

export class Virtqueue {
  /** Linear-memory offsets of the three areas: what the device is told. */
  readonly descriptors: usize;
  readonly avail: usize;
  readonly used: usize;

  private readonly mask: u32;
  private readonly usedEventPointer: usize;
  private readonly availEventPointer: usize;
  private availIndex: u32 = 0;
  private publishedIndex: u32 = 0;
  private usedIndex: u32 = 0;

  /**
   * @param start zeroed memory of `bytesOf(size)`, 16-byte aligned
   * @param size a power of two, 1 to 1024
   */
  constructor(
    start: usize,
    readonly size: u32,
    /** VIRTIO_RING_F_EVENT_IDX was negotiated. */
    private readonly hasEventIndex: bool,
  ) {
    this.mask = size - 1;
    this.descriptors = start;
    this.avail = start + <usize>size * <usize>VringDesc.SIZE;
    this.usedEventPointer =
      this.avail + <usize>VringAvail.RING + <usize>size * <usize>VringAvail.ELEMENT_SIZE;
    this.used = alignUp(this.usedEventPointer + 2, VRING_USED_ALIGN);
    this.availEventPointer =
      this.used + <usize>VringUsed.RING + <usize>size * <usize>VringUsed.ELEMENT_SIZE;
    this.suppressInterrupt();
    // Far behind: no completion reaches it before the index has run round.
    if (hasEventIndex) atomic.store<u16>(this.usedEventPointer, 0xffff);
  }

  /** Bytes of the three areas and the two event words. */
  static bytesOf(size: u32): usize {
    const avail = <usize>VringAvail.RING + <usize>size * <usize>VringAvail.ELEMENT_SIZE + 2;
    const used = <usize>VringUsed.RING + <usize>size * <usize>VringUsed.ELEMENT_SIZE + 2;
    const before = alignUp(<usize>size * <usize>VringDesc.SIZE + avail, VRING_USED_ALIGN);
    return alignUp(before + used, VRING_DESC_ALIGN);
  }

  /** Adds the chain that begins at descriptor `head`; the device sees it at `publish`. */
  @inline add(head: u32): void {
    const entry = this.avail + (<usize>(this.availIndex & this.mask) << 1);
    store<u16>(entry, <u16>head, VringAvail.RING);
    this.availIndex++;
  }

  /** Lets the device see what was added; whether it wants to be told by a kick. */
  @inline publish(): bool {
    const before = this.publishedIndex;
    const after = this.availIndex;
    if (before == after) return false;
    this.publishedIndex = after;
    // Release: pairs with the device's acquire load of avail.idx: the entries and their descriptors are whole. It is
    // sequentially consistent, so that the load below cannot pass it: the device sets avail_event (or clears
    // NO_NOTIFY), then looks at avail.idx once more before it sleeps. Either it sees our index or we see its wish.
    atomic.store<u16>(this.avail, <u16>after, VringAvail.IDX);
    if (this.hasEventIndex) {
      // vring_need_event(): did the index pass avail_event?
      const event = <u32>atomic.load<u16>(this.availEventPointer);
      return ((after - event - 1) & 0xffff) < ((after - before) & 0xffff);
    }
    return (<u32>atomic.load<u16>(this.used, VringUsed.FLAGS) & VRING_USED_F_NO_NOTIFY) == 0;
  }

  /** Chains that the device gave back and `take` can take. */
  @inline ready(): u32 {
    // Acquire: pairs with the device's release store of used.idx: the used entries and the data are whole.
    return (<u32>atomic.load<u16>(this.used, VringUsed.IDX) - this.usedIndex) & 0xffff;
  }

  /** Chains added and not taken back. */
  @inline get inFlight(): u32 {
    return (this.availIndex - this.usedIndex) & 0xffff;
  }

  /** The head of the oldest chain that was given back; only when `ready()` is not 0. */
  @inline take(): u32 {
    const entry = this.used + (<usize>(this.usedIndex++ & this.mask) << 3);
    return load<u32>(entry, VringUsed.RING + VringUsedElement.ID);
  }

  /**
   * Asks the device for an interrupt as soon as `count` chains are there, one and not `count` of them when the event
   * index was negotiated. False when they are there already and none will come.
   */
  requestInterrupt(count: u32): bool {
    // Sequentially consistent, as in `publish`: the device stores used.idx, then loads used_event (or the flags).
    // Either it sees our wish or we see its index below.
    if (this.hasEventIndex) {
      atomic.store<u16>(this.usedEventPointer, <u16>(this.usedIndex + count - 1));
    } else {
      atomic.store<u16>(this.avail, 0, VringAvail.FLAGS);
    }
    return this.ready() < count;
  }

  /** No interrupts while this guest looks for itself. An event index that was passed is silent by itself. */
  @inline suppressInterrupt(): void {
    if (this.hasEventIndex) return;
    atomic.store<u16>(this.avail, VRING_AVAIL_F_NO_INTERRUPT, VringAvail.FLAGS);
  }
}
