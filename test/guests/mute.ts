/**
 * Reads "input" one block at a time with interrupts on (3), off (5) and on again (2), so that 5 signals come; then looks
 * whether a completion that came while they were off is noticed when they are turned on. That one is left for
 * `on_completion`, which has no result and ends the guest.
 */
import { cqeResult, exit, openGrant, prepReadFixed, print, Ring } from "../../assembly";

let ring: Ring = changetype<Ring>(0);

function submitRead(slot: i32, buffer: usize): void {
  prepReadFixed(ring.getSqe(), slot, buffer, 16, 0, 1);
  ring.submit();
}

function read(slot: i32, buffer: usize, times: u32): void {
  for (let turn: u32 = 0; turn < times; turn++) {
    submitRead(slot, buffer);
    const cqe = ring.waitCqe();
    if (cqe == 0 || cqeResult(cqe) != 16) exit(1);
    ring.advance(1);
  }
}

export function _start(): void {
  ring = Ring.create(16 * 4096);
  const slot = openGrant("input").slot;
  const buffer = ring.arena.alloc(16);
  read(slot, buffer, 3);
  ring.disableInterrupts();
  read(slot, buffer, 5);
  if (!ring.enableInterrupts()) exit(2);
  read(slot, buffer, 2);
  ring.disableInterrupts();
  submitRead(slot, buffer);
  while (ring.cqReady() == 0) ring.collect();
  if (ring.enableInterrupts()) exit(3);
}

export function on_completion(): void {
  if (ring.cqReady() != 1) exit(4);
  print("told");
  exit(0);
}
