/** Random exchanges between a model driver and the device's side of the queue: nothing lost, nobody asleep for ever. */
import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { QueueFault } from "../../host/virtio/queue-fault";
import type { ChainBuffer } from "./driver";
import { buffer, chainOf, makePair, SIZES } from "./queue-pair";

const test = suite("virtqueue, random");

test("random exchanges: every chain is given back once, with its length, in any order", () => {
  const exchange = fc.record({
    size: fc.constantFrom(...SIZES),
    index: fc.nat(0xffff),
    eventIndex: fc.boolean(),
    steps: fc.array(
      fc.record({
        lengths: fc.array(fc.integer({ min: 1, max: 4096 }), { minLength: 1, maxLength: 6 }),
        indirect: fc.boolean(),
        complete: fc.nat(3),
        fromBack: fc.boolean(),
      }),
      { maxLength: 60 },
    ),
  });
  fc.assert(
    fc.property(exchange, ({ size, index, eventIndex, steps }) => {
      const { driver, queue, window } = makePair({ size, index, eventIndex });
      const expected = new Map<number, { chain: ChainBuffer[]; length: number }>();
      const withDevice: number[] = [];
      const check = () => {
        for (const { id, length } of driver.reap()) {
          assert.is(length, expected.get(id)?.length);
          expected.delete(id);
        }
      };
      steps.forEach(({ lengths, indirect, complete, fromBack }, step) => {
        const chain = lengths.map((length, at) => buffer(driver, at, length, at * 2 >= step % 7));
        const table = window.offset + 64 * 1024 + (step % 1000) * 128;
        const fits = driver.freeDescriptors >= (indirect ? 1 : chain.length);
        if (fits) {
          const head = indirect ? driver.addIndirect(chain, table) : driver.add(chain);
          expected.set(head, { chain, length: step });
        }
        driver.publish();
        for (let head = queue.next(); head >= 0; head = queue.next()) {
          assert.equal(chainOf(queue, window), expected.get(head)?.chain);
          withDevice.push(head);
        }
        assert.is(queue.fault, QueueFault.NONE);
        for (let count = 0; count < complete && withDevice.length > 0; count++) {
          const head = (fromBack ? withDevice.pop() : withDevice.shift()) ?? 0;
          queue.push(head, expected.get(head)?.length ?? 0);
        }
        queue.publish();
        check();
      });
      for (const head of withDevice) queue.push(head, expected.get(head)?.length ?? 0);
      queue.publish();
      check();
      assert.is(expected.size, 0);
    }),
    { numRuns: 200 },
  );
});

test("nobody sleeps for ever: who is not notified sees the work itself", () => {
  // Kick and interrupt are the only ways to wake; both sides sleep whenever they have nothing to do.
  fc.assert(
    fc.property(fc.boolean(), fc.array(fc.boolean(), { maxLength: 200 }), (eventIndex, order) => {
      const { driver, queue } = makePair({ size: 4, eventIndex });
      let deviceAwake = true;
      let driverAwake = true;
      let done = 0;
      const device = () => {
        queue.suppressKicks();
        for (let head = queue.next(); head >= 0; head = queue.next()) queue.push(head, 0);
        if (queue.publish()) driverAwake = true;
        deviceAwake = queue.wantKicks();
      };
      const guest = () => {
        driver.suppressInterrupts();
        done += driver.reap().length;
        while (driver.freeDescriptors > 0) driver.add([buffer(driver, 0, 1, true)]);
        if (driver.publish()) deviceAwake = true;
        driver.wantInterrupts();
        const more = driver.reap().length;
        done += more;
        driverAwake = more > 0;
      };
      for (const deviceFirst of order) {
        assert.ok(deviceAwake || driverAwake, `both sleep after ${done}`);
        if (deviceFirst && deviceAwake) device();
        else if (driverAwake) guest();
        else device();
      }
    }),
    { numRuns: 300 },
  );
});

test.run();
