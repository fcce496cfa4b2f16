/** Adds arenas to its ring, in memory that grew, and reads the same bytes through each; prints what is refused. */
import { Arena, cqeResult, exit, openGrant, prepReadFixed, prepWriteFixed, print, Ring, useArena } from "../../assembly";
import { uringArena } from "../../assembly/host";

let ring: Ring = changetype<Ring>(0);

function finish(): i32 {
  if (ring.submitAndWait(1) < 0) exit(1);
  const result = cqeResult(ring.peekCqe());
  ring.advance(1);
  return result;
}

function readInto(slot: i32, arena: Arena, pointer: usize, index: u16): i32 {
  const sqe = ring.getSqe();
  prepReadFixed(sqe, slot, pointer, 64, 0, 1);
  useArena(sqe, new Arena(0, 0, index));
  return finish();
}

export function _start(): void {
  print("before: " + uringArena(65536, 65536, 1).toString());
  ring = Ring.create(4 * 4096);
  const slot = openGrant("data").slot;
  const pagesBefore = memory.size();
  const second = ring.addArena(1 << 20, 1);
  const third = ring.addArena(4096, 15);
  if (second === null || third === null) exit(2);
  if (memory.size() <= pagesBefore) exit(3);
  const first = ring.arena;
  const buffers = [first.alloc(64), second!.alloc(64), third!.alloc(64)];
  print("own: " + readInto(slot, first, buffers[0], 0).toString()
    + " " + readInto(slot, second!, buffers[1], 1).toString()
    + " " + readInto(slot, third!, buffers[2], 15).toString());
  if (memory.compare(buffers[0], buffers[1], 64) != 0 || memory.compare(buffers[0], buffers[2], 64) != 0) exit(4);
  print("other's: " + readInto(slot, first, buffers[0], 1).toString()
    + " " + readInto(slot, second!, buffers[1], 0).toString()
    + " " + readInto(slot, second!, buffers[1], 15).toString()
    + " " + readInto(slot, second!, buffers[1], 2).toString()
    + " " + readInto(slot, second!, buffers[1], 16).toString()
    + " " + readInto(slot, second!, buffers[1], 65535).toString());
  const end = second!.start + second!.lengthBytes;
  print("edge: " + readInto(slot, second!, end - 64, 1).toString() + " " + readInto(slot, second!, end - 63, 1).toString());
  const free = alignUp64k(heap.alloc(3 << 16));
  print("refused: " + uringArena(free, 65536, 0).toString()
    + " " + uringArena(free, 65536, 1).toString()
    + " " + uringArena(free, 65536, 16).toString()
    + " " + uringArena(free, 65536, u32.MAX_VALUE).toString()
    + " " + uringArena(free + 1, 65536, 2).toString()
    + " " + uringArena(free, 0, 2).toString()
    + " " + uringArena(0, 65536, 2).toString()
    + " " + uringArena(free, u32.MAX_VALUE - 65535, 2).toString()
    + " " + uringArena(second!.start, 65536, 2).toString()
    + " " + uringArena(first.start - 4096, 4096, 2).toString());
  const sqe = ring.getSqe();
  store<u8>(buffers[1], 0x21);
  prepWriteFixed(sqe, slot, buffers[1], 1, 0, 1);
  useArena(sqe, second!);
  print("written: " + finish().toString());
}

function alignUp64k(pointer: usize): usize {
  return (pointer + 65535) & ~<usize>65535;
}
