/**
 * A disk over this guest's own ring: the passthrough path. Reads and writes are READ_FIXED and WRITE_FIXED on the granted
 * file, a flush is fdatasync, discard and write zeroes are fallocate, where the policy allows it.
 *
 * A transfer that the kernel cuts short is continued until it is whole, so that a guest sees what it sees of every disk.
 */
import { Cqe, Errno, FallocateMode, Fsync, Op } from "../abi";
import { prepFallocate, prepFsync, prepReadFixed, prepWriteFixed } from "../prep";
import { Spin } from "../spin";
import { Request, RingBlockSetup } from "./ring-setup";

export class RingBlockDevice extends RingBlockSetup {
  private spin: Spin = new Spin();

  @inline private requestOf(tag: u32): usize {
    return this.requests + <usize>tag * <usize>Request.SIZE;
  }

  @inline read(tag: u32, offset: u64, buffer: usize, lengthBytes: u32): i32 {
    const refused = this.begin(Op.READ_FIXED, tag, offset, buffer, lengthBytes);
    if (refused != 0) return refused;
    const sqe = this.sqe();
    prepReadFixed(sqe, this.slot, buffer, lengthBytes, offset, this.number | <u64>tag);
    return 0;
  }

  @inline write(tag: u32, offset: u64, buffer: usize, lengthBytes: u32): i32 {
    if (this.isReadOnly) return -(<i32>Errno.EROFS);
    const refused = this.begin(Op.WRITE_FIXED, tag, offset, buffer, lengthBytes);
    if (refused != 0) return refused;
    const sqe = this.sqe();
    prepWriteFixed(sqe, this.slot, buffer, lengthBytes, offset, this.number | <u64>tag);
    return 0;
  }

  /** Checks a transfer and notes what is needed to continue it. */
  @inline private begin(op: u32, tag: u32, offset: u64, buffer: usize, lengthBytes: u32): i32 {
    const refused = this.checkTransfer(tag, offset, buffer, lengthBytes);
    if (refused != 0) return refused;
    const request = this.requestOf(tag);
    if (load<u32>(request, Request.OP) != 0) return -(<i32>Errno.EBUSY);
    store<u64>(request, offset, Request.OFFSET);
    store<u64>(request, <u64>buffer | (<u64>lengthBytes << 32), Request.BUFFER); // and LEFT
    store<u64>(request, <u64>op, Request.OP); // and MOVED, 0
    this.begun++;
    return 0;
  }

  /**
   * A free SQE. The SQ has room for all that is in flight, but a poll thread may post a completion before it gives the
   * SQE back, and requests that were not handed over hold theirs.
   */
  @inline private sqe(): usize {
    const ring = this.ring;
    let sqe = ring.getSqe();
    while (sqe == 0) {
      ring.submit();
      sqe = ring.getSqe();
    }
    return sqe;
  }

  flush(tag: u32): i32 {
    const refused = this.checkFlush(tag);
    if (refused != 0) return refused;
    if (!this.occupy(tag, Op.FSYNC)) return -(<i32>Errno.EBUSY);
    prepFsync(this.sqe(), this.slot, Fsync.DATASYNC, this.number | <u64>tag);
    return 0;
  }

  discard(tag: u32, offset: u64, lengthBytes: u64): i32 {
    const refused = this.checkRange(tag, offset, lengthBytes, this.canDiscard);
    if (refused != 0) return refused;
    return this.allocate(tag, FallocateMode.PUNCH_HOLE, offset, lengthBytes);
  }

  writeZeroes(tag: u32, offset: u64, lengthBytes: u64, unmap: bool): i32 {
    const refused = this.checkRange(tag, offset, lengthBytes, this.canWriteZeroes);
    if (refused != 0) return refused;
    const mode = unmap ? FallocateMode.PUNCH_HOLE : FallocateMode.ZERO_RANGE;
    return this.allocate(tag, mode, offset, lengthBytes);
  }

  private allocate(tag: u32, mode: u32, offset: u64, lengthBytes: u64): i32 {
    if (!this.occupy(tag, Op.FALLOCATE)) return -(<i32>Errno.EBUSY);
    const keepSize = mode | FallocateMode.KEEP_SIZE;
    prepFallocate(this.sqe(), this.slot, keepSize, offset, lengthBytes, this.number | <u64>tag);
    return 0;
  }

  /** Takes a tag for a request that moves nothing; false when it is in flight. */
  private occupy(tag: u32, op: u32): bool {
    const request = this.requestOf(tag);
    if (load<u32>(request, Request.OP) != 0) return false;
    store<u32>(request, 0, Request.LEFT);
    store<u64>(request, <u64>op, Request.OP); // and MOVED, 0
    this.begun++;
    return true;
  }

