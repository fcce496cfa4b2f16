/** Writes one byte to "target", under the personality that its argument names, if any; then forges ids. */
import {
  cqeResult,
  exit,
  findPersonality,
  openGrant,
  prepWriteFixed,
  print,
  programArguments,
  Ring,
  usePersonality,
} from "../../assembly";

let ring: Ring = changetype<Ring>(0);

function writeAs(slot: i32, buffer: usize, id: u16): i32 {
  const sqe = ring.getSqe();
  prepWriteFixed(sqe, slot, buffer, 1, 0, 1);
  usePersonality(sqe, id);
  if (ring.submitAndWait(1) < 0) exit(1);
  const result = cqeResult(ring.peekCqe());
  ring.advance(1);
  return result;
}

export function _start(): void {
  const words = programArguments();
  print("before: " + findPersonality("other").toString());
  ring = Ring.create(4 * 4096);
  const slot = openGrant("target").slot;
  const buffer = ring.arena.alloc(16);
  store<u8>(buffer, 0x2b);
  const unknown = findPersonality("nobody knows it");
  let id = words.length == 0 ? 0 : findPersonality(words[0]);
  print("unknown: " + unknown.toString() + ", found: " + (id >= 0 ? "yes" : id.toString()));
  if (id < 0) id = 0;
  print("written: " + writeAs(slot, buffer, <u16>id).toString());
  print("forged: " + writeAs(slot, buffer, <u16>(id + 1)).toString() + " " + writeAs(slot, buffer, 65535).toString());
}
