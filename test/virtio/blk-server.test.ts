/**
 * The server of a virtio-blk queue: what its back end answers, more requests than there are tags, completions in any
 * order, and its end. The requests themselves are in `blk-request.test.ts`.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Errno, VirtioBlkStatus, VirtioBlkType } from "../../assembly/abi/index";
import { type BlkBench, withBench } from "./blk-driver";

const test = suite("blk-server");

const { IN, OUT, FLUSH, DISCARD } = VirtioBlkType;
const { OK, IOERR, UNSUPP } = VirtioBlkStatus;

test("errors of the back end", () =>
  withBench({}, (bench) => {
    const { results } = bench.backend;
    results.push(-Errno.EIO);
    assert.equal(bench.request(IN, 0, [bench.data(0, 512, true)]), { length: 1, status: IOERR });
    results.push(-Errno.ENOSPC);
    assert.is(bench.request(OUT, 0, [bench.data(0, 512, false)]).status, IOERR);
    results.push(-Errno.EOPNOTSUPP);
    assert.is(bench.change(DISCARD, 0n, 1).status, UNSUPP);
    results.push(-Errno.EOPNOTSUPP);
    assert.is(bench.request(IN, 0, [bench.data(0, 512, true)]).status, IOERR);
    results.push(100);
    assert.is(bench.request(OUT, 0, [bench.data(0, 512, false)]).status, IOERR, "a short write");
  }));

test("what lies behind the file's end reads as zeroes", () =>
  withBench({}, (bench) => {
    const buffers = [bench.data(0, 700, true), bench.data(1, 300, true), bench.data(2, 24, true)];
    for (const done of [0, 1, 699, 700, 701, 1000, 1023]) {
      for (const { offset, length } of buffers) bench.area.at(offset, length + 1).fill(0xaa);
      // Of the rest, which is asked for when whole blocks came, what the file still has.
      bench.backend.results.push(done, ...(done < 512 ? [] : [done - 512]));
      assert.equal(bench.request(IN, 0, buffers), { length: 1025, status: OK });
      assert.is(bench.backend.results.length, 0);
      const bytes = buffers.flatMap(({ offset, length }) => [...bench.area.at(offset, length)]);
      const expected = Array.from({ length: 1024 }, (_, index) => (index < done ? 0xaa : 0));
      assert.equal(bytes, expected, `${done} bytes were read`);
      for (const { offset, length } of buffers) {
        assert.is(bench.area.at(offset + length, 1)[0], 0xaa, "one byte too many");
      }
    }
  }));

test("a read that the kernel cuts short in the middle is read on, and fails if that fails", () =>
  withBench({}, (bench) => {
    bench.backend.disk.forEach((_, index) => {
      bench.backend.disk[index] = (index >>> 9) + 1;
    });
    const buffers = [bench.data(0, 700, true), bench.data(1, 1860, true)];
    for (const { offset, length } of buffers) bench.area.at(offset, length).fill(0xaa);
    // Two blocks and a bit of the third, then one block, then the two that are left.
    bench.backend.results.push(1100, 512);
    assert.equal(bench.request(IN, 7, buffers), { length: 2561, status: OK });
    const bytes = buffers.flatMap(({ offset, length }) => [...bench.area.at(offset, length)]);
    const expected = Array.from({ length: 2560 }, (_, index) =>
      index < 1536 ? 0xaa : 8 + (index >>> 9),
    );
    assert.equal(bytes, expected, "only what was left was read");
    const asked = bench.backend.log.map(({ offset, lengthBytes }) => [offset / 512, lengthBytes]);
    assert.equal(asked, [
      [7, 2560],
      [9, 1536],
      [10, 1024],
    ]);
    bench.backend.results.push(512, -Errno.EIO);
    assert.equal(bench.request(IN, 7, buffers), { length: 1, status: IOERR });
    assert.is(bench.server.inFlight, 0);
  }));

test("a flush that failed lost writes: no later one succeeds, nor does a write that must be stable", () => {
  withBench({}, (bench) => {
    assert.is(bench.request(FLUSH, 0).status, OK);
    bench.backend.results.push(-Errno.EAGAIN);
    assert.is(bench.request(FLUSH, 0).status, IOERR);
    assert.is(bench.request(FLUSH, 0).status, OK, "the kernel was not asked");
    assert.not(bench.server.lostWrites);
    bench.backend.results.push(-Errno.EIO);
    assert.is(bench.request(FLUSH, 0).status, IOERR);
    assert.is(bench.request(FLUSH, 0).status, IOERR);
    assert.ok(bench.server.lostWrites);
    assert.is(bench.request(OUT, 0, [bench.data(0, 512, false)]).status, OK);
  });
  withBench({ flush: false }, (bench) => {
    const write = () => bench.request(OUT, 0, [bench.data(0, 512, false)]).status;
    assert.is(write(), OK);
    bench.backend.results.push(512, -Errno.ENOSPC);
    assert.is(write(), IOERR);
    assert.is(write(), IOERR);
  });
});

test("what is in flight is bounded by the window, not by how often a buffer is named", () =>
  withBench({ size: 64, disk: { capacityBytes: 2 ** 31 } }, (bench) => {
    bench.backend.completeAtMost = 0;
    const length = 600 * 1024;
    for (let count = 0; count < 64; count++) {
      const place = bench.free + count * 1024;
      bench.writeHeader(place, IN, 0n);
      const data = { offset: bench.free + 65536, length, write: true };
      const segments = Array.from({ length: 100 }, () => data);
      bench.driver.addIndirect(
        [
          { offset: place, length: 16, write: false },
          ...segments,
          { offset: place + 16, length: 1, write: true },
        ],
        bench.free + 800 * 1024,
      );
    }
    bench.driver.publish();
    // Of 60 MB each: the first two go beyond 64 MiB.
    assert.is(bench.server.serveAvail(), 2);
    assert.is(bench.server.serveAvail(), 0);
    assert.not(bench.server.hasWork());
    bench.backend.results.push(...new Array(64).fill(0));
    bench.backend.completeAtMost = 1;
    for (let served = 0; served < 64; served += bench.driver.reap().length) {
      assert.ok(bench.server.inFlight <= 2);
      assert.is(bench.server.reapCompletions(), 1);
      assert.ok(bench.server.serveAvail() <= 1);
    }
    assert.is(bench.server.errorCount, 0);
  }));

/** Puts `count` reads of one sector each into the queue; returns where their states will be. */
function addReads(bench: BlkBench, count: number): number[] {
  return Array.from({ length: count }, (_, index) => {
    const place = bench.free + index * 1024;
    bench.writeHeader(place, IN, BigInt(index));
    bench.area.at(place + 16, 1).fill(0xee);
    bench.driver.addIndirect(
      [
        { offset: place, length: 16, write: false },
        { offset: place + 512, length: 512, write: true },
        { offset: place + 16, length: 1, write: true },
      ],
      place + 64,
    );
    return place + 16;
  });
}

