/** One suite over every back end: what they all must do alike. */
import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { eventFds, Readable } from "../../../host/ffi/event-fd";
import { BlockOperation } from "../../../host/virtio/aio";
import { type Disk, everyKind, type Kind } from "./kinds";
import { type Request, Requests } from "./requests";

const SECTOR = 512;
const CAPACITY = 256 * SECTOR;
const DEPTH = 16;
const SLOT_BYTES = CAPACITY;
const RUNS = 25;

const { READ, WRITE, FLUSH, DISCARD, WRITE_ZEROES } = {
  READ: BlockOperation.READ,
  WRITE: BlockOperation.WRITE,
  FLUSH: BlockOperation.FLUSH,
  DISCARD: BlockOperation.DISCARD,
  WRITE_ZEROES: BlockOperation.WRITE_ZEROES,
};

async function withDisk(
  kind: Kind,
  depth: number,
  body: (requests: Requests, disk: Disk) => void | Promise<void>,
  capacity = CAPACITY,
): Promise<void> {
  const disk = await kind.open(capacity, depth);
  try {
    await body(new Requests(disk.backend, Math.max(capacity, SLOT_BYTES)), disk);
  } finally {
    await disk.close();
  }
}

/** Bytes that tell where they are and who wrote them. */
function pattern(length: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at++) bytes[at] = at * 31 + (at >>> 8) * 7 + seed;
  return bytes;
}

interface Step {
  operation: BlockOperation;
  sector: number;
  sectors: number;
  /** Where the buffer is cut, in thousandths of its length. */
  cuts: number[];
  unmap: boolean;
  seed: number;
}

const step: fc.Arbitrary<Step> = fc.record({
  operation: fc.constantFrom(READ, READ, WRITE, WRITE, FLUSH, DISCARD, WRITE_ZEROES),
  sector: fc.nat(CAPACITY / SECTOR - 1),
  sectors: fc.integer({ min: 1, max: 40 }),
  cuts: fc.array(fc.integer({ min: 1, max: 999 }), { maxLength: 6 }),
  unmap: fc.boolean(),
  seed: fc.nat(255),
});

/** Segments of a buffer of `length` bytes, cut where `cuts` say as far as the alignment allows; none is empty. */
function segmentsOf(length: number, cuts: readonly number[], alignment: number): number[] {
  const places = cuts.map((cut) => Math.floor((cut * length) / 1000 / alignment) * alignment);
  const sorted = [...new Set([0, ...places, length])].sort((a, b) => a - b);
  return sorted.slice(1).map((place, index) => place - (sorted[index] ?? 0));
}

/** The requests of a batch that touch nothing that an earlier one touches; reads may overlap each other in the model. */
function requestsOf(steps: readonly Step[], alignment: number): Request[] {
  const taken = new Set<number>();
  const requests: Request[] = [];
  for (const { operation, sector, sectors, cuts, unmap, seed } of steps) {
    if (operation === FLUSH) {
      requests.push({ operation, offset: 0, length: 0, segments: [] });
      continue;
    }
    const count = Math.min(sectors, CAPACITY / SECTOR - sector);
    const range = Array.from({ length: count }, (_, index) => sector + index);
    if (range.some((place) => taken.has(place))) continue;
    for (const place of range) taken.add(place);
    const length = count * SECTOR;
    requests.push({
      operation,
      offset: sector * SECTOR,
      length,
      segments: operation <= WRITE ? segmentsOf(length, cuts, alignment) : [],
      unmap,
      ...(operation === WRITE ? { data: pattern(length, seed) } : {}),
    });
  }
  return requests;
}

/** Runs a batch, and holds every answer against the model, which it brings up to date. */
function checkBatch(requests: Requests, batch: readonly Request[], model: Uint8Array): void {
  const results = requests.runAll(batch);
  for (const [tag, { operation, offset, length, data }] of batch.entries()) {
    assert.is(results[tag], operation <= WRITE ? length : 0, `result of ${operation}`);
    if (operation === READ) {
      const expected = model.subarray(offset, offset + length);
      assert.ok(Buffer.compare(requests.slot(tag).subarray(0, length), expected) === 0, "read");
    } else if (operation === WRITE) model.set(data ?? [], offset);
    else if (operation === WRITE_ZEROES) model.fill(0, offset, offset + length);
    // A discarded range may read as anything; the next batch begins by writing it.
  }
}

/** What was discarded is written anew, so that the model knows it. */
function settle(requests: Requests, batch: readonly Request[], model: Uint8Array): void {
  const discarded = batch.filter(({ operation }) => operation === DISCARD);
  const writes = discarded.map(({ offset, length }) => {
    const data = pattern(length, offset & 0xff);
    return { operation: WRITE, offset, length, data };
  });
  if (writes.length > 0) checkBatch(requests, writes, model);
}

