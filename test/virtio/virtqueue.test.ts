/**
 * The device's side of the split queue against a model driver: every size, both ways of notifying, direct and indirect
 * chains, and indices that wrap. Malformed queues are in `hostile.test.ts`.
 */
import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { VirtioFeature } from "../../assembly/abi/index";
import { QueueFault } from "../../host/virtio/queue-fault";
import { DeviceQueue, needEvent, queueAreaBytes, queueFits } from "../../host/virtio/virtqueue";
import { ModelDriver } from "./driver";
import { buffer, chainOf, makePair, makeWindow, SIZES } from "./queue-pair";

const test = suite("virtqueue");

test("a chain comes as it was written, and goes back with its length", () => {
  for (const size of SIZES) {
    const { driver, queue, window } = makePair({ size });
    assert.is(queue.next(), -1, "the queue is empty");
    const count = Math.min(size, 7);
    const buffers = Array.from({ length: count }, (_, index) =>
      buffer(driver, index, index + 1, index >= count / 2),
    );
    const head = driver.add(buffers);
    assert.is(queue.pending(), 0, "not yet shown");
    driver.publish();
    assert.is(queue.pending(), 1);
    assert.is(queue.next(), head);
    assert.equal(chainOf(queue, window), buffers);
    assert.is(queue.inFlight, 1);
    assert.is(queue.next(), -1);
    queue.push(head, 123);
    assert.equal(driver.reap(), [], "not yet published");
    assert.ok(queue.publish(), "the first interrupt is always wanted");
    assert.equal(driver.reap(), [{ id: head, length: 123 }]);
    assert.is(queue.inFlight, 0);
    assert.is(queue.fault, QueueFault.NONE);
  }
});

test("indirect tables, aligned or not, alone or after direct descriptors", () => {
  for (const misaligned of [0, 1, 2, 7]) {
    const { driver, queue, window } = makePair({ size: 4 });
    const buffers = Array.from({ length: 100 }, (_, index) =>
      buffer(driver, index, 100 + index, index >= 40),
    );
    const table = window.offset + 128 * 1024 + misaligned;
    const head = driver.addIndirect(buffers, table);
    const direct = [buffer(driver, 200, 9, false), buffer(driver, 201, 10, false)];
    const mixed = driver.addIndirect(buffers, table + 100 * 16, direct);
    driver.publish();
    assert.is(queue.next(), head);
    assert.equal(chainOf(queue, window), buffers);
    assert.is(queue.next(), mixed);
    assert.equal(chainOf(queue, window), [...direct, ...buffers]);
  }
});

test("an indirect table may be longer than the queue, up to 1024 buffers", () => {
  const { driver, queue, window } = makePair({ size: 1 });
  const buffers = Array.from({ length: 1024 }, (_, index) => buffer(driver, index, 16, true));
  const head = driver.addIndirect(buffers, window.offset + 128 * 1024);
  driver.publish();
  assert.is(queue.next(), head);
  assert.is(queue.chain.count, 1024);
  assert.is(queue.chain.readableCount, 0);
});

test("indices wrap past 65536 at every size", () => {
  for (const size of SIZES) {
    const { driver, queue } = makePair({ size, index: 65536 - 3 });
    for (let round = 0; round < 3; round++) {
      for (let index = 0; index < size; index++) driver.add([buffer(driver, index, 1, true)]);
      driver.publish();
      assert.is(queue.pending(), size);
      const heads: number[] = [];
      for (let head = queue.next(); head >= 0; head = queue.next()) heads.push(head);
      assert.is(heads.length, size);
      for (const head of heads.reverse()) queue.push(head, head);
      queue.publish();
      const reaped = driver.reap();
      assert.equal(
        reaped.map(({ id, length }) => [id, length]),
        heads.map((head) => [head, head]),
      );
    }
    assert.is(queue.availIndex, (65536 - 3 + 3 * size) & 0xffff);
    assert.is(queue.fault, QueueFault.NONE);
  }
});

test("one after another past 65536, with the event index: one kick and one interrupt each", () => {
  const { driver, queue } = makePair({ size: 8 });
  let kicks = 0;
  let interrupts = 0;
  const rounds = 66_000;
  for (let round = 0; round < rounds; round++) {
    assert.not(queue.wantKicks());
    driver.wantInterrupts();
    driver.add([buffer(driver, 0, 1, true)]);
    if (driver.publish()) kicks++;
    queue.push(queue.next(), 0);
    if (queue.publish()) interrupts++;
    assert.is(driver.reap().length, 1);
  }
  assert.is(kicks, rounds);
  assert.is(interrupts, rounds);
});