test("more requests than tags wait in the avail ring", () =>
  withBench({ size: 64, depth: 5 }, (bench) => {
    const statuses = addReads(bench, 64);
    bench.driver.publish();
    let served = 0;
    while (served < 64) {
      const taken = bench.server.serveAvail();
      assert.ok(taken <= 5 && bench.server.inFlight <= 5);
      assert.is(bench.server.reapCompletions(), taken);
      served += bench.driver.reap().length;
    }
    assert.equal(new Set(statuses.map((offset) => bench.status(offset))), new Set([OK]));
  }));

test("requests complete in any order, each where it belongs", () =>
  withBench({ size: 32 }, (bench) => {
    for (let sector = 0; sector < 32; sector++) {
      bench.backend.disk.fill(sector + 1, sector * 512, (sector + 1) * 512);
    }
    bench.backend.reversed = true;
    bench.backend.completeAtMost = 3;
    addReads(bench, 32);
    bench.driver.publish();
    assert.is(bench.server.serveAvail(), 32);
    assert.is(bench.server.reapCompletions(), 3);
    assert.equal(
      bench.driver.reap().map(({ id }) => id),
      [31, 30, 29],
    );
    assert.ok(bench.server.drain(() => false));
    bench.driver.reap();
    for (let index = 0; index < 32; index++) {
      const data = bench.area.at(bench.free + index * 1024 + 512, 512);
      assert.ok(
        data.every((byte) => byte === index + 1),
        `sector ${index}`,
      );
    }
  }));

test("drain completes what was taken, takes nothing more, and can be given up", () =>
  withBench({ size: 32, depth: 8 }, (bench) => {
    addReads(bench, 32);
    bench.driver.publish();
    bench.server.serveAvail();
    assert.is(bench.server.inFlight, 8);
    bench.backend.completeAtMost = 0;
    assert.not(bench.server.drain(() => true));
    bench.backend.completeAtMost = 1;
    assert.ok(bench.server.drain(() => false));
    assert.is(bench.server.inFlight, 0);
    assert.is(bench.driver.reap().length, 8);
    assert.is(bench.server.availIndex, 8);
    assert.ok(bench.server.hasWork());
  }));

test("the driver is told once of what it was shown", () =>
  withBench({}, (bench) => {
    addReads(bench, 4);
    bench.driver.publish();
    bench.server.serveAvail();
    assert.not(bench.server.takeInterrupt());
    bench.server.reapCompletions();
    assert.ok(bench.server.takeInterrupt());
    assert.not(bench.server.takeInterrupt());
    assert.is(bench.server.reapCompletions(), 0);
    assert.not(bench.server.takeInterrupt());
  }));

test("errors are counted for the report, and nothing else is", () =>
  withBench({}, (bench) => {
    bench.request(IN, 0, [bench.data(0, 512, true)]);
    bench.request(IN, 0);
    assert.is(bench.server.errorCount, 0);
    bench.request(IN, 0, [bench.data(0, 511, true)]);
    bench.backend.results.push(-Errno.EIO);
    bench.request(OUT, 0, [bench.data(0, 512, false)]);
    assert.is(bench.server.errorCount, 2);
  }));

test.run();
