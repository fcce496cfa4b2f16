/**
 * How many bytes a ring needs: the same arithmetic as the kernel's rings_size() and the host's `ringBytes`, needed here
 * because the guest allocates the pages.
 */
import { Cqe, Sqe } from "./abi";

const RING_HEADER_BYTES: u32 = 64;
const CACHE_LINE_BYTES: u32 = 64;

/** Rounds up to a power-of-two alignment. */
// @ts-ignore: decorator
@inline
export function alignUp(value: usize, alignment: usize): usize {
  return (value + alignment - 1) & ~(alignment - 1);
}

/** Bytes of header, CQEs and SQ array. */
export function ringBytes(sqEntries: u32, cqEntries: u32): u32 {
  const cqes = <u32>alignUp(RING_HEADER_BYTES + cqEntries * <u32>Cqe.SIZE, CACHE_LINE_BYTES);
  return cqes + sqEntries * 4;
}

export function sqesBytes(sqEntries: u32): u32 {
  return sqEntries * <u32>Sqe.SIZE;
}
