/**
 * The virtqueue against a device that we did not write: qemu-storage-daemon, over a raw file, a qcow2 image and an NBD
 * export of a second daemon. What the driver writes is read back from the image by other means.
 */
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { VirtioBlkStatus, VirtioBlkType, VirtioFeature } from "../../../host/abi";
import { BUFFER_BYTES, DEPTH, type DiskDriver } from "./disk-driver";
import { placesOf, SECTORS, serveRaw } from "./place";
import { makeRig } from "./rig";
import { freePort, qemuImage, startDaemon, startNbdDaemon } from "./storage-daemon";

const daemon = suite("datapath/vhost-user-blk/daemon");
const withPlace = placesOf(daemon);

/** A type that virtio does not know. */
const FOREIGN: number = 99;
const { IN, OUT, FLUSH, DISCARD, WRITE_ZEROES, GET_ID } = VirtioBlkType;

/** Writes random blocks all over the disk, DEPTH at a time, keeps a model, and reads it all back. */
function exercise(driver: DiskDriver, rounds: number): Buffer {
  const model = Buffer.alloc(SECTORS * 512);
  const places = SECTORS / (BUFFER_BYTES / 512);
  for (let round = 0; round < rounds; round++) {
    for (let tag = 0; tag < DEPTH; tag++) {
      // Each place once a round, so that the order of requests in flight does not matter.
      const sector = ((round * 7 + tag * 3) % places) * (BUFFER_BYTES / 512);
      const bytes = randomBytes(512 * (1 + ((round + tag) % 9)));
      driver.buffer(tag).set(bytes);
      bytes.copy(model, sector * 512);
      driver.submit(tag, OUT, sector, bytes.length);
    }
    assert.is(driver.kick(), 0);
    for (const { status } of driver.complete(DEPTH)) assert.is(status, VirtioBlkStatus.OK);
  }
  assert.is(driver.request(FLUSH, 0, 0), VirtioBlkStatus.OK);
  for (let sector = 0; sector < SECTORS; sector += BUFFER_BYTES / 512) {
    assert.is(driver.request(IN, sector, BUFFER_BYTES), VirtioBlkStatus.OK);
    const expected = model.subarray(sector * 512, sector * 512 + BUFFER_BYTES);
    assert.is(Buffer.compare(driver.buffer(0), expected), 0, `sector ${sector}`);
  }
  return model;
}

withPlace("a raw file: what is written is in the file", async (place) => {
  await serveRaw(place);
  const { driver, plan, close, failures } = await makeRig({ socket: place.socket });
  assert.is(plan.description.capacityBytes, SECTORS * 512);
  assert.is(driver.open(), 0);
  assert.is(driver.start(plan.description.features), 0);
  const model = exercise(driver, 20);
  close();
  assert.is(Buffer.compare(readFileSync(place.raw), model), 0);
  assert.equal(failures, []);
});

withPlace("a qcow2 image: what is written is what qemu-img sees", async (place) => {
  const { folder, socket } = place;
  const image = join(folder, "image.qcow2");
  qemuImage("create", "-q", "-f", "qcow2", image, `${SECTORS * 512}`);
  const more = ["--blockdev", `driver=file,filename=${image},node-name=file`];
  place.running.push(await startDaemon({ blockdev: "driver=qcow2,file=file", socket, more }));
  const { driver, plan, close } = await makeRig({ socket });
  driver.open();
  assert.is(driver.start(plan.description.features), 0);
  const model = exercise(driver, 20);
  close();
  for (const { kill } of place.running) await kill();
  const converted = join(folder, "converted");
  qemuImage("convert", "-f", "qcow2", "-O", "raw", image, converted);
  assert.is(Buffer.compare(readFileSync(converted), model), 0);
});

withPlace("an NBD export of a second daemon: a disk on another machine", async (place) => {
  const { folder, raw, socket, running } = place;
  const port = await freePort();
  running.push(await startNbdDaemon(raw, port, join(folder, "pid")));
  const blockdev = `driver=nbd,server.type=inet,server.host=127.0.0.1,server.port=${port},export=disk`;
  running.push(await startDaemon({ blockdev, socket }));
  const { driver, plan, close } = await makeRig({ socket });
  driver.open();
  assert.is(driver.start(plan.description.features), 0);
  const model = exercise(driver, 10);
  close();
  assert.is(Buffer.compare(readFileSync(raw), model), 0);
});