for (const kind of everyKind()) {
  const test = suite(`aio ${kind.name}`);

  test("random batches agree with a model", async () => {
    const batches = fc.array(fc.array(step, { minLength: 1, maxLength: DEPTH }), {
      minLength: 1,
      maxLength: 6,
    });
    await withDisk(kind, DEPTH, (requests, disk) => {
      const model = new Uint8Array(CAPACITY);
      fc.assert(
        fc.property(batches, (all) => {
          for (const steps of all) {
            const batch = requestsOf(steps, kind.alignment);
            checkBatch(requests, batch, model);
            settle(requests, batch, model);
          }
          const whole = requests.read(0, CAPACITY);
          assert.ok(Buffer.compare(whole, model) === 0, "the whole disk");
        }),
        { numRuns: RUNS },
      );
      assert.is(requests.run({ operation: FLUSH, offset: 0, length: 0, segments: [] }), 0);
      const content = disk.content();
      if (content !== null) assert.ok(Buffer.compare(content, model) === 0, "the file");
    });
  });

  test("vectors of one to many segments", async () => {
    await withDisk(kind, 1, (requests) => {
      for (const count of [1, 2, 3, 7, 64, 254, 1022]) {
        const part = count > 254 ? kind.alignment : Math.max(kind.alignment, 13);
        const total = Math.ceil((count * part) / SECTOR) * SECTOR;
        if (total > CAPACITY) continue;
        const segments = Array.from({ length: count }, (_, index) =>
          index === 0 ? total - (count - 1) * part : part,
        );
        const data = pattern(total, count);
        const written = requests.run({
          operation: WRITE,
          offset: 0,
          length: total,
          segments,
          data,
        });
        assert.is(written, total, `${count} segments written`);
        const read = requests.run({ operation: READ, offset: 0, length: total, segments });
        assert.is(read, total, `${count} segments read`);
        assert.equal(requests.slot(0).slice(0, total), data);
      }
    });
  });

  test("as many in flight as its depth, reaped in parts", async () => {
    for (const depth of [1, 2, 3, 33, 128]) {
      await withDisk(kind, depth, (requests) => {
        const all = Array.from({ length: depth }, (_, tag) => {
          const data = pattern(SECTOR, tag);
          return { operation: WRITE, offset: tag * SECTOR, length: SECTOR, data };
        });
        for (let round = 0; round < 3; round++) {
          assert.ok(requests.runAll(all).every((result) => result === SECTOR));
          assert.is(requests.backend.inFlight, 0);
        }
        const whole = requests.read(0, depth * SECTOR);
        for (const { offset, data } of all) {
          assert.equal(whole.slice(offset, offset + SECTOR), data);
        }
      });
    }
  });

  test("a zeroed range of many chunks", async () => {
    const capacity = 2 << 20;
    await withDisk(
      kind,
      2,
      (requests) => {
        for (const unmap of [false, true]) {
          requests.write(0, new Uint8Array(capacity).fill(0xee));
          const range = { offset: SECTOR, length: capacity - 3 * SECTOR };
          assert.is(requests.run({ operation: WRITE_ZEROES, ...range, unmap }), 0);
          const expected = new Uint8Array(capacity).fill(0xee);
          expected.fill(0, range.offset, range.offset + range.length);
          assert.ok(Buffer.compare(requests.read(0, capacity), expected) === 0, `unmap ${unmap}`);
        }
      },
      capacity,
    );
  });

  test("a read past the end is short, one at the end empty", async () => {
    await withDisk(kind, 2, (requests) => {
      requests.write(CAPACITY - SECTOR, pattern(SECTOR, 1));
      const past = { operation: READ, offset: CAPACITY - SECTOR, length: 4 * SECTOR };
      assert.is(requests.run(past), SECTOR);
      assert.equal(requests.slot(0).slice(0, SECTOR), pattern(SECTOR, 1));
      assert.is(requests.run({ ...past, offset: CAPACITY }), 0);
    });
  });

  test("nothing to reap, and waits that end", async () => {
    await withDisk(kind, 4, (requests) => {
      const { backend } = requests;
      backend.submit();
      assert.is(requests.reap(), 0);
      const began = performance.now();
      backend.wait(2000);
      backend.wait(10_000_000);
      assert.ok(performance.now() - began < 1000, "waits are cut into slices");
      assert.is(backend.inFlight, 0);
    });
  });

  test("an armed event wakes poll, and never too late", async () => {
    await withDisk(kind, 4, (requests) => {
      const { backend } = requests;
      const events = eventFds();
      const write = { operation: WRITE, offset: 0, length: SECTOR, data: pattern(SECTOR, 3) };
      for (let round = 0; round < 200; round++) {
        assert.is(backend.arm(), true, "nothing waits");
        requests.prepare(round & 3, { ...write, offset: (round & 3) * SECTOR });
        backend.submit();
        if (backend.eventFd >= 0) {
          const found = events.waitReadable(backend.eventFd, -1, -1, 5_000_000);
          assert.is(found, Readable.FIRST, `round ${round}`);
        }
        assert.is(backend.arm(), false, "a completion waits");
        backend.disarm();
        assert.is(requests.drain().size, 1);
      }
      if (backend.eventFd < 0) return;
      // A signal that was given is forgotten by arming.
      assert.is(backend.arm(), true);
      assert.is(events.waitReadable(backend.eventFd, -1, -1, 0), 0);
    });
  });

  test("close with everything in flight", async () => {
    for (let round = 0; round < 5; round++) {
      await withDisk(kind, 64, (requests) => {
        for (let tag = 0; tag < 64; tag++) {
          const operation = tag % 8 === 7 ? FLUSH : tag % 2 === 0 ? READ : WRITE;
          requests.prepare(tag, { operation, offset: tag * SECTOR, length: 2 * SECTOR });
          if (tag === 40) requests.backend.submit();
        }
        if (round % 2 === 0) requests.backend.submit();
        requests.backend.close();
        assert.is(requests.backend.inFlight, 0);
        assert.is(requests.reap(), 0);
        const slots = Array.from({ length: 64 }, (_, tag) =>
          requests
            .slot(tag)
            .subarray(0, 2 * SECTOR)
            .fill(0x77),
        );
        const end = performance.now() + 5;
        while (performance.now() < end);
        for (const slot of slots)
          assert.ok(
            slot.every((byte) => byte === 0x77),
            "written late",
          );
        requests.backend.close();
      });
    }
  });

  test.run();
}
