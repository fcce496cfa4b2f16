/**
 * What a guest sees of grants that come and go, by its first argument; the second is the grant's name.
 * "find": asks for the name until it is there and reads from it. "lose": leaves a read pending on it, says so on the pipe
 * "ready", waits for what comes of it, and tries again. "race": reads from it without end until the slot is empty; any answer that is neither
 * data, nor cancelled, nor EBADF is told.
 */
import {
  addSqeFlags,
  cqeResult,
  Errno,
  exit,
  findGrant,
  Grant,
  openGrant,
  prepReadFixed,
  prepWriteFixed,
  print,
  programArguments,
  Ring,
  SqeFlag,
} from "../../assembly";

let ring: Ring = changetype<Ring>(0);
let buffer: usize = 0;

function read(slot: i32): void {
  prepReadFixed(ring.getSqe(), slot, buffer, 5, u64.MAX_VALUE, 1);
}

function finish(): i32 {
  const cqe = ring.waitCqe();
  if (cqe == 0) exit(1);
  const result = cqeResult(cqe);
  ring.advance(1);
  return result;
}

function find(name: string): void {
  let grant: Grant | null = null;
  while (grant === null) grant = findGrant(name);
  read(grant!.slot);
  const length = finish();
  print("slot " + grant!.slot.toString() + ": " + (length < 0 ? length.toString() : String.UTF8.decodeUnsafe(buffer, length)));
}

function lose(name: string): void {
  const slot = openGrant(name).slot;
  read(slot);
  const sqe = ring.getSqe();
  prepWriteFixed(sqe, openGrant("ready").slot, buffer, 1, u64.MAX_VALUE, 2);
  addSqeFlags(sqe, <u8>SqeFlag.CQE_SKIP_SUCCESS);
  ring.submit();
  const first = finish();
  read(slot);
  print("first " + first.toString() + ", then " + finish().toString() + ", name " + (findGrant(name) === null ? "gone" : "there"));
}

function race(name: string): void {
  const slot = openGrant(name).slot;
  let result = 0;
  let reads: u32 = 0;
  while (result != -(<i32>Errno.EBADF)) {
    for (let index = 0; index < 8; index++) read(slot);
    ring.submit();
    for (let index = 0; index < 8; index++) {
      result = finish();
      reads++;
      const expected = result >= 0 || result == -(<i32>Errno.EBADF) || result == -(<i32>Errno.ECANCELED);
      if (!expected) print("unexpected " + result.toString());
    }
  }
  print(reads > 0 ? "raced" : "nothing");
}

export function _start(): void {
  const words = programArguments();
  ring = Ring.create(4 * 4096);
  buffer = ring.arena.alloc(64);
  if (words[0] == "find") find(words[1]);
  if (words[0] == "lose") lose(words[1]);
  if (words[0] == "race") race(words[1]);
}
