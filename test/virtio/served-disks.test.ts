/**
 * The server of a queue over every back end and real files: batches of requests in flight together, checked against a
 * model of the disk. A batch gives each request its own stretch of the disk, because virtio orders nothing among them.
 */
import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { VirtioBlkFeature, VirtioBlkStatus, VirtioBlkType } from "../../assembly/abi/index";
import { linuxSyscalls } from "../../host/ffi/linux";
import { BlkServer } from "../../host/virtio/blk-server";
import { VectorTables } from "../../host/virtio/vector-tables";
import { type Disk, everyKind, type Kind } from "./aio/kinds";
import { CanaryArea } from "./canary-area";
import { type ChainBuffer, ModelDriver } from "./driver";

const { IN, OUT, FLUSH, DISCARD, WRITE_ZEROES } = VirtioBlkType;

const SLOTS = 12;
const SLOT_SECTORS = 16;
const SLOT_BYTES = SLOT_SECTORS * 512;
const CAPACITY = SLOTS * SLOT_BYTES;
/** Fewer than the requests of a batch, so that some wait in the ring. */
const DEPTH = 8;
const RUNS = 6;
/** How long a request may take at most. */
const PATIENCE_MS = 20_000;

interface Step {
  type: VirtioBlkType;
  /** Inside the request's slot. */
  sector: number;
  sectors: number;
  /** In how many buffers the data comes. */
  pieces: number;
  seed: number;
  unmap: boolean;
}

const step: fc.Arbitrary<Step> = fc
  .record({
    type: fc.constantFrom(IN, IN, OUT, OUT, FLUSH, DISCARD, WRITE_ZEROES),
    sector: fc.nat(SLOT_SECTORS - 1),
    sectors: fc.integer({ min: 1, max: SLOT_SECTORS }),
    pieces: fc.integer({ min: 1, max: 4 }),
    seed: fc.nat(255),
    unmap: fc.boolean(),
  })
  .map((one) => ({ ...one, sectors: Math.min(one.sectors, SLOT_SECTORS - one.sector) }));

const batches = fc.array(fc.array(step, { minLength: 1, maxLength: SLOTS }), { maxLength: 12 });

/** What is on the disk; null where a discard left it open. */
class Model {
  readonly bytes: (number | null)[] = new Array(CAPACITY).fill(0);

  apply({ type, sectors, seed }: Step, start: number): void {
    if (type === IN || type === FLUSH) return;
    for (let index = 0; index < sectors * 512; index++) {
      const value = type === OUT ? patternAt(index, seed) : type === DISCARD ? null : 0;
      this.bytes[start + index] = value;
    }
  }

  check(start: number, actual: Uint8Array, what: string): void {
    const wrong = actual.findIndex((byte, index) => {
      const expected = this.bytes[start + index];
      return expected !== null && expected !== byte;
    });
    assert.is(wrong, -1, `${what}: byte ${start + wrong} of the disk`);
  }
}

function patternAt(index: number, seed: number): number {
  return (index * 13 + seed) & 0xff;
}

/** A driver, a server and a disk, for one run. */
class Run {
  readonly area = new CanaryArea(1 << 20);
  readonly driver: ModelDriver;
  readonly server: BlkServer;
  readonly model = new Model();
  readonly #vectors: VectorTables;
  readonly #disk: Disk;
  readonly #free: number;

  constructor(disk: Disk, eventIndex: boolean) {
    this.#disk = disk;
    const features = 1n << BigInt(VirtioBlkFeature.FLUSH);
    this.driver = new ModelDriver({ window: this.area.window, size: 16, eventIndex, features });
    this.#vectors = new VectorTables(DEPTH, this.area.window.deviceAddress, linuxSyscalls());
    this.server = new BlkServer({
      window: this.area.window,
      queue: this.driver.setup,
      backend: disk.backend,
      disk: {
        capacityBytes: CAPACITY,
        blockBytes: 512,
        readOnly: false,
        discard: true,
        writeZeroes: true,
        serial: "served",
      },
      vectors: this.#vectors,
    });
    this.#free = Math.ceil(this.driver.end / 4096) * 4096;
  }