  submitAndWait(minComplete: u32, timeoutUs: i32 = -1): i32 {
    const ring = this.ring;
    const wanted = min(minComplete, this.inFlight);
    if (this.hasInbox) return this.waitForInbox(wanted, timeoutUs);
    this.giveBack();
    let result = 0;
    if (!this.isSelfRunning || !this.look(wanted)) result = ring.submitAndWait(wanted, timeoutUs);
    // Enter may take less than all, and a wait that ran out after it took some says so by their number.
    const isDone = ring.unsubmitted == 0 && ring.cqReady() >= wanted;
    if (!isDone) return this.insist(result, wanted, timeoutUs);
    if (wanted == 0) this.collect();
    return 0;
  }

  private waitForInbox(wanted: u32, timeoutUs: i32): i32 {
    const result = this.share.waitFor(this, wanted, timeoutUs);
    if (wanted == 0) this.collect();
    return result;
  }

  /** What is complete is posted only inside enter, unless a poll thread does it: nobody waits, but somebody looks. */
  private collect(): void {
    const isVain = this.isSelfRunning || this.inFlight == 0;
    if (!isVain && this.ready() == 0) this.ring.collect();
  }

  /** Under SQPOLL: wakes the thread if need be and looks for completions for a while. True when a wait is not needed. */
  private look(wanted: u32): bool {
    const ring = this.ring;
    if (ring.submit() < 0) return false;
    if (this.pollUs != 0) {
      const spin = this.spin;
      for (spin.begin(this.pollUs); spin.goesOn(); ) if (ring.cqReady() >= wanted) return true;
    }
    return ring.cqReady() >= wanted;
  }

  /** What is left to do when a call was not enough. */
  private insist(result: i32, wanted: u32, timeoutUs: i32): i32 {
    const ring = this.ring;
    while (result >= 0) {
      if (ring.unsubmitted == 0) {
        if (ring.cqReady() >= wanted) return 0;
        if (timeoutUs >= 0) return -(<i32>Errno.ETIME);
      } else if (result == 0) {
        // The kernel takes none and does not say why: more of the same would be an endless loop.
        return -(<i32>Errno.EAGAIN);
      }
      result = ring.submitAndWait(wanted, timeoutUs);
    }
    return ring.unsubmitted == 0 && ring.cqReady() >= wanted ? 0 : result;
  }

  @inline ready(): u32 {
    if (this.hasInbox) this.share.distribute();
    else this.limit = this.ring.cqIndex + this.ring.cqReady();
    return this.limit - this.cursor;
  }

  @inline next(): bool {
    do {
      if (this.cursor == this.limit && !this.refill()) return false;
      const cqe = this.completions + (<usize>(this.cursor++ & this.completionMask) << 4);
      const tag = load<u32>(cqe, Cqe.USER_DATA);
      const result = load<i32>(cqe, Cqe.RES);
      const request = this.requestOf(tag);
      if (result == load<i32>(request, Request.LEFT) || result < 0) {
        const moved = load<i32>(request, Request.MOVED);
        return this.deliver(tag, request, result < 0 ? result : result + moved);
      }
      if (!this.resume(tag, request, result)) {
        return this.deliver(tag, request, -(<i32>Errno.EIO));
      }
    } while (true);
  }

  private refill(): bool {
    this.giveBack();
    return this.ready() != 0;
  }

  @inline private deliver(tag: u32, request: usize, result: i32): bool {
    this.tag = tag;
    this.result = result;
    store<u32>(request, 0, Request.OP);
    return true;
  }

  /**
   * Asks for the rest of a transfer that was cut short, and waits until there is a completion again. False when there is
   * no rest to be had: the file was truncated meanwhile.
   */
  private resume(tag: u32, request: usize, result: i32): bool {
    const left = load<i32>(request, Request.LEFT) - result;
    if (result == 0 || left < 0) return false;
    const offset = load<u64>(request, Request.OFFSET) + result;
    const buffer = <usize>load<u32>(request, Request.BUFFER) + result;
    store<u64>(request, offset, Request.OFFSET);
    store<u64>(request, <u64>buffer | (<u64>left << 32), Request.BUFFER); // and LEFT
    store<i32>(request, load<i32>(request, Request.MOVED) + result, Request.MOVED);
    this.begun++;
    const userData = this.number | <u64>tag;
    const isRead = load<u32>(request, Request.OP) == <u32>Op.READ_FIXED;
    if (isRead) prepReadFixed(this.sqe(), this.slot, buffer, left, offset, userData);
    else prepWriteFixed(this.sqe(), this.slot, buffer, left, offset, userData);
    if (this.ready() == 0) this.submitAndWait(1);
    return true;
  }
}
