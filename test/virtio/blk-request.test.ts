/**
 * virtio-blk requests one by one: each type, each status that the parser gives, and how header, data and status may be
 * cut into buffers.
 */
import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Errno, VirtioBlkStatus, VirtioBlkType } from "../../assembly/abi/index";
import { BlockOperation } from "../../host/virtio/aio/backend";
import { BLK_SEGMENTS_MAX } from "../../host/virtio/blk-config";
import { QueueFault } from "../../host/virtio/queue-fault";
import { type BlkBench, DISK_BYTES, withBench } from "./blk-driver";
import type { ChainBuffer } from "./driver";

const test = suite("blk-request");

const { IN, OUT, FLUSH, DISCARD, WRITE_ZEROES, GET_ID } = VirtioBlkType;
const { OK, IOERR, UNSUPP } = VirtioBlkStatus;
const SECTORS = DISK_BYTES / 512;

function pattern(length: number, seed: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => (index * 7 + seed) & 0xff);
}

test("what was written is read", () =>
  withBench({}, (bench) => {
    const data = bench.data(0, 4096, false);
    bench.area.at(data.offset, 4096).set(pattern(4096, 1));
    assert.equal(bench.request(OUT, 8, [data]), { length: 1, status: OK });
    assert.equal(bench.backend.disk.slice(8 * 512, 8 * 512 + 4096), pattern(4096, 1));
    const back = bench.data(1, 4096, true);
    assert.equal(bench.request(IN, 8, [back]), { length: 4097, status: OK });
    assert.equal(bench.area.at(back.offset, 4096), pattern(4096, 1));
  }));

test("the last sector, and not one more", () =>
  withBench({}, (bench) => {
    const data = bench.data(0, 512, true);
    assert.is(bench.request(IN, SECTORS - 1, [data]).status, OK);
    assert.is(bench.request(IN, SECTORS, [data]).status, IOERR);
    assert.is(bench.request(IN, SECTORS - 1, [bench.data(0, 1024, true)]).status, IOERR);
    for (const sector of [1n << 32n, 1n << 54n, (1n << 64n) - 1n, (1n << 55n) - 1n]) {
      assert.is(bench.request(IN, sector, [data]).status, IOERR, `sector ${sector}`);
      assert.is(bench.request(OUT, sector, [bench.data(0, 512, false)]).status, IOERR);
    }
    assert.is(bench.backend.log.length, 1);
  }));

test("data of no whole sectors is an error; no data is nothing to do", () =>
  withBench({}, (bench) => {
    for (const length of [1, 511, 513, 4095]) {
      assert.is(bench.request(IN, 0, [bench.data(0, length, true)]).status, IOERR);
      assert.is(bench.request(OUT, 0, [bench.data(0, length, false)]).status, IOERR);
    }
    // Odd buffers may add up to whole sectors.
    const odd = [bench.data(0, 500, true), bench.data(1, 12, true)];
    assert.equal(bench.request(IN, 0, odd), { length: 513, status: OK });
    assert.equal(bench.request(IN, 0), { length: 1, status: OK });
    assert.equal(bench.request(OUT, SECTORS), { length: 1, status: OK });
    assert.is(bench.request(OUT, SECTORS + 1).status, IOERR);
  }));

test("a disk of 4 KiB blocks takes whole blocks only", () =>
  withBench({ disk: { blockBytes: 4096 } }, (bench) => {
    assert.is(bench.request(IN, 0, [bench.data(0, 4096, true)]).status, OK);
    assert.is(bench.request(IN, 8, [bench.data(0, 8192, true)]).status, OK);
    assert.is(bench.request(IN, 1, [bench.data(0, 4096, true)]).status, IOERR);
    assert.is(bench.request(IN, 0, [bench.data(0, 512, true)]).status, IOERR);
    assert.is(bench.change(DISCARD, 8n, 8).status, OK);
    assert.is(bench.change(DISCARD, 8n, 7).status, IOERR);
  }));

test("flush reaches the back end, whatever sector it names", () =>
  withBench({}, (bench) => {
    assert.equal(bench.request(FLUSH, (1n << 64n) - 1n), { length: 1, status: OK });
    assert.is(bench.backend.flushes, 1);
  }));

