/** Polls for 20 ms and waits 20 ms more on a pipe that never brings anything; prints how long that took and its calls. */
import { exit, monotonicNs, openGrant, prepReadFixed, print, Ring } from "../../assembly";

export function _start(): void {
  const ring = Ring.create(16 * 4096);
  prepReadFixed(ring.getSqe(), openGrant("input").slot, ring.arena.alloc(16), 16, u64.MAX_VALUE, 1);
  ring.pollUs = 20000;
  const began = monotonicNs();
  if (ring.waitCqe(20000) != 0) exit(1);
  const tookMs = (monotonicNs() - began) / 1000000;
  print(tookMs.toString() + " ms, " + ring.enterCalls.toString() + " calls");
}
