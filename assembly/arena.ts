/**
 * The arena: a window of this guest's memory that is registered with the ring as a fixed buffer; set-up makes the first
 * one. Buffers for I/O are cut from it once, at start; `guestAddress` turns a pointer into what an SQE's `addr` holds.
 */
import { GUEST_ADDRESS_BASE, Sqe } from "./abi";

export class Arena {
  private next: usize;

  constructor(
    /** First byte. */
    readonly start: usize,
    readonly lengthBytes: u32,
    /** What a request's `buf_index` says. */
    readonly index: u16 = 0,
  ) {
    this.next = start;
  }

  /** Bytes not yet handed out. */
  get freeBytes(): u32 {
    return <u32>(this.start + this.lengthBytes - this.next);
  }

  /** A buffer of `lengthBytes`, aligned for O_DIRECT by default; 0 when the arena is used up. */
  alloc(lengthBytes: u32, alignment: u32 = 4096): usize {
    const pointer = (this.next + alignment - 1) & ~(<usize>alignment - 1);
    if (pointer + lengthBytes > this.start + this.lengthBytes) return 0;
    this.next = pointer + lengthBytes;
    return pointer;
  }

  /** Makes the whole arena free again; buffers handed out before must no longer be in flight. */
  reset(): void {
    this.next = this.start;
  }
}

/** What `addr` of an SQE must hold for this pointer. */
// @ts-ignore: decorator
@inline
export function guestAddress(pointer: usize): u64 {
  return <u64>GUEST_ADDRESS_BASE + <u64>pointer;
}

/** Lets a prepared READ_FIXED or WRITE_FIXED have its buffer in an arena that `Ring.addArena` made. */
// @ts-ignore: decorator
@inline
export function useArena(sqe: usize, arena: Arena): void {
  store<u16>(sqe, arena.index, Sqe.BUF_INDEX);
}
