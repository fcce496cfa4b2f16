/**
 * A guest that is woken: `_start` leaves one read of the pipe "in" pending and returns; `on_completion` copies what
 * arrived to the pipe "out" and leaves the next read. The first byte of a message may end it: "q" by its result, "e" by
 * exit 7, "t" by a trap, "s" by not returning any more. Argument "no-ring": it makes none.
 */
import {
  cqeResult,
  cqeUserData,
  exit,
  openGrant,
  prepReadFixed,
  prepWriteFixed,
  programArguments,
  Ring,
} from "../../assembly";

@inline const READ: u64 = 1;
@inline const WRITE: u64 = 2;
@inline const BYTES: u32 = 4096;

let ring: Ring = changetype<Ring>(0);
let input: i32 = -1;
let output: i32 = -1;
let buffer: usize = 0;

function readNext(): void {
  prepReadFixed(ring.getSqe(), input, buffer, BYTES, u64.MAX_VALUE, READ);
  ring.submit();
}

export function _start(): void {
  const words = programArguments();
  if (words.length > 0 && words[0] == "no-ring") return;
  ring = Ring.create(16 * 4096);
  buffer = ring.arena.alloc(BYTES);
  input = openGrant("in").slot;
  output = openGrant("out").slot;
  readNext();
}

export function on_completion(): i32 {
  for (let cqe = ring.peekCqe(); cqe != 0; cqe = ring.peekCqe()) {
    const kind = cqeUserData(cqe);
    const result = cqeResult(cqe);
    ring.advance(1);
    if (kind == WRITE) {
      readNext();
      continue;
    }
    if (result <= 0) return 1;
    const first = load<u8>(buffer);
    if (first == 0x71) return 1;
    if (first == 0x65) exit(7);
    if (first == 0x74) unreachable();
    while (first == 0x73) memory.fill(buffer, 0x73, 1);
    prepWriteFixed(ring.getSqe(), output, buffer, result, u64.MAX_VALUE, WRITE);
    ring.submit();
  }
  return 0;
}
