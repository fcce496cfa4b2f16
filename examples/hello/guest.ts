/**
 * The smallest guest: reads the first bytes of the grant "input" by its own ring and prints them.
 */
import { cqeResult, openGrant, prepReadFixed, print, Ring, writeBytes } from "../../assembly";

export function _start(): void {
  const input = openGrant("input");
  const ring = Ring.create(4096);
  const buffer = ring.arena.alloc(4096);

  prepReadFixed(ring.getSqe(), input.slot, buffer, 64, 0, 1);
  ring.submitAndWait(1);
  const length = cqeResult(ring.waitCqe());
  ring.advance(1);

  print("hello from a wasm guest: the kernel put " + length.toString() + " bytes into my memory:");
  writeBytes(1, buffer, length);
}