  batch(steps: readonly Step[]): void {
    const heads = steps.map((one, slot) => this.#add(one, slot));
    this.driver.publish();
    const used = this.#serve(steps.length);
    steps.forEach((one, slot) => {
      const { type, sector, sectors } = one;
      const start = slot * SLOT_BYTES + sector * 512;
      const place = this.#place(slot);
      const what = `${VirtioBlkType[type]} of ${sectors} sectors`;
      const status = this.area.at(place + 16, 1)[0];
      const mayRefuse = type === DISCARD || type === WRITE_ZEROES;
      if (mayRefuse && status === VirtioBlkStatus.UNSUPP) return;
      assert.is(status, VirtioBlkStatus.OK, what);
      assert.is(used.get(heads[slot] ?? -1), type === IN ? sectors * 512 + 1 : 1, what);
      if (type === IN) this.model.check(start, this.area.at(place + 4096, sectors * 512), what);
      this.model.apply(one, start);
    });
  }

  close(): void {
    assert.ok(this.server.drain(() => false));
    this.area.check();
    this.#vectors.release();
    this.area.release();
  }

  #place(slot: number): number {
    return this.#free + slot * (4096 + SLOT_BYTES);
  }

  #add({ type, sector, sectors, pieces, seed, unmap }: Step, slot: number): number {
    const place = this.#place(slot);
    const header = new DataView(this.area.window.buffer, place - this.area.window.offset, 48);
    const first = BigInt(slot * SLOT_SECTORS + sector);
    header.setUint32(0, type, true);
    header.setBigUint64(8, type === IN || type === OUT ? first : 0n, true);
    header.setUint8(16, 0xee);
    header.setBigUint64(32, first, true);
    header.setUint32(40, sectors, true);
    header.setUint32(44, type === WRITE_ZEROES && unmap ? 1 : 0, true);
    const bytes = sectors * 512;
    const data = this.area.at(place + 4096, bytes);
    if (type === OUT)
      data.forEach((_, index) => {
        data[index] = patternAt(index, seed);
      });
    else data.fill(0xdd);
    const range = { offset: place + 32, length: 16, write: false };
    const moved = type === IN || type === OUT;
    const middle = moved ? cut(place + 4096, sectors, pieces, type === IN) : [range];
    return this.driver.addIndirect(
      [
        { offset: place, length: 16, write: false },
        ...(type === FLUSH ? [] : middle),
        { offset: place + 16, length: 1, write: true },
      ],
      place + 64,
    );
  }

  /** Until `count` are used; their lengths by head. */
  #serve(count: number): Map<number, number> {
    const used = new Map<number, number>();
    const end = performance.now() + PATIENCE_MS;
    while (used.size < count) {
      this.server.serveAvail();
      assert.ok(this.server.inFlight <= DEPTH);
      if (this.server.reapCompletions() === 0) this.#disk.backend.wait(10_000);
      for (const { id, length } of this.driver.reap()) used.set(id, length);
      assert.ok(performance.now() < end, `${used.size} of ${count} requests were answered`);
    }
    return used;
  }
}

/** Whole sectors, in buffers of about the same length: past the page cache they must be aligned. */
function cut(offset: number, sectors: number, pieces: number, write: boolean): ChainBuffer[] {
  const each = Math.ceil(sectors / pieces);
  const buffers: ChainBuffer[] = [];
  for (let at = 0; at < sectors; at += each) {
    const length = Math.min(each, sectors - at) * 512;
    buffers.push({ offset: offset + at * 512, length, write });
  }
  return buffers;
}

async function check(kind: Kind, eventIndex: boolean, script: readonly Step[][]): Promise<void> {
  const disk = await kind.open(CAPACITY, DEPTH);
  const run = new Run(disk, eventIndex);
  try {
    for (const steps of script) run.batch(steps);
    const content = disk.content();
    if (content !== null) run.model.check(0, content, "the file");
  } finally {
    run.close();
    await disk.close();
  }
}

const test = suite("served disks");

for (const kind of everyKind()) {
  test(`${kind.name}: random batches against a model`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.boolean(), batches, (eventIndex, script) =>
        check(kind, eventIndex, script),
      ),
      { numRuns: RUNS },
    );
  });
}

test.run();
