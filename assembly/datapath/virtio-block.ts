/**
 * A disk behind a virtqueue: the driver of virtio-blk (virtio 1.2 section 5.2), whoever serves it. Where everything
 * lies is in virtio-window.ts; a request changes a few words of its tag's chain and adds it to the queue.
 */
import {
  Errno,
  VIRTIO_BLK_SECTOR_BYTES,
  VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP,
  VirtioBlkRange,
  VirtioBlkStatus,
  VirtioBlkType,
  VirtioInterrupt,
  VirtioRegister,
  VringDesc,
  VringDescFlag,
} from "../abi";
import { Spin } from "../spin";
import { virtioWait, virtioWrite } from "../virtio-host";
import { monotonicNs } from "../wasi/process";
import { VirtioBlockSetup } from "./virtio-setup";
import { CHAIN, QUEUE, Slot } from "./virtio-window";

export class VirtioBlockDevice extends VirtioBlockSetup {
  /** The device answered what no device may: nothing it says is believed any more. */
  private isBroken: bool = false;
  private callCount: u32 = 0;
  private spin: Spin = new Spin();

  @inline read(tag: u32, offset: u64, buffer: usize, lengthBytes: u32): i32 {
    const write = <u32>VringDescFlag.WRITE | VringDescFlag.NEXT;
    return this.transfer(VirtioBlkType.IN, write, tag, offset, buffer, lengthBytes);
  }

  @inline write(tag: u32, offset: u64, buffer: usize, lengthBytes: u32): i32 {
    if (this.isReadOnly) return -(<i32>Errno.EROFS);
    return this.transfer(VirtioBlkType.OUT, VringDescFlag.NEXT, tag, offset, buffer, lengthBytes);
  }

  @inline private transfer(
    type: u32,
    flags: u32,
    tag: u32,
    offset: u64,
    buffer: usize,
    lengthBytes: u32,
  ): i32 {
    const refused = this.checkTransfer(tag, offset, buffer, lengthBytes);
    if (refused != 0) return refused;
    const slot = this.window.slotOf(tag);
    if (slot.isInFlight != 0) return -(<i32>Errno.EBUSY);
    slot.whole = <i32>lengthBytes;
    slot.sector = offset / VIRTIO_BLK_SECTOR_BYTES;
    this.start(tag, slot, type, flags, buffer, lengthBytes);
    return 0;
  }

  /** Fills what changes of a chain with data, and adds it to the queue. */
  @inline private start(
    tag: u32,
    slot: Slot,
    type: u32,
    flags: u32,
    data: usize,
    dataBytes: u32,
  ): void {
    const chain = this.window.chainOf(tag);
    const first: u32 = this.window.firstOf(tag);
    store<u16>(chain, <u16>(first + 1), VringDesc.NEXT);
    const middle = chain + VringDesc.SIZE;
    store<u64>(middle, <u64>data, VringDesc.ADDR);
    store<u32>(middle, dataBytes, VringDesc.LEN);
    store<u16>(middle, <u16>flags, VringDesc.FLAGS);
    slot.type = type;
    this.add(tag, slot, first);
  }

  @inline private add(tag: u32, slot: Slot, first: u32): void {
    // Neither OK nor an error that a device may answer.
    slot.status = 0xff;
    slot.isInFlight = 1;
    this.queue.add(this.window.isIndirect ? tag : first);
  }

  flush(tag: u32): i32 {
    const refused = this.checkFlush(tag);
    if (refused != 0) return refused;
    const slot = this.window.slotOf(tag);
    if (slot.isInFlight != 0) return -(<i32>Errno.EBUSY);
    const first: u32 = this.window.firstOf(tag);
    // Without data: from the header straight to the status.
    store<u16>(this.window.chainOf(tag), <u16>(first + 2), VringDesc.NEXT);
    slot.whole = 0;
    slot.sector = 0;
    slot.type = VirtioBlkType.FLUSH;
    this.add(tag, slot, first);
    return 0;
  }

  discard(tag: u32, offset: u64, lengthBytes: u64): i32 {
    const refused = this.checkRange(tag, offset, lengthBytes, this.canDiscard);
    if (refused != 0) return refused;
    return this.range(VirtioBlkType.DISCARD, tag, offset, lengthBytes, 0);
  }

  writeZeroes(tag: u32, offset: u64, lengthBytes: u64, unmap: bool): i32 {
    const refused = this.checkRange(tag, offset, lengthBytes, this.canWriteZeroes);
    if (refused != 0) return refused;
    const flags: u32 = unmap ? VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP : 0;
    return this.range(VirtioBlkType.WRITE_ZEROES, tag, offset, lengthBytes, flags);
  }

  private range(type: u32, tag: u32, offset: u64, lengthBytes: u64, flags: u32): i32 {
    const slot = this.window.slotOf(tag);
    if (slot.isInFlight != 0) return -(<i32>Errno.EBUSY);
    slot.whole = 0;
    slot.sector = 0;
    slot.type = type;
    slot.rangeFlags = flags;
    slot.rangeSector = offset / VIRTIO_BLK_SECTOR_BYTES;
    slot.rangeSectors = 0;
    slot.sectorsLeft = lengthBytes / VIRTIO_BLK_SECTOR_BYTES;
    this.startPiece(tag, slot);
    return 0;
  }

