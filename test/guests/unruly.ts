/**
 * An `on_completion` that does what it should not: lies about its queue on every call, grows its memory, adds an arena,
 * never takes a completion, returns values of no meaning. "lie" goes on for ever, "once" ends after 100 calls.
 */
import { openGrant, prepReadFixed, programArguments, Ring } from "../../assembly";
import { uringArena } from "../../assembly/host";

class Liar extends Ring {
  lie(turn: u32): void {
    const tail = this.cqTailPointer;
    atomic.store<u32>(tail, atomic.load<u32>(tail) + turn);
    atomic.store<u32>(this.cqHeadPointer, turn * 0x9e3779b9);
    atomic.store<u32>(this.cqFlagsPointer, turn & 2);
    atomic.store<u32>(this.sqFlagsPointer, turn * 0x85ebca6b);
  }
}

let ring: Liar = changetype<Liar>(0);
let turn: u32 = 0;
let bound: u32 = 0;

export function _start(): void {
  ring = new Liar();
  if (ring.setup(4 * 4096) < 0) unreachable();
  bound = programArguments()[0] == "once" ? 100 : u32.MAX_VALUE;
  prepReadFixed(ring.getSqe(), openGrant("input").slot, ring.arena.alloc(64), 64, 0, 1);
  ring.submitAndWait(1);
}

export function on_completion(): i32 {
  ring.lie(++turn);
  if (turn % 16 == 0 && memory.size() < 64) memory.grow(1);
  if (turn < 20) uringArena((memory.size() << 16) - 65536, 65536, turn);
  return turn >= bound ? i32.MIN_VALUE : 0;
}
