/**
 * Hostile virtqueues: rings and indices that a guest scribbles, requests that overwrite the queue they came by, random
 * tables. The server survives or asks for a reset; no byte outside the window and outside the disk changes. Malformed
 * chains are in `hostile-chains.test.ts`.
 */
import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { VringAvail, VringDescFlag, VringUsed } from "../../assembly/abi/index";
import { QueueFault } from "../../host/virtio/queue-fault";
import { queueAreaBytes } from "../../host/virtio/virtqueue";
import { attack, type RawDescriptor, WINDOW_END, WINDOW_START, withData, writeRaw } from "./attack";
import { withBench } from "./blk-driver";

const test = suite("hostile virtqueue");

const { NEXT, WRITE, INDIRECT } = VringDescFlag;

test("the whole window as one buffer, queue included, is the guest's own affair", () =>
  withBench({}, (bench) => {
    // The read overwrites descriptors, rings and header while it is served; the status lies behind the data.
    const bytes = 256 * 1024;
    assert.is(attack(bench, withData(WINDOW_START, bytes)(bench)), QueueFault.NONE);
    assert.is(bench.backend.log.length, 1);
    assert.is(bench.backend.log[0]?.lengthBytes, bytes);
  }));

test("heads that the table does not have", () => {
  for (const head of [64, 65, 0x7fff, 0xffff]) {
    withBench({}, (bench) => {
      bench.driver.offer(head);
      bench.driver.publish();
      bench.server.serveAvail();
      assert.is(bench.server.fault, QueueFault.HEAD);
    });
  }
});

test("avail.idx that jumps, forwards or back", () => {
  for (const jump of [65, 1000, 0x8000, 0xffff]) {
    withBench({ index: 65000 }, (bench) => {
      const at = bench.driver.setup.availOffset - bench.area.window.offset + VringAvail.IDX;
      bench.driver.view.setUint16(at, (65000 + jump) & 0xffff, true);
      assert.is(bench.server.serveAvail(), 0);
      assert.is(bench.server.fault, QueueFault.AVAIL_INDEX);
      assert.not(bench.server.hasWork());
      assert.not(bench.server.wantKicks());
    });
  }
});

test("one head again and again, more often than the queue has entries", () =>
  withBench({ size: 4, depth: 4 }, (bench) => {
    bench.backend.completeAtMost = 0;
    attack(bench, withData(BigInt(bench.free + 4096), 512)(bench));
    for (let count = 0; count < 4; count++) {
      bench.driver.offer(0);
      bench.driver.publish();
      bench.server.serveAvail();
    }
    assert.ok(bench.server.inFlight <= 4);
    bench.backend.completeAtMost = Infinity;
    bench.server.reapCompletions();
    bench.server.serveAvail();
    bench.server.drain(() => false);
    assert.is(bench.server.inFlight, 0);
  }));

test("used.idx, used elements and event fields that the guest scribbles do not matter", () =>
  withBench({}, (bench) => {
    const { usedOffset, availOffset } = bench.driver.setup;
    const used = usedOffset - bench.area.window.offset;
    const avail = availOffset - bench.area.window.offset;
    for (let round = 0; round < 300; round++) {
      const scribble = (round * 2654435761) & 0xffff;
      bench.driver.view.setUint16(used + VringUsed.IDX, scribble, true);
      bench.driver.view.setUint16(used + VringUsed.RING + 64 * 8, scribble, true);
      bench.driver.view.setUint16(used + VringUsed.FLAGS, scribble, true);
      bench.driver.view.setUint16(avail + VringAvail.RING + 64 * 2, scribble, true);
      bench.driver.view.setUint16(avail + VringAvail.FLAGS, scribble, true);
      attack(bench, withData(BigInt(bench.free + 4096), 512)(bench));
      assert.is(bench.server.fault, QueueFault.NONE);
      const shown = bench.driver.view.getUint16(used + VringUsed.IDX, true);
      assert.is(shown, round + 1, "the device's own count");
    }
  }));

