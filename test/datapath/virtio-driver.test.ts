/**
 * The driver of assembly/virtq.ts and assembly/datapath/virtio-block.ts against a device in this thread: random
 * sequences on queues of all sizes, with and without each feature, and devices that lie.
 */
import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  VirtioBlkConfig,
  VirtioBlkFeature,
  VirtioBlkStatus,
  VirtioBlkType,
  VirtioFeature,
} from "../../assembly/abi/index";
import { type BlkDisk, describeDisk } from "../../host/virtio/blk-config";
import type { BlkDescription } from "../../host/virtio/blk-device";
import { DiskModel, hashOf, parseTraits, SECTOR } from "./disk-model";
import { checkAnswers, ScriptWriter, stepsOn } from "./script";
import { playOnDevice } from "./scripted-device";
import type { Behaviour } from "./scripted-service";

const driver = suite("virtio driver");

const CAPACITY = 256 * SECTOR;

const plain: BlkDisk = {
  capacityBytes: CAPACITY,
  blockBytes: 512,
  readOnly: false,
  discard: true,
  writeZeroes: true,
  serial: "test",
};

interface Setting {
  disk?: Partial<BlkDisk>;
  queueSizeMax?: number;
  /** Bits of features that the driver is told not to take. */
  without?: readonly number[];
  depth?: number;
  behaviour?: Behaviour;
  /** Changes what the device says of itself. */
  describe?: (description: BlkDescription) => BlkDescription;
}

function play(script: string, bytes: Uint8Array, setting: Setting) {
  const { disk, queueSizeMax = 1024, without = [], depth = 8, behaviour, describe } = setting;
  const described = { ...describeDisk({ ...plain, ...disk }), queueSizeMax };
  const description = describe === undefined ? described : describe(described);
  const args = ["--depth", String(depth), "--buffer", "16384"];
  if (without.length > 0) args.push("--without", without.join(","));
  return playOnDevice(script, bytes, description, args, behaviour);
}

const features = fc.subarray([VirtioFeature.EVENT_IDX, VirtioFeature.INDIRECT_DESC]);
const settings = fc.record({
  disk: fc.record({
    blockBytes: fc.constantFrom(512, 4096),
    readOnly: fc.oneof({ weight: 5, arbitrary: fc.constant(false) }, fc.constant(true)),
    discard: fc.boolean(),
    writeZeroes: fc.boolean(),
  }),
  queueSizeMax: fc.constantFrom(4, 8, 64, 1024),
  without: features,
  depth: fc.integer({ min: 1, max: 40 }),
  eager: fc.boolean(),
  selfRunning: fc.boolean(),
  seed: fc.nat(),
});

driver("random sequences agree with the model, whatever was negotiated", () => {
  const property = fc.property(settings, stepsOn(CAPACITY), (setting, steps) => {
    const { eager, selfRunning, seed, ...rest } = setting;
    let state = seed;
    const pick = (count: number) => {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      return (state >>> 8) % count;
    };
    const played = { ...rest, behaviour: { eager, selfRunning, pick } };
    const bytes = new Uint8Array(CAPACITY);
    const traits = parseTraits(play("", bytes, played).lines[0] ?? "");
    assert.is(traits.capacityBytes, CAPACITY);
    const model = new DiskModel(traits, new Uint8Array(CAPACITY));
    const writer = new ScriptWriter(model);
    for (const step of steps) writer.step(step);
    writer.readAll(16384);
    const { lines, exitCode, stderr } = play(writer.text, bytes, played);
    assert.is(`${exitCode} ${stderr}`, "0 ");
    checkAnswers(lines.slice(1), writer.expected);
  });
  fc.assert(property, { numRuns: 150 });
});

for (const size of [1, 2, 4, 16, 64, 256, 1024]) {
  for (const without of [[], [VirtioFeature.EVENT_IDX]]) {
    driver(`a queue of ${size} fills, and runs round, without features [${without}]`, () => {
      const bytes = new Uint8Array(CAPACITY).fill(7);
      const lines = Array.from({ length: size * 5 }, (_, index) => `r ${(index % 256) * 512} 512`);
      const setting = { queueSizeMax: size, depth: size, without, behaviour: {} };
      const played = play(lines.join("\n"), bytes, setting);
      assert.is(parseTraits(played.lines[0] ?? "").depth, size);
      const hash = hashOf(bytes.subarray(0, 512));
      assert.equal(new Set(played.lines.slice(1)), new Set([`512 ${hash}`]));
      assert.is(played.service.completed, size * 5);
    });
  }
}

driver("the indices run round 2^16", () => {
  const bytes = new Uint8Array(CAPACITY).fill(9);
  const script = "r 0 512\n".repeat(70_000);
  const { lines, service } = play(script, bytes, { depth: 16, queueSizeMax: 16 });
  assert.is(lines.length, 70_001);
  assert.equal(new Set(lines.slice(1)), new Set([`512 ${hashOf(bytes.subarray(0, 512))}`]));
  assert.is(service.completed, 70_000);
});

driver("without indirect descriptors a third of the queue's size is in flight", () => {
  const setting = { queueSizeMax: 16, depth: 16, without: [VirtioFeature.INDIRECT_DESC] };
  const { lines } = play("", new Uint8Array(CAPACITY), setting);
  assert.is(parseTraits(lines[0] ?? "").depth, 5);
});

