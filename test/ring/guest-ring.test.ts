/**
 * The kernel's side of a ring in guest memory, by itself: layout, clamping, what a scribbling guest
 * can do (nothing to others), overflow, wrap-around.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Cqe, RingMode, Sqe, SqFlag } from "../../host/abi";
import { GuestMemory } from "../../host/memory/guest-memory";
import { GuestRing } from "../../host/ring/guest-ring";
import { SQE_WORDS, SqeWord } from "../../host/ring/sqe-word";

const PAGE = 4096;
const REQUEST = {
  sqEntries: 4,
  cqEntries: 8,
  ringOffset: PAGE,
  ringLength: PAGE,
  sqesOffset: 2 * PAGE,
  sqesLength: PAGE,
  arenaOffset: 3 * PAGE,
  arenaLength: PAGE,
};

function make(shared = false): { ring: GuestRing; memory: WebAssembly.Memory; words: Int32Array } {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 4, shared });
  new Uint8Array(memory.buffer).fill(0xa5);
  const ring = new GuestRing(new GuestMemory(memory), REQUEST, RingMode.EMULATED);
  return { ring, memory, words: new Int32Array(memory.buffer) };
}

const test = suite("ring/guest-ring");

test("the layout is the kernel's, and both regions are cleared", () => {
  const { ring, memory, words } = make();
  const offsets = [ring.layout.sqHead, ring.layout.sqTail, ring.layout.cqHead, ring.layout.cqTail];
  assert.equal(offsets, [PAGE, PAGE + 4, PAGE + 8, PAGE + 12]);
  const { sqFlags, cqFlags, sqDropped, cqOverflow, cqes } = ring.layout;
  const others = [sqDropped, sqFlags, cqFlags, cqOverflow, cqes];
  assert.equal(others, [PAGE + 32, PAGE + 36, PAGE + 40, PAGE + 44, PAGE + 64]);
  assert.is(ring.layout.sqArray, 0);
  assert.is(ring.layout.sqes, 2 * PAGE);
  const header = Array.from(words.subarray(PAGE / 4, PAGE / 4 + 12));
  assert.equal(header, [0, 0, 0, 0, 3, 7, 4, 8, 0, 0, 0, 0]);
  const bytes = new Uint8Array(memory.buffer);
  assert.ok(bytes.subarray(PAGE + 64, 3 * PAGE).every((byte) => byte === 0));
  assert.is(bytes[PAGE - 1], 0xa5);
  assert.is(bytes[3 * PAGE], 0xa5, "the arena is the guest's");
});

test("what is pending is never more than the queue holds", () => {
  const { ring, words } = make();
  const tail = ring.layout.sqTail >>> 2;
  for (const [value, pending] of [
    [0, 0],
    [3, 3],
    [4, 4],
    [5, 4],
    [-1, 4],
    [0x7fff_ffff, 4],
    [-0x8000_0000, 4],
  ] as const) {
    Atomics.store(words, tail, value);
    assert.is(ring.pending(), pending, `tail ${value}`);
  }
});

test("an SQE is copied word by word, whatever the header says of masks", () => {
  const { ring, words } = make();
  for (let index = 0; index < REQUEST.sqEntries; index++) {
    const at = (ring.layout.sqes + index * Sqe.SIZE) >>> 2;
    for (let word = 0; word < SQE_WORDS; word++) words[at + word] = index * 100 + word;
  }
  for (const field of [16, 20, 24, 28]) words[(ring.layout.sqHead + field) >>> 2] = 0x7fff_ffff;
  words[ring.layout.sqHead >>> 2] = 77;
  const copy = new Int32Array(3 * SQE_WORDS);
  for (let round = 0; round < 6; round++) {
    ring.take(copy, SQE_WORDS);
    const expected = (round % 4) * 100;
    assert.is(copy[SQE_WORDS], expected);
    assert.is(copy[SQE_WORDS + SqeWord.PAD2_HIGH], expected + 15);
  }
  assert.is(copy[SQE_WORDS - 1], 0);
  assert.is(copy[2 * SQE_WORDS], 0);
  ring.giveBack(1);
  ring.publishHead();
  assert.is(Atomics.load(words, ring.layout.sqHead >>> 2), 5);
});

test("CQEs keep all 64 bits of user_data, and a full queue refuses", () => {
  const { ring, memory, words } = make();
  for (let index = 0; index < REQUEST.cqEntries; index++) {
    assert.ok(ring.post(-1, index - 0x8000_0000, -5, 2));
  }
  assert.not(ring.post(1, 1, 1, 1));
  assert.is(ring.available(), 8);
  assert.is(ring.posted, 8);
  const view = new DataView(memory.buffer);
  const last = ring.layout.cqes + 7 * Cqe.SIZE;
  assert.is(view.getBigUint64(last, true), 0x80000007_ffffffffn);
  assert.is(view.getInt32(last + Cqe.RES, true), -5);
  assert.is(view.getUint32(last + Cqe.FLAGS, true), 2);
  Atomics.store(words, ring.layout.cqHead >>> 2, 1);
  assert.ok(ring.post(9, 0, 1, 0));
  assert.is(view.getBigUint64(ring.layout.cqes, true), 9n, "wraps around");
});

test("a head from the future is a full queue", () => {
  const { ring, words } = make();
  for (const head of [1, 1000, 0x7fff_ffff, -0x8000_0000]) {
    Atomics.store(words, ring.layout.cqHead >>> 2, head);
    assert.not(ring.hasSpace(), `head ${head}`);
    assert.not(ring.post(0, 0, 0, 0));
  }
  Atomics.store(words, ring.layout.cqTail >>> 2, 500);
  Atomics.store(words, ring.layout.cqHead >>> 2, 0);
  assert.ok(ring.post(0, 0, 0, 0));
  assert.is(Atomics.load(words, ring.layout.cqTail >>> 2), 1, "the tail is the host's own");
});

test("the overflow flag leaves the other bits alone", () => {
  const { ring, words } = make();
  const flags = ring.layout.sqFlags >>> 2;
  Atomics.store(words, flags, 0x40);
  ring.showOverflow(true);
  assert.is(Atomics.load(words, flags), 0x40 | SqFlag.CQ_OVERFLOW);
  ring.showOverflow(false);
  assert.is(Atomics.load(words, flags), 0x40);
});

for (const shared of [false, true]) {
  test(`a memory that grew is still served, ${shared ? "shared" : "plain"} memory`, () => {
    const { ring, memory } = make(shared);
    assert.not(ring.refresh());
    memory.grow(1);
    assert.is(ring.refresh(), !shared, "only a plain memory's view is detached");
    assert.ok(ring.post(3, 0, 0, 0));
    const view = new DataView(memory.buffer);
    assert.is(view.getUint32(ring.layout.cqTail, true), 1);
  });
}

test.run();
