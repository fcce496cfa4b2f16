/**
 * Ends as its first argument says: "exit N", "trap", "abort", "overflow" (of the stack), "return", or not at all:
 * "spin", "spin-with-ring", "wait" (for a completion that never comes), "wait-sliced". Prints "ready" first.
 */
import { exit, openGrant, prepReadFixed, print, programArguments, Ring } from "../../assembly";

@inline const FOREVER: i32 = -1;

function startRing(): Ring {
  const ring = Ring.create(16 * 4096);
  return ring;
}

function leaveReadPending(ring: Ring): void {
  const input = openGrant("input");
  const buffer = ring.arena.alloc(4096);
  prepReadFixed(ring.getSqe(), input.slot, buffer, 4096, u64.MAX_VALUE, 1);
  ring.submit();
}

function spin(): void {
  let turns: u32 = 0;
  while (load<u32>(0) != 0xdeadbeef) store<u32>(0, ++turns & 0xff);
}

function recurse(depth: i32): i32 {
  return depth == i32.MAX_VALUE ? 0 : recurse(depth + 1) + recurse(depth + 2);
}

export function _start(): void {
  const words = programArguments();
  const word = words[0];
  if (word == "exit") exit(I32.parseInt(words[1]));
  if (word == "trap") unreachable();
  if (word == "abort") abort("on purpose");
  if (word == "overflow") exit(recurse(0) == 12345 ? 1 : 2);
  if (word == "spin") {
    print("ready");
    spin();
  }
  if (word == "spin-with-ring") {
    const ring = startRing();
    leaveReadPending(ring);
    print("ready");
    spin();
  }
  if (word == "wait") {
    const ring = startRing();
    leaveReadPending(ring);
    print("ready");
    ring.submitAndWait(1, FOREVER);
  }
  if (word == "wait-sliced") {
    const ring = startRing();
    leaveReadPending(ring);
    print("ready");
    for (;;) ring.submitAndWait(1, 1000);
  }
}