test("suppressed kicks and interrupts stay away, with event index and with flags", () => {
  for (const eventIndex of [true, false]) {
    const { driver, queue } = makePair({ size: 8, eventIndex });
    // The first of each may come: nobody said anything yet.
    const exchange = () => {
      driver.add([buffer(driver, 0, 1, true)]);
      const kick = driver.publish();
      queue.push(queue.next(), 0);
      const interrupt = queue.publish();
      driver.reap();
      return { kick, interrupt };
    };
    exchange();
    queue.suppressKicks();
    driver.suppressInterrupts();
    for (let round = 0; round < 1000; round++) {
      assert.equal(exchange(), { kick: false, interrupt: false });
      driver.suppressInterrupts();
    }
    assert.not(queue.wantKicks());
    driver.wantInterrupts();
    assert.equal(exchange(), { kick: true, interrupt: true });
  }
});

test("who asks for kicks learns what came meanwhile", () => {
  for (const eventIndex of [true, false]) {
    const { driver, queue } = makePair({ size: 8, eventIndex });
    queue.suppressKicks();
    driver.add([buffer(driver, 0, 1, true)]);
    driver.publish();
    assert.ok(queue.wantKicks(), "a chain is there, for which no kick may come");
    assert.is(queue.next(), 0);
    assert.not(queue.wantKicks());
  }
});

test("with the event index an interrupt comes when the asked for element is used, and once", () => {
  const { driver, queue } = makePair({ size: 16 });
  driver.add([buffer(driver, 0, 1, true)]);
  driver.publish();
  queue.push(queue.next(), 0);
  queue.publish();
  driver.reap();
  driver.wantInterruptAfter(5);
  const signalled: boolean[] = [];
  for (let index = 0; index < 8; index++) {
    driver.add([buffer(driver, 0, 1, true)]);
    driver.publish();
    queue.push(queue.next(), 0);
    signalled.push(queue.publish());
  }
  assert.equal(signalled, [false, false, false, false, true, false, false, false]);
  assert.not(queue.publish(), "nothing new to publish");
});

test("need_event at the edges of 16 bits", () => {
  fc.assert(
    fc.property(fc.nat(0xffff), fc.nat(1024), fc.nat(0xffff), (old, moved, event) => {
      const now = (old + moved) & 0xffff;
      const passed = Array.from({ length: moved }, (_, step) => (old + step) & 0xffff);
      assert.is(needEvent(event, now, old), passed.includes(event));
    }),
    { numRuns: 300 },
  );
});

test("a queue resumes at the index where it was stopped", () => {
  const { driver, queue, window } = makePair({ size: 8 });
  for (let index = 0; index < 5; index++) driver.add([buffer(driver, index, 1, true)]);
  driver.publish();
  for (let index = 0; index < 3; index++) queue.push(queue.next(), 0);
  queue.publish();
  const resumed = new DeviceQueue(window, { ...driver.setup, availIndex: queue.availIndex });
  assert.is(resumed.pending(), 2);
  for (let index = 0; index < 2; index++) resumed.push(resumed.next(), 0);
  assert.ok(resumed.publish(), "after a resumption the driver is always told");
  assert.is(driver.reap().length, 5);
});

test("areas must be aligned, of a power of two, and inside the window", () => {
  const good = new ModelDriver({ window: makeWindow(), size: 256 }).setup;
  const fits = (change: object) => queueFits({ ...good, ...change }, 0x10000, 256 * 1024);
  assert.ok(fits({}));
  for (const size of [0, -1, 3, 2048, 65536, 1.5, Number.NaN]) assert.not(fits({ size }));
  assert.not(fits({ descOffset: good.descOffset + 8 }));
  assert.not(fits({ availOffset: good.availOffset + 1 }));
  assert.not(fits({ usedOffset: good.usedOffset + 2 }));
  const end = 0x10000 + 256 * 1024;
  for (const area of ["desc", "avail", "used"] as const) {
    const bytes = queueAreaBytes(256)[area];
    const last = Math.floor((end - bytes) / 16) * 16;
    assert.ok(fits({ [`${area}Offset`]: last }), `${area} at the very end`);
    assert.not(fits({ [`${area}Offset`]: last + 16 }));
    assert.not(fits({ [`${area}Offset`]: 0x10000 - 16 }));
    assert.not(fits({ [`${area}Offset`]: 2 ** 64 }));
    assert.not(fits({ [`${area}Offset`]: Number.NaN }));
  }
});

test("without EVENT_IDX the event fields are not looked at", () => {
  const { driver, queue, window } = makePair({ size: 8, eventIndex: false });
  assert.not((driver.setup.features >> BigInt(VirtioFeature.EVENT_IDX)) & 1n);
  const usedEvent = driver.setup.availOffset - window.offset + 4 + 16;
  driver.view.setUint16(usedEvent, 40_000, true);
  for (let index = 0; index < 3; index++) {
    driver.add([buffer(driver, 0, 1, true)]);
    assert.ok(driver.publish());
    queue.push(queue.next(), 0);
    assert.ok(queue.publish());
  }
});

test.run();
