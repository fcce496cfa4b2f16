/**
 * A disk for guests: capacity, read, write, flush, discard, write zeroes; many requests in flight, reaped in any order,
 * each with its own result. Two implementations stand behind it, over this guest's own ring and over a virtqueue; which
 * one a name gets is the host's configuration, and the program is the same.
 *
 *   const disk = openBlockDevice("disk", 32, 4096);
 *   for (let tag: u32 = 0; tag < disk.depth; tag++) disk.read(tag, offset, disk.buffer(tag), 4096);
 *   disk.submitAndWait(1);
 *   while (disk.next()) { disk.tag; disk.result; }
 *
 * A tag names a request from its preparation to its completion: 0 .. depth-1, each in flight once.
 *
 * A loop that must not pay for virtual calls is written for the concrete class: `class Loop<T extends BlockDevice>`,
 * as examples/load does.
 */
import { Errno } from "./abi";

/** What each buffer begins at a multiple of: enough for O_DIRECT on any disk. */
export const BLOCK_BUFFER_ALIGNMENT: u32 = 4096;

export abstract class BlockDevice {
  capacityBytes: u64 = 0;
  /** What offsets, lengths and buffer addresses must be multiples of: a power of two, at least 512. */
  blockBytes: u32 = 512;
  isReadOnly: bool = false;
  canFlush: bool = false;
  canDiscard: bool = false;
  canWriteZeroes: bool = false;
  /** Requests that may be in flight: what was asked for, or less when the queue has no room for it. */
  depth: u32 = 0;
  /** The completion that `next` took. */
  tag: u32 = 0;
  /** The length for read and write (never less), 0 for the others, or a negated errno. */
  result: i32 = 0;
  /**
   * How long `submitAndWait` looks for completions before it waits by a call, µs. Only where somebody else works
   * meanwhile (`isSelfRunning`): otherwise looking would be in vain, and the call comes at once.
   */
  pollUs: u32 = 50;
  /** Whether requests make progress without a call: a kernel thread or a thread of the host serves the queue. */
  isSelfRunning: bool = false;

  /** The window that requests' buffers must lie in. */
  protected windowStart: usize = 0;
  protected windowBytes: usize = 0;
  protected buffers: usize = 0;
  protected strideBytes: usize = 0;
  /** blockBytes - 1. */
  protected blockMask: u32 = 511;

  /** Prepares a request. 0, or a negated errno: -EBUSY the tag is in flight, -EINVAL, -EFAULT, -EROFS. */
  abstract read(tag: u32, offset: u64, buffer: usize, lengthBytes: u32): i32;
  abstract write(tag: u32, offset: u64, buffer: usize, lengthBytes: u32): i32;
  /** Completes when every write that completed before is on stable storage. -EOPNOTSUPP unless `canFlush`. */
  abstract flush(tag: u32): i32;
  /** What the range holds afterwards is not defined. -EOPNOTSUPP unless `canDiscard`. */
  abstract discard(tag: u32, offset: u64, lengthBytes: u64): i32;
  /**
   * -EOPNOTSUPP unless `canWriteZeroes`.
   *
   * @param unmap whether the range may be deallocated
   */
  abstract writeZeroes(tag: u32, offset: u64, lengthBytes: u64, unmap: bool): i32;
  /**
   * Hands over what is prepared and waits until `next` has `minComplete` completions, or all that is in flight when
   * that is less. 0 or a negated errno: -ETIME when the time ran out, -EIO when the device is broken.
   *
   * @param timeoutUs -1 waits without end
   */
  abstract submitAndWait(minComplete: u32, timeoutUs: i32 = -1): i32;
  /** Requests prepared and not yet taken by `next`. */
  abstract get inFlight(): u32;
  /** Calls out of the sandbox so far; of disks that share a ring, of them all. */
  abstract get calls(): u32;
  /** Completions that `next` can take without a call. */
  abstract ready(): u32;
  /**
   * Takes the next completion into `tag` and `result`; false when there is none. It makes no call, but for a request
   * that the device does in pieces: then it waits for the next piece.
   */
  abstract next(): bool;

  /** Buffer `index` of `depth` equal ones, inside the window and aligned to 4096 bytes. */
  @inline buffer(index: u32): usize {
    return this.buffers + <usize>index * this.strideBytes;
  }

  /** Whether a transfer is one that the disk could do: 0 or a negated errno. */
  @inline protected checkTransfer(tag: u32, offset: u64, buffer: usize, lengthBytes: u32): i32 {
    const misaligned = (<u32>offset | <u32>buffer | lengthBytes) & this.blockMask;
    if (tag >= this.depth || misaligned != 0 || <i32>lengthBytes <= 0) return -(<i32>Errno.EINVAL);
    if (offset > this.capacityBytes || <u64>lengthBytes > this.capacityBytes - offset) {
      return -(<i32>Errno.EINVAL);
    }
    // A buffer before the window wraps round to far behind it.
    const end = <u64>(buffer - this.windowStart) + <u64>lengthBytes;
    return end > <u64>this.windowBytes ? -(<i32>Errno.EFAULT) : 0;
  }

  /** As `checkTransfer`, for what moves no data. */
  protected checkRange(tag: u32, offset: u64, lengthBytes: u64, isSupported: bool): i32 {
    if (this.isReadOnly) return -(<i32>Errno.EROFS);
    if (!isSupported) return -(<i32>Errno.EOPNOTSUPP);
    const misaligned = (<u32>offset | <u32>lengthBytes) & this.blockMask;
    if (tag >= this.depth || misaligned != 0 || lengthBytes == 0) return -(<i32>Errno.EINVAL);
    const isInside =
      offset <= this.capacityBytes && lengthBytes <= this.capacityBytes - offset;
    return isInside ? 0 : -(<i32>Errno.EINVAL);
  }

  /** As `checkTransfer`, for a flush. */
  protected checkFlush(tag: u32): i32 {
    if (this.isReadOnly) return -(<i32>Errno.EROFS);
    if (!this.canFlush) return -(<i32>Errno.EOPNOTSUPP);
    return tag < this.depth ? 0 : -(<i32>Errno.EINVAL);
  }

  /** Takes the size of a block, which a disk's capacity is a multiple of. */
  protected setGeometry(capacityBytes: u64, blockBytes: u32): void {
    this.blockBytes = blockBytes;
    this.blockMask = blockBytes - 1;
    this.capacityBytes = capacityBytes - (capacityBytes & <u64>this.blockMask);
  }
}
