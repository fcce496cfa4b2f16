/**
 * A whole file in order, at queue depth N: up to N blocks are being read while the guest works on
 * the one before them. The kernel may complete them in any order; `next` hands them out in the
 * file's. Nothing allocates after construction.
 *
 *   const reader = new SequentialReader(ring, input, 16, 65536);
 *   while (reader.next()) work(reader.block, reader.length);
 *
 * After the last one, that block stays readable: nothing is left to be read over it.
 */
import { Errno } from "./abi";
import { Grant } from "./grant";
import { prepReadFixed } from "./prep";
import { cqeResult, cqeUserData, Ring } from "./ring";

/**
 * How long to look for a completion before waiting for it by a call, when a kernel thread does the
 * reading.
 */
const SPINS = 20_000;

/** What is known of a block in flight. */
// @ts-ignore: decorator
@unmanaged
class Block {
  offset: u64;
  /** Bytes of the file that belong to it. */
  wanted: u32;
  /** Bytes that have arrived. */
  arrived: u32;
}

export class SequentialReader {
  /** First byte of the current block. */
  block: usize = 0;
  /** Bytes of the current block. */
  length: u32 = 0;
  /** A negated errno when reading failed, else 0. */
  error: i32 = 0;
  readonly depth: u32;

  private readonly buffers: usize;
  private readonly strideBytes: u32;
  private readonly blocks: usize;
  private sizeBytes: u64;
  /** Where the next block to ask for begins. */
  private nextOffset: u64 = 0;
  /** Slot of the block that was handed out last; -1 at first. */
  private current: i32 = -1;
  private prepared: u32 = 0;

  /**
   * @param depth blocks in flight, at most the SQ's entries
   * @param blockBytes a multiple of the grant's alignment
   * @param headroomBytes kept free in front of each block: room for what a guest carries over
   *   from the one before
   */
  constructor(
    private readonly ring: Ring,
    private readonly grant: Grant,
    depth: u32,
    private readonly blockBytes: u32,
    private readonly headroomBytes: u32 = 0,
  ) {
    this.depth = min(depth, ring.sqEntries);
    this.strideBytes = SequentialReader.strideBytes(blockBytes, headroomBytes);
    this.buffers = ring.arena.alloc(this.depth * this.strideBytes);
    if (this.buffers == 0) abort("the arena is too small for " + this.depth.toString() + " blocks");
    this.blocks = heap.alloc(this.depth * offsetof<Block>());
    this.sizeBytes = grant.sizeBytes;
    for (let slot: u32 = 0; slot < this.depth; slot++) this.request(slot);
  }

  /** Bytes of the arena that one block takes. */
  static strideBytes(blockBytes: u32, headroomBytes: u32): u32 {
    return blockBytes + ((headroomBytes + 4095) & ~4095);
  }

  /**
   * Gives the current block back and goes to the next; false at the end of the file, or when
   * reading failed.
   */
  next(): bool {
    if (this.current >= 0) this.request(this.current);
    this.current = this.current + 1 == this.depth ? 0 : this.current + 1;
    const block = this.at(this.current);
    while (block.arrived < block.wanted) {
      if (this.error != 0 || !this.reap()) return false;
    }
    this.block = this.bufferOf(this.current);
    this.length = block.wanted;
    return this.length != 0;
  }

  @inline private at(slot: u32): Block {
    return changetype<Block>(this.blocks + slot * offsetof<Block>());
  }

  @inline private bufferOf(slot: u32): usize {
    return this.buffers + (<usize>slot + 1) * this.strideBytes - this.blockBytes;
  }

  /** Asks for the file's next block, to be read into this slot. */
  private request(slot: u32): void {
    const block = this.at(slot);
    const left = this.sizeBytes - min(this.nextOffset, this.sizeBytes);
    block.offset = this.nextOffset;
    block.wanted = <u32>min(left, <u64>this.blockBytes);
    block.arrived = 0;
    this.nextOffset += block.wanted;
    if (block.wanted != 0) this.read(slot);
  }

  /**
   * Prepares the read of what a slot still lacks. One call of enter hands over many: at the latest
   * half of them.
   */
  private read(slot: u32): void {
    const block = this.at(slot);
    let sqe = this.ring.getSqe();
    while (sqe == 0) {
      // The kernel posts completions of a batch before it gives the batch's SQEs back.
      const submitted = this.ring.submit();
      if (submitted < 0) {
        this.fail(submitted);
        return;
      }
      sqe = this.ring.getSqe();
    }
    // O_DIRECT reads whole units, and so beyond the end of the file.
    const unit = this.grant.alignmentBytes;
    const length = ((block.wanted - block.arrived + unit - 1) / unit) * unit;
    const buffer = this.bufferOf(slot) + block.arrived;
    prepReadFixed(sqe, this.grant.slot, buffer, length, block.offset + block.arrived, slot);
    if (!this.ring.isPolled && ++this.prepared * 2 < this.depth) return;
    this.prepared = 0;
    this.ring.submit();
  }

  /** Takes one completion, waiting for it; false when reading failed. */
  private reap(): bool {
    let cqe = this.ring.peekCqe();
    if (cqe == 0 && this.ring.isPolled) {
      for (let spin = 0; spin < SPINS && cqe == 0; spin++) cqe = this.ring.peekCqe();
    }
    if (cqe == 0) {
      this.prepared = 0;
      cqe = this.ring.waitCqe();
      if (cqe == 0) return this.fail(-(<i32>Errno.EIO));
    }
    const slot = <u32>cqeUserData(cqe);
    const result = cqeResult(cqe);
    this.ring.advance(1);
    const block = this.at(slot);
    if (result > 0) block.arrived += result;
    // The file ended earlier than its size said: it was truncated meanwhile.
    else if (result == 0) this.endAt(block.offset + block.arrived);
    else if (result != -(<i32>Errno.EAGAIN) && result != -(<i32>Errno.EINTR))
      return this.fail(result);
    if (block.arrived < block.wanted) this.read(slot);
    return true;
  }

  /** Cuts every block off at the new end. */
  private endAt(sizeBytes: u64): void {
    this.sizeBytes = min(this.sizeBytes, sizeBytes);
    for (let slot: u32 = 0; slot < this.depth; slot++) {
      const block = this.at(slot);
      const left = this.sizeBytes - min(block.offset, this.sizeBytes);
      block.wanted = <u32>min(<u64>block.wanted, left);
    }
  }

  private fail(error: i32): bool {
    this.error = error;
    return false;
  }
}
