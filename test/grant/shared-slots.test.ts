/** The shared table of grants: what one thread writes another reads whole, and who is using a descriptor is known. */
import { Worker } from "node:worker_threads";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { GrantKind } from "../../host/abi";
import { SharedSlots } from "../../host/grant/shared-slots";
import type { GrantSlot } from "../../host/grant/slot";

const test = suite("grant/shared-slots");

function grant(slot: number, name: string, fd: number): GrantSlot {
  const rest = { access: 1, kind: GrantKind.FILE, direct: false, alignmentBytes: 1 };
  return { slot, name, fd, ...rest, sizeBytes: fd * 2 ** 40 };
}

test("holds what was put, until it is cleared", () => {
  const table = SharedSlots.of([grant(0, "a", 7), grant(63, "ü".repeat(127), 8)]);
  const { slots, serials } = new SharedSlots(table.shared).snapshot();
  assert.equal(slots, [grant(0, "a", 7), grant(63, "ü".repeat(127), 8)]);
  const generation = table.clear(0);
  assert.is(table.generation, generation);
  assert.equal(table.snapshot().slots, [grant(63, "ü".repeat(127), 8)]);
  table.put(grant(0, "a", 7));
  assert.is.not(table.snapshot().serials[0], serials[0], "the same again is another grant");
  assert.is(table.snapshot().serials[63], serials[63]);
});

test("a descriptor is in use while it may have been seen", () => {
  const table = SharedSlots.of([grant(0, "a", 7)]);
  const other = new SharedSlots(table.shared);
  other.beginUse();
  const { generation: seen } = other.snapshot();
  other.acknowledge(seen);
  const generation = table.clear(0);
  assert.is(table.isInUse(generation), true, "it works with what it saw before");
  other.acknowledge(other.snapshot().generation);
  assert.is(table.isInUse(generation), false, "it has seen the change");
  other.endUse();
  other.acknowledge(0);
  assert.is(table.isInUse(table.clear(0)), false, "it is not at work");
});

/** Reads as fast as it can: the layout of an entry and the protocol of the lock, written a second time. */
const READER = `
const { workerData } = require("node:worker_threads");
const { shared, stop } = workerData;
const words = new Int32Array(shared);
const bytes = new Uint8Array(shared);
const at = 16 + 5 * 296;
while (Atomics.load(stop, 0) === 0) {
  const before = Atomics.load(words, 0);
  if (before & 1) continue;
  const length = words[at / 4];
  const fd = words[at / 4 + 1];
  const name = Buffer.from(bytes.slice(at + 40, at + 40 + length)).toString();
  if (Atomics.load(words, 0) !== before || length === 0) continue;
  Atomics.add(stop, 1, 1);
  if (name !== String(fd).padStart(40, "x")) Atomics.add(stop, 2, 1);
}
`;

test("a reader on another thread never sees half of a change", async () => {
  const table = new SharedSlots();
  const stop = new Int32Array(new SharedArrayBuffer(12));
  const worker = new Worker(READER, {
    eval: true,
    workerData: { shared: table.shared, stop },
  });
  const ended = new Promise((resolve) => worker.once("exit", resolve));
  const end = performance.now() + 500;
  for (let round = 1; performance.now() < end; round++) {
    table.put(grant(5, `${round % 1000}`.padStart(40, "x"), round % 1000));
    if (round % 7 === 0) table.clear(5);
  }
  Atomics.store(stop, 0, 1);
  await ended;
  assert.ok((stop[1] ?? 0) > 0, "it read");
  assert.is(stop[2], 0, "torn");
});

test.run();