test("without FLUSH a write is answered when it is stable", () =>
  withBench({ flush: false }, (bench) => {
    assert.is(bench.request(OUT, 0, [bench.data(0, 512, false)]).status, OK);
    assert.is(bench.change(WRITE_ZEROES, 0n, 1).status, OK);
    assert.is(bench.backend.flushes, 2);
    assert.is(bench.request(IN, 0, [bench.data(0, 512, true)]).status, OK);
    assert.is(bench.backend.flushes, 2);
    bench.backend.results.push(512, -Errno.EIO);
    assert.is(bench.request(OUT, 0, [bench.data(0, 512, false)]).status, IOERR);
  }));

test("the serial number, into as much as there is", () =>
  withBench({ disk: { serial: "0123456789abcdefghijKLM" } }, (bench) => {
    const whole = bench.data(0, 20, true);
    assert.equal(bench.request(GET_ID, 0, [whole]), { length: 21, status: OK });
    const text = (buffer: ChainBuffer) =>
      Buffer.from(bench.area.at(buffer.offset, buffer.length)).toString();
    assert.is(text(whole), "0123456789abcdefghij");
    const [first, second] = [bench.data(1, 3, true), bench.data(2, 4, true)];
    assert.equal(bench.request(GET_ID, 0, [first, second]), { length: 8, status: OK });
    assert.is(text(first) + text(second), "0123456");
    const large = bench.data(3, 64, true);
    bench.area.at(large.offset, 64).fill(0x2e);
    assert.equal(bench.request(GET_ID, 0, [large]), { length: 21, status: OK });
    assert.is(text(large), `0123456789abcdefghij${".".repeat(44)}`);
  }));

test("discard and write zeroes: one range, known flags, inside the disk", () =>
  withBench({}, (bench) => {
    bench.backend.disk.fill(0xff);
    assert.equal(bench.change(DISCARD, 2n, 3), { length: 1, status: OK });
    assert.equal(bench.change(WRITE_ZEROES, 8n, 2, 1), { length: 1, status: OK });
    const seen = bench.backend.log.map(({ operation, offset, lengthBytes, unmap }) => [
      operation,
      offset,
      lengthBytes,
      unmap,
    ]);
    assert.equal(seen, [
      [BlockOperation.DISCARD, 1024, 1536, false],
      [BlockOperation.WRITE_ZEROES, 4096, 1024, true],
    ]);
    assert.is(bench.change(DISCARD, 0n, 1, 1).status, UNSUPP, "DISCARD knows no flag");
    assert.is(bench.change(WRITE_ZEROES, 0n, 1, 2).status, UNSUPP);
    assert.is(bench.change(WRITE_ZEROES, 0n, 1, 3).status, UNSUPP);
    for (const type of [DISCARD, WRITE_ZEROES]) {
      assert.is(bench.change(type, BigInt(SECTORS), 1).status, IOERR);
      assert.is(bench.change(type, BigInt(SECTORS) - 1n, 2).status, IOERR);
      assert.is(bench.change(type, (1n << 64n) - 1n, 2).status, IOERR);
      assert.is(bench.change(type, 0n, 0xffff_ffff).status, IOERR);
      assert.is(bench.change(type, 0n, 0).status, OK, "nothing to do");
      assert.is(bench.request(type, 0).status, IOERR, "no range");
      assert.is(bench.request(type, 0, [bench.data(0, 15, false)]).status, IOERR);
      assert.is(bench.request(type, 0, [bench.data(0, 32, false)]).status, UNSUPP, "two ranges");
    }
    assert.is(bench.backend.log.length, 2);
  }));

test("a disk that cannot discard or write zeroes says so", () =>
  withBench({ disk: { discard: false, writeZeroes: false } }, (bench) => {
    assert.is(bench.change(DISCARD, 0n, 1).status, UNSUPP);
    assert.is(bench.change(WRITE_ZEROES, 0n, 1).status, UNSUPP);
  }));

test("a read-only disk changes for nobody", () =>
  withBench({ disk: { readOnly: true } }, (bench) => {
    assert.is(bench.request(OUT, 0, [bench.data(0, 512, false)]).status, IOERR);
    assert.is(bench.change(DISCARD, 0n, 1).status, IOERR);
    assert.is(bench.change(WRITE_ZEROES, 0n, 1).status, IOERR);
    assert.is(bench.request(IN, 0, [bench.data(0, 512, true)]).status, OK);
    assert.is(bench.request(FLUSH, 0).status, OK);
  }));