withPlace("GET_ID, discard, write zeroes, and what the disk does not have", async (place) => {
  await serveRaw(place);
  const { driver, plan, close, memory } = await makeRig({ socket: place.socket });
  driver.open();
  assert.is(driver.start(plan.description.features), 0);
  assert.is(driver.request(GET_ID, 0, 20), VirtioBlkStatus.OK);
  assert.match(Buffer.from(driver.buffer(0).subarray(0, 20)).toString(), /^vhost_user_blk/);
  driver.buffer(0).fill(7);
  assert.is(driver.request(OUT, 8, 4096), VirtioBlkStatus.OK);
  for (const type of [WRITE_ZEROES, DISCARD]) {
    const range = new DataView(memory.bytes.buffer, driver.buffer(0).byteOffset);
    range.setBigUint64(0, 8n, true);
    range.setUint32(8, 4, true);
    range.setUint32(12, 0, true);
    assert.is(driver.request(type, 0, 16), VirtioBlkStatus.OK);
  }
  assert.is(driver.request(IN, 8, 4096), VirtioBlkStatus.OK);
  assert.ok(
    driver
      .buffer(0)
      .subarray(0, 2048)
      .every((byte) => byte === 0),
  );
  assert.ok(
    driver
      .buffer(0)
      .subarray(2048, 4096)
      .every((byte) => byte === 7),
  );
  assert.is(driver.request(IN, SECTORS, 512), VirtioBlkStatus.IOERR);
  assert.is(driver.request(FOREIGN, 0, 512), VirtioBlkStatus.UNSUPP);
  close();
});

withPlace("a read-only export says so and refuses writes", async (place) => {
  await serveRaw(place, false);
  const { driver, plan, close } = await makeRig({ socket: place.socket });
  assert.ok(plan.description.readOnly);
  driver.open();
  assert.is(driver.start(plan.description.features), 0);
  assert.is(driver.request(OUT, 0, 512), VirtioBlkStatus.IOERR);
  assert.is(driver.request(IN, 0, 512), VirtioBlkStatus.OK);
  close();
});

withPlace("without event index and indirect descriptors; indices that wrap", async (place) => {
  await serveRaw(place);
  const { driver, close } = await makeRig({ socket: place.socket });
  driver.open();
  assert.is(driver.start(1n << BigInt(VirtioFeature.VERSION_1)), 0);
  for (let count = 0; count < 66_000; count += DEPTH) {
    for (let tag = 0; tag < DEPTH; tag++) driver.submit(tag, IN, tag, 512);
    driver.kick();
    for (const { status } of driver.complete(DEPTH)) assert.is(status, VirtioBlkStatus.OK);
  }
  close();
});

withPlace(
  "a queue that is stopped goes on where it was, with requests in flight",
  async (place) => {
    await serveRaw(place);
    const { driver, plan, device, close, failures } = await makeRig({ socket: place.socket });
    driver.open();
    assert.is(driver.start(plan.description.features), 0);
    for (let round = 0; round < 30; round++) {
      for (let tag = 0; tag < DEPTH; tag++) driver.submit(tag, IN, tag * 8, BUFFER_BYTES);
      driver.kick();
      assert.is(device.suspend(), 0);
      assert.is(device.resume(), 0);
      for (const { status } of driver.complete(DEPTH)) assert.is(status, VirtioBlkStatus.OK);
    }
    for (let round = 0; round < 5; round++) {
      driver.submit(0, IN, 0, BUFFER_BYTES);
      driver.kick();
      assert.is(driver.start(plan.description.features), 0, "reset with a request in flight");
      assert.is(driver.request(IN, 0, 512), VirtioBlkStatus.OK);
    }
    assert.equal(failures, []);
    close();
  },
);

withPlace("the guest's memory grows while the daemon serves", async (place) => {
  await serveRaw(place);
  const { driver, plan, memory, close } = await makeRig({ socket: place.socket });
  driver.open();
  assert.is(driver.start(plan.description.features), 0);
  memory.memory.grow(3);
  driver.buffer(0).fill(9);
  assert.is(driver.request(OUT, 16, 512), VirtioBlkStatus.OK);
  close();
  assert.is(readFileSync(place.raw)[16 * 512], 9);
});

daemon.run();
