// asc: --runtime stub
/** Reads the grant "input" by READ_FIXED, the whole of it in pieces, and prints its length and its bytes' sum. */
import { cqeResult, exit, openGrant, prepReadFixed, print, Ring } from "../../assembly";

const PIECE: u32 = 4096;

export function _start(): void {
  const input = openGrant("input");
  const ring = Ring.create(4 * PIECE);
  const buffer = ring.arena.alloc(PIECE);
  let offset: u64 = 0;
  let sum: u64 = 0;
  for (;;) {
    prepReadFixed(ring.getSqe(), input.slot, buffer, PIECE, offset, offset);
    ring.submitAndWait(1);
    const length = cqeResult(ring.waitCqe());
    ring.advance(1);
    if (length < 0) exit(3);
    if (length == 0) break;
    for (let index = 0; index < length; index++) sum += load<u8>(buffer + index);
    offset += length;
    // Growth must not disturb the ring; and garbage for the runtimes that collect.
    if (offset % (8 * PIECE) == 0) memory.grow(1);
    const garbage = new Array<string>(8);
    garbage[0] = offset.toString();
  }
  print(offset.toString() + " " + sum.toString());
}