test("unknown types are unsupported", () =>
  withBench({}, (bench) => {
    for (const type of [2, 3, 5, 9, 10, 12, 14, 15, 16, 0x8000_0000, 0xffff_ffff]) {
      assert.equal(bench.request(type, 0), { length: 1, status: UNSUPP }, `type ${type}`);
    }
  }));

/** Cuts [offset, offset + length) into buffers of the given lengths, and a rest. */
function cut(offset: number, length: number, lengths: readonly number[], write: boolean) {
  const buffers: ChainBuffer[] = [];
  let at = 0;
  for (const part of lengths) {
    if (at + part >= length) break;
    buffers.push({ offset: offset + at, length: part, write });
    at += part;
  }
  buffers.push({ offset: offset + at, length: length - at, write });
  return buffers;
}

function cutRequest(bench: BlkBench, type: number, lengths: readonly number[], dataBytes: number) {
  const place = bench.free;
  bench.writeHeader(place, type, 4n);
  const written = type === IN;
  const readable = cut(place, 16 + (written ? 0 : dataBytes), lengths, false);
  const statusPlace = place + 8192;
  const writable = cut(statusPlace, 1 + (written ? dataBytes : 0), lengths, true);
  bench.area.at(statusPlace, 1 + (written ? dataBytes : 0)).fill(0xee);
  bench.driver.addIndirect([...readable, ...writable], place + 65536);
  bench.driver.publish();
  const length = bench.run();
  const status = bench.status(statusPlace + (written ? dataBytes : 0));
  return { length, status, data: written ? statusPlace : place + 16 };
}

test("header, data and status may be cut anywhere", () =>
  withBench({}, (bench) => {
    const lengths = fc.array(fc.integer({ min: 1, max: 700 }), { maxLength: 20 });
    fc.assert(
      fc.property(lengths, fc.integer({ min: 1, max: 4 }), fc.nat(255), (parts, sectors, seed) => {
        const bytes = sectors * 512;
        bench.area.at(bench.free + 16, bytes).set(pattern(bytes, seed));
        const write = cutRequest(bench, OUT, parts, bytes);
        assert.equal([write.status, write.length], [OK, 1]);
        assert.equal(bench.backend.disk.slice(2048, 2048 + bytes), pattern(bytes, seed));
        const read = cutRequest(bench, IN, parts, bytes);
        assert.equal([read.status, read.length], [OK, bytes + 1]);
        assert.equal(bench.area.at(read.data, bytes), pattern(bytes, seed));
      }),
      { numRuns: 200 },
    );
  }));

test("as many segments as the configuration says, and no more", () =>
  withBench({ size: 256 }, (bench) => {
    const buffers = (count: number) =>
      Array.from({ length: count }, (_, index) => bench.data(index, 512, true));
    assert.is(bench.request(IN, 0, buffers(BLK_SEGMENTS_MAX)).status, OK);
    assert.is(bench.request(IN, 0, buffers(BLK_SEGMENTS_MAX + 1)).status, IOERR);
  }));

test("one request moves less than 2 GiB, however often it names a buffer", () =>
  withBench({ size: 1024 }, (bench) => {
    const large = { offset: bench.area.window.offset, length: 1024 * 1024, write: true };
    const result = bench.request(
      IN,
      0,
      Array.from({ length: 1000 }, () => large),
    );
    assert.is(result.status, IOERR);
  }));

test("a request whose header or status cannot be found breaks the queue", () => {
  const cases: [QueueFault, ChainBuffer[]][] = [
    [QueueFault.NO_STATUS, [{ offset: 0x80000, length: 16, write: false }]],
    [QueueFault.NO_HEADER, [{ offset: 0x80000, length: 16, write: true }]],
    [
      QueueFault.NO_HEADER,
      [
        { offset: 0x80000, length: 15, write: false },
        { offset: 0x80000, length: 1, write: true },
      ],
    ],
  ];
  for (const [fault, buffers] of cases) {
    withBench({}, (bench) => {
      bench.driver.add(buffers);
      bench.driver.publish();
      assert.is(bench.run(), -1);
      assert.is(bench.server.fault, fault);
      assert.is(bench.request(FLUSH, 0).length, -1, "nothing more is taken");
    });
  }
});

test.run();