driver("waiting for N with the event index is one kick, one wait and one interrupt", () => {
  const reads = Array.from({ length: 8 }, (_, index) => `r ${index * 512} 512`).join("\n");
  // Before the first interrupt a device does not believe the event index: one request comes first.
  const { service } = play(`r 0 512\ns 1\n${reads}\ns 8`, new Uint8Array(CAPACITY), {});
  assert.equal([service.kicks, service.waits, service.interrupts], [2, 2, 2]);
});

driver("without the event index every completion is an interrupt while the driver waits", () => {
  const reads = Array.from({ length: 8 }, (_, index) => `r ${index * 512} 512`).join("\n");
  const setting = { without: [VirtioFeature.EVENT_IDX] };
  const { service } = play(`${reads}\ns 8`, new Uint8Array(CAPACITY), setting);
  assert.equal([service.kicks, service.waits, service.interrupts], [1, 8, 8]);
});

for (const without of [[], [VirtioFeature.EVENT_IDX]]) {
  driver(`no interrupt for what the driver finds by itself, without [${without}]`, () => {
    const script = "r 0 512\ns 1\n".repeat(20);
    const setting = { without, behaviour: { eager: true } };
    const { service } = play(script, new Uint8Array(CAPACITY), setting);
    // The first one: before it a device does not believe the event index.
    const first = without.length === 0 ? 1 : 0;
    assert.equal([service.kicks, service.waits, service.interrupts], [20, 0, first]);
  });
}

driver("a long discard is done in pieces that the device takes, whole blocks each", () => {
  const sizes: number[] = [];
  const describe = (description: BlkDescription) => {
    const config = description.config.slice();
    new DataView(config.buffer).setUint32(VirtioBlkConfig.MAX_DISCARD_SECTORS, 21, true);
    return { ...description, config };
  };
  const statusOf = (type: number, status: number) => {
    if (type === VirtioBlkType.DISCARD) sizes.push(type);
    return status;
  };
  const bytes = new Uint8Array(CAPACITY);
  const setting = { describe, disk: { blockBytes: 4096 }, behaviour: { statusOf } };
  const { lines } = play(`d 4096 ${100 * 1024}\nr 0 4096`, bytes, setting);
  assert.is(lines[1], "0");
  assert.is(sizes.length, 13, "200 sectors, 16 at a time");
  assert.ok(bytes.subarray(4096, 4096 + 100 * 1024).every((byte) => byte === 0xdd));
  assert.is(bytes[4095], 0);
  assert.is(bytes[4096 + 100 * 1024], 0);
});

driver("a piece that fails ends the discard, and the tag serves again", () => {
  const describe = (description: BlkDescription) => {
    const config = description.config.slice();
    new DataView(config.buffer).setUint32(VirtioBlkConfig.MAX_DISCARD_SECTORS, 8, true);
    return { ...description, config };
  };
  let discards = 0;
  const statusOf = (type: number, status: number) =>
    type === VirtioBlkType.DISCARD && ++discards === 3 ? VirtioBlkStatus.IOERR : status;
  const setting = { describe, depth: 1, behaviour: { statusOf } };
  const { lines } = play("d 0 65536\nf\nd 0 4096\n", new Uint8Array(CAPACITY), setting);
  assert.equal(lines.slice(1), ["-5", "0", "0"]);
});

driver("a status is an errno", () => {
  const statuses: number[] = [VirtioBlkStatus.IOERR, VirtioBlkStatus.UNSUPP, 77, 255];
  const statusOf = () => statuses.shift() ?? VirtioBlkStatus.OK;
  const script = "r 0 512\na\nf\na\nd 0 512\na\nz 0 512 0\na\nw 0 512 1\n";
  const { lines } = play(script, new Uint8Array(CAPACITY), { behaviour: { statusOf } });
  assert.equal(lines.slice(1), ["-5 0", "-95", "-5", "-5", "512"]);
});

for (const [name, headOf] of [
  ["outside the queue", () => 1024],
  ["of a free tag", (head: number) => (head + 1) % 8],
] as const) {
  driver(`a used entry ${name}: the disk is broken, and says so`, () => {
    const played = play("r 0 512\ns 1\nr 0 512\na\n", new Uint8Array(CAPACITY), {
      behaviour: { headOf },
    });
    assert.is(played.exitCode, 3);
    assert.match(played.stderr, /submitAndWait: EIO|woken too early/);
  });
}

driver("a device that is no virtio 1 device is refused", () => {
  const version1 = 1n << BigInt(VirtioFeature.VERSION_1);
  const describe = (description: BlkDescription) => ({
    ...description,
    features: description.features & ~version1,
  });
  const played = play("", new Uint8Array(CAPACITY), { describe });
  assert.is(played.exitCode, 2);
  assert.match(played.stderr, /block device "disk": EPROTONOSUPPORT/);
});

driver("a device without flush says so", () => {
  const flush = 1n << BigInt(VirtioBlkFeature.FLUSH);
  const describe = (description: BlkDescription) => ({
    ...description,
    features: description.features & ~flush,
  });
  const { lines } = play("f\n", new Uint8Array(CAPACITY), { describe });
  assert.is(parseTraits(lines[0] ?? "").canFlush, false);
  assert.is(lines[1], "-95");
});

driver("a disk that is not there is one sentence", () => {
  const description = describeDisk(plain);
  const played = playOnDevice("", new Uint8Array(CAPACITY), description, ["--names", "other"]);
  assert.is(played.exitCode, 2);
  assert.match(played.stderr, /"other": the host gave no device and no file of that name/);
});

driver.run();