  /** The next piece of a range: no longer than the device takes at once. */
  private startPiece(tag: u32, slot: Slot): void {
    const isDiscard = slot.type == <u32>VirtioBlkType.DISCARD;
    const sectorsMax = isDiscard ? this.discardSectorsMax : this.zeroesSectorsMax;
    const sectors = <u32>min(slot.sectorsLeft, <u64>sectorsMax);
    slot.rangeSector += slot.rangeSectors;
    slot.rangeSectors = sectors;
    slot.sectorsLeft -= sectors;
    const data = changetype<usize>(slot) + offsetof<Slot>("rangeSector");
    this.start(tag, slot, slot.type, VringDescFlag.NEXT, data, VirtioBlkRange.SIZE);
  }

  submitAndWait(minComplete: u32, timeoutUs: i32 = -1): i32 {
    const queue = this.queue;
    const wanted = min(minComplete, this.inFlight);
    if (queue.publish()) {
      this.callCount++;
      const kicked = virtioWrite(this.handle, VirtioRegister.QUEUE_NOTIFY, QUEUE);
      if (kicked < 0) return kicked;
    }
    if (this.isBroken) return -(<i32>Errno.EIO);
    if (queue.ready() >= wanted && wanted != 0) return 0;
    if (wanted == 0) return this.collect();
    if (this.isSelfRunning && this.look(wanted)) return 0;
    return this.wait(wanted, timeoutUs);
  }

  /** Without a thread of its own the device works only inside a call: nobody waits, but it may work. */
  private collect(): i32 {
    if (this.isSelfRunning || this.inFlight == 0 || this.queue.ready() != 0) return 0;
    const result = this.wait(1, 0);
    return result == -(<i32>Errno.ETIME) ? 0 : result;
  }

  private look(wanted: u32): bool {
    if (this.pollUs == 0) return false;
    const queue = this.queue;
    const spin = this.spin;
    for (spin.begin(this.pollUs); spin.goesOn(); ) if (queue.ready() >= wanted) return true;
    return false;
  }

  private wait(wanted: u32, timeoutUs: i32): i32 {
    const queue = this.queue;
    const endNs = timeoutUs > 0 ? monotonicNs() + <u64>timeoutUs * 1000 : 0;
    let leftUs = timeoutUs;
    let result = 0;
    while (queue.requestInterrupt(wanted)) {
      this.callCount++;
      const interrupts = virtioWait(this.handle, leftUs);
      if (interrupts < 0) result = interrupts;
      else if ((interrupts & VirtioInterrupt.CONFIG) != 0 && this.transport.needsReset) {
        result = -(<i32>Errno.EIO);
      } else if (timeoutUs >= 0) {
        // An interrupt of what came before: the time goes on.
        const now = timeoutUs > 0 ? monotonicNs() : 0;
        if (now >= endNs) result = -(<i32>Errno.ETIME);
        else leftUs = <i32>((endNs - now + 999) / 1000);
      }
      if (result < 0) break;
    }
    queue.suppressInterrupt();
    return result < 0 && queue.ready() < wanted ? result : 0;
  }

  get calls(): u32 {
    return this.callCount;
  }

  get inFlight(): u32 {
    return this.queue.inFlight;
  }

  ready(): u32 {
    return this.queue.ready();
  }

  next(): bool {
    if (this.queue.ready() == 0) return false;
    const head = this.queue.take();
    const tag = this.window.isIndirect ? head : head / CHAIN;
    if (tag >= this.depth) return this.giveUp();
    const slot = this.window.slotOf(tag);
    if (slot.isInFlight == 0) return this.giveUp();
    slot.isInFlight = 0;
    const status = slot.status & 0xff;
    if (status != VirtioBlkStatus.OK) return this.settle(tag, this.errnoOf(slot, status));
    if (slot.sectorsLeft != 0) return this.resume(tag, slot);
    return this.settle(tag, slot.whole);
  }

  @inline private settle(tag: u32, result: i32): bool {
    this.tag = tag;
    this.result = result;
    return true;
  }

  /** The next piece of a range; waits until there is a completion again. */
  private resume(tag: u32, slot: Slot): bool {
    this.startPiece(tag, slot);
    if (this.queue.ready() == 0 && this.submitAndWait(1) < 0) return false;
    return this.next();
  }

  /** A used entry for a chain that is not in flight. */
  private giveUp(): bool {
    this.isBroken = true;
    return false;
  }

  /** What a failed request's result is. The rest of a range is not tried. */
  private errnoOf(slot: Slot, status: u32): i32 {
    slot.sectorsLeft = 0;
    return status == VirtioBlkStatus.UNSUPP ? -(<i32>Errno.EOPNOTSUPP) : -(<i32>Errno.EIO);
  }
}