test("a broken queue stays broken, and what was taken before completes", () =>
  withBench({}, (bench) => {
    bench.backend.completeAtMost = 0;
    attack(bench, withData(BigInt(bench.free + 4096), 512)(bench));
    bench.driver.offer(999);
    bench.driver.publish();
    bench.server.serveAvail();
    assert.is(bench.server.fault, QueueFault.HEAD);
    assert.is(bench.server.inFlight, 1);
    bench.backend.completeAtMost = 1;
    assert.ok(bench.server.drain(() => false));
    attack(bench, withData(BigInt(bench.free + 4096), 512)(bench));
    assert.is(bench.backend.log.length, 1);
  }));

/** Addresses, lengths and links that come near to being right, and some that do not. */
function rawDescriptors(size: number): fc.Arbitrary<RawDescriptor[]> {
  const near = fc.oneof(
    { weight: 6, arbitrary: fc.bigInt(WINDOW_START, WINDOW_END) },
    { weight: 1, arbitrary: fc.bigInt(0n, (1n << 64n) - 1n) },
    { weight: 1, arbitrary: fc.constantFrom(WINDOW_START - 1n, WINDOW_END, WINDOW_END - 1n) },
  );
  const length = fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom(1, 16, 17, 32, 512, 513, 4096) },
    { weight: 1, arbitrary: fc.nat(0xffff_ffff) },
  );
  const flags = fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(0, NEXT, WRITE, NEXT | WRITE, INDIRECT) },
    { weight: 1, arbitrary: fc.nat(0xffff) },
  );
  const next = fc.oneof({ weight: 5, arbitrary: fc.nat(size) }, fc.nat(0xffff));
  const one = fc.record({ address: near, length, flags, next });
  return fc.array(one, { minLength: size, maxLength: size });
}

test("random tables and rings: nothing outside window and disk changes", () => {
  for (const size of [1, 4, 64]) {
    const input = fc.record({
      descriptors: rawDescriptors(size),
      types: fc.array(fc.constantFrom(0, 1, 4, 8, 11, 13, 99), { minLength: 8, maxLength: 8 }),
      heads: fc.array(fc.nat(size), { maxLength: 2 * size }),
      completeAtMost: fc.nat(8),
    });
    fc.assert(
      fc.property(input, ({ descriptors, types, heads, completeAtMost }) => {
        withBench({ size, depth: 8 }, (bench) => {
          // Headers wherever a buffer of 16 bytes may begin.
          descriptors.forEach(({ address }, index) => {
            if (address < WINDOW_START || address > WINDOW_END - 16n) return;
            bench.writeHeader(Number(address), types[index % 8] ?? 0, BigInt(index % 600));
          });
          descriptors.forEach((raw, index) => {
            writeRaw(bench, bench.driver.setup.descOffset, index, raw);
          });
          bench.backend.completeAtMost = completeAtMost;
          for (const head of heads) {
            bench.driver.offer(head);
            bench.driver.publish();
            bench.server.serveAvail();
            bench.server.reapCompletions();
          }
          bench.backend.completeAtMost = Infinity;
          assert.ok(bench.server.drain(() => false));
          assert.is(bench.server.inFlight, 0);
        });
      }),
      { numRuns: 150 },
    );
  }
});

test("the queue's areas may overlap each other: the guest hurts only itself", () =>
  withBench({}, (bench) => {
    const bytes = queueAreaBytes(64);
    assert.ok(bytes.desc > bytes.used);
    // Used elements written over the descriptors of requests that are in flight.
    const { driver } = bench;
    assert.is(attack(bench, withData(BigInt(driver.setup.usedOffset), 512)(bench)), 0);
    assert.is(attack(bench, withData(BigInt(driver.setup.descOffset), 1024)(bench)), 0);
    assert.is(attack(bench, withData(BigInt(driver.setup.availOffset), 512)(bench)), 0);
  }));

test.run();
