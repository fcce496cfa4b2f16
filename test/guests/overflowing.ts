/**
 * A guest with more reads of the pipe "in" pending than its CQ holds. `on_completion` takes what it finds by looking
 * alone, without a call, and ends when it has taken all of them.
 */
import { openGrant, prepReadFixed, Ring } from "../../assembly";

const READS: u32 = 24;

let ring: Ring = changetype<Ring>(0);
let taken: u32 = 0;

export function _start(): void {
  ring = Ring.create(16 * 4096, 4);
  const buffer = ring.arena.alloc(4096);
  const input = openGrant("in").slot;
  for (let read: u32 = 0; read < READS; read++) {
    let sqe = ring.getSqe();
    // Under SQPOLL the kernel's thread takes them in its own time.
    while (sqe == 0) sqe = ring.getSqe();
    prepReadFixed(sqe, input, buffer, 1, u64.MAX_VALUE, read);
    ring.submit();
  }
}

export function on_completion(): i32 {
  for (let cqe = ring.peekCqe(); cqe != 0; cqe = ring.peekCqe()) {
    ring.advance(1);
    taken++;
  }
  return taken == READS ? 1 : 0;
}
