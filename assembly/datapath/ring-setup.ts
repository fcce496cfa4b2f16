/**
 * How a guest comes to a disk on its own ring: the grant, room in the arena, what the policy allows, and where this
 * disk's completions are found, in the CQ or in an inbox when several disks share the ring. The requests are in
 * ring-block.ts.
 */
import { Errno, GrantAccess, GrantKind, Limits, Op, RingMode } from "../abi";
import { BLOCK_BUFFER_ALIGNMENT, BlockDevice } from "../block";
import { Grant } from "../grant";
import { uringQuery } from "../host";
import { Ring } from "../ring";
import { alignUp } from "../ring-size";
import { RingShare, shareError, shareRing } from "./ring-share";

/** Byte offsets in what is known of a tag's request. */
export const enum Request {
  /** u64: where on the disk the next piece goes. */
  OFFSET = 0,
  BUFFER = 8,
  /** Bytes still to be moved: what the completion holds when all goes well. */
  LEFT = 12,
  /** The opcode in flight, 0 for a free tag: no request is a NOP. */
  OP = 16,
  /** Bytes that earlier pieces moved. */
  MOVED = 20,
  SIZE = 32,
}

export abstract class RingBlockSetup extends BlockDevice {
  // Made by `setup`. Not declared with "!", because then every access of the hot loop would be checked.
  ring: Ring = changetype<Ring>(0);
  protected share: RingShare = changetype<RingShare>(0);
  protected slot: i32 = 0;
  /** Upper half of user_data. */
  protected number: u64 = 0;
  protected requests: usize = 0;

  /** CQEs, of the ring or of the inbox; free-running indices of the next one to take and of the last one known. */
  protected completions: usize = 0;
  protected completionMask: u32 = 0;
  protected cursor: u32 = 0;
  protected limit: u32 = 0;
  /** What `cursor` will be when all that was begun is taken. */
  protected begun: u32 = 0;
  /** Whether other disks use the ring: then `completions` is an inbox. */
  protected hasInbox: bool = false;

  /**
   * Opens the disk behind a grant.
   *
   * @param ring the guest's ring if it made one; its arena must have room for the buffers
   * @returns 0 or a negated errno: -ENOTBLK not a disk, -ENOMEM no room in the arena or the queue, -EBUSY another ring
   */
  setup(grant: Grant, depth: u32, bufferBytes: u32, ring: Ring | null = null): i32 {
    const isDisk = grant.kind == GrantKind.FILE || grant.kind == GrantKind.BLOCK_DEVICE;
    if (!isDisk || !grant.canRead) return -(<i32>Errno.ENOTBLK);
    if (depth == 0 || bufferBytes == 0) return -(<i32>Errno.EINVAL);
    const stride = alignUp(bufferBytes, BLOCK_BUFFER_ALIGNMENT);
    const bytes = <u64>stride * depth;
    if (bytes > <u64>i32.MAX_VALUE) return -(<i32>Errno.ENOMEM);
    const share = shareRing(ring, depth, <u32>bytes);
    if (share === null) return shareError;
    depth = min(depth, share.depthLeft);
    if (depth == 0) return -(<i32>Errno.ENOMEM);
    this.buffers = share.ring.arena.alloc(<u32>stride * depth, BLOCK_BUFFER_ALIGNMENT);
    if (this.buffers == 0) return -(<i32>Errno.ENOMEM);
    this.strideBytes = stride;
    this.depth = depth;
    this.slot = grant.slot;
    this.attach(share);
    this.describe(grant);
    return 0;
  }

  private attach(share: RingShare): void {
    const ring = share.ring;
    this.share = share;
    this.ring = ring;
    this.windowStart = ring.arena.start;
    this.windowBytes = ring.arena.lengthBytes;
    this.isSelfRunning = (ring.mode & RingMode.SQPOLL) != 0;
    this.completions = ring.firstCqe;
    this.completionMask = ring.cqEntries - 1;
    this.cursor = ring.cqIndex;
    this.limit = this.cursor;
    this.begun = this.cursor;
    const requestsBytes = <usize>this.depth * <usize>Request.SIZE;
    this.requests = heap.alloc(requestsBytes);
    memory.fill(this.requests, 0, requestsBytes);
    this.number = <u64>share.join(this) << 32;
  }

  /** What the disk is and can do, by the grant and the policy. */
  private describe(grant: Grant): void {
    this.setGeometry(grant.sizeBytes, max(grant.alignmentBytes, 512));
    this.isReadOnly = (grant.access & GrantAccess.WRITE) == 0;
    const limits = heap.alloc(Limits.SIZE);
    const opcodes = uringQuery(limits) == 0 ? load<u64>(limits, Limits.OPCODES) : 0;
    heap.free(limits);
    // A ring whose completions are polled for on the device does nothing but transfers.
    const mayMore = !this.isReadOnly && (this.ring.mode & RingMode.IOPOLL) == 0;
    this.canFlush = mayMore && ((opcodes >> <u64>Op.FSYNC) & 1) != 0;
    this.canDiscard = mayMore && ((opcodes >> <u64>Op.FALLOCATE) & 1) != 0;
    this.canWriteZeroes = this.canDiscard;
  }

  /** From now on completions are sorted: this disk's come by `put`. */
  openInbox(): void {
    this.giveBack();
    let entries: u32 = 1;
    while (entries < this.depth) entries <<= 1;
    this.completions = heap.alloc(<usize>entries << 4);
    this.completionMask = entries - 1;
    this.begun = this.inFlight;
    this.cursor = 0;
    this.limit = 0;
    this.hasInbox = true;
  }

  /** A completion of this disk, which another one may have found. There is room for each tag. */
  put(cqe: usize): void {
    const entry = this.completions + (<usize>(this.limit++ & this.completionMask) << 4);
    store<u64>(entry, load<u64>(cqe));
    store<u64>(entry, load<u64>(cqe, 8), 8);
  }

  get calls(): u32 {
    return this.ring.enterCalls;
  }

  get inFlight(): u32 {
    return this.begun - this.cursor;
  }

  @inline get inboxCount(): u32 {
    return this.limit - this.cursor;
  }

  /** Gives the CQEs that were taken back to the kernel: once for many. */
  @inline protected giveBack(): void {
    if (this.hasInbox) return;
    const taken = this.cursor - this.ring.cqIndex;
    if (taken != 0) this.ring.advance(taken);
  }
}
