/**
 * A disk for guests: capacity, read, write, flush, discard, write zeroes; many requests in flight, reaped in any order,
 * each with its own result. Two implementations stand behind it, over this guest's own ring and over a virtqueue; which
 * one a name gets is the host's configuration, and the program is the same.
 *
 *   const disk = openBlockDevice("disk", 32, 4096);
 *   for (let tag: u32 = 0; tag < 32; tag++) disk.read(tag, offset, disk.buffer(tag), 4096);
 *   disk.submitAndWait(1);
 *   while (disk.next()) { disk.tag; disk.result; }
 *
 * A tag names a request from its preparation to its completion: 0 .. depth-1, each in flight once.
 */
export abstract class BlockDevice {
  capacityBytes: u64 = 0;
  /** What offsets, lengths and buffer addresses must be multiples of. */
  blockBytes: u32 = 512;
  isReadOnly: bool = false;
  canDiscard: bool = false;
  canWriteZeroes: bool = false;
  /** Requests that may be in flight. */
  depth: u32 = 0;
  /** The completion that `next` took. */
  tag: u32 = 0;
  /** Bytes moved by read and write, 0 for the others, or a negated errno. */
  result: i32 = 0;
  /** Calls out of the sandbox so far. */
  calls: u32 = 0;

  /** Buffer `index` of `depth` equal ones, page aligned, inside the window that the host can reach. */
  abstract buffer(index: u32): usize;
  /** Prepares a request. 0, or a negated errno: -EBUSY when the tag is in flight, -EINVAL, -ENOTSUP, -EROFS. */
  abstract read(tag: u32, offset: u64, buffer: usize, lengthBytes: u32): i32;
  abstract write(tag: u32, offset: u64, buffer: usize, lengthBytes: u32): i32;
  /** Completes when every write that completed before is on stable storage. */
  abstract flush(tag: u32): i32;
  abstract discard(tag: u32, offset: u64, lengthBytes: u64): i32;
  /** @param unmap whether the range may be deallocated */
  abstract writeZeroes(tag: u32, offset: u64, lengthBytes: u64, unmap: bool): i32;
  /** Hands over what is prepared and waits until `next` has `minComplete`. 0 or a negated errno (-ETIME). */
  abstract submitAndWait(minComplete: u32, timeoutUs?: i32): i32;
  /** Completions that `next` can take without a call. */
  abstract ready(): u32;
  /** Takes the next completion into `tag` and `result`; false when there is none. */
  abstract next(): bool;
}
