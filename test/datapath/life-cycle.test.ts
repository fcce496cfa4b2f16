/**
 * The life of a device as vDPA knows it, with whoever really serves it: features, status, reset, suspend and resume with
 * requests in flight, the queue's state got and set. The same state machine over a fake is in test/virtio/blk-device.
 */
import { pathToFileURL } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Errno, VirtioBlkStatus, VirtioBlkType, VirtioStatus } from "../../host/abi";
import { checkDevices } from "../../host/datapath/check";
import { openDevices } from "../../host/datapath/devices";
import { openService } from "../../host/datapath/open-service";
import { loadSyscalls } from "../../host/ffi";
import { GuestMemory } from "../../host/memory/guest-memory";
import type { BlkDevice } from "../../host/virtio/blk-device";
import { leakedSince, takeResources } from "../hostile/resources";
import { makeDisk, SERVED_PATHS, type ServedPath, threadsOf } from "./paths";
import { BUFFER_BYTES, DEPTH, DiskDriver, MEMORY_PAGES, PAGE } from "./vhost-user-blk/disk-driver";

const test = suite("datapath/life-cycle");

const { IN, OUT, FLUSH } = VirtioBlkType;
const { OK } = VirtioBlkStatus;
const RUNNING =
  VirtioStatus.ACKNOWLEDGE |
  VirtioStatus.DRIVER |
  VirtioStatus.FEATURES_OK |
  VirtioStatus.DRIVER_OK;
const WORKER = pathToFileURL("dist/device-worker.cjs");
const disk = makeDisk(1 << 20);
process.on("exit", () => disk.remove());

const { syscalls, reason } = loadSyscalls();
if (syscalls === null) console.log(`skipped: devices need Linux: ${reason}`);

interface Rig {
  device: BlkDevice;
  driver: DiskDriver;
  features: bigint;
}

/** A device of this path whose driver, and whose guest's thread, is the test. */
async function withDevice(path: ServedPath, body: (rig: Rig) => void): Promise<void> {
  if (syscalls === null) return;
  const requests = checkDevices({ disk: path.request(disk.file) });
  const devices = openDevices(requests, { syscalls, reason }, WORKER);
  const memory = new GuestMemory(new WebAssembly.Memory({ initial: MEMORY_PAGES }));
  let device: BlkDevice | null = null;
  try {
    await devices.start();
    const [plan] = devices.plans();
    assert.ok(plan !== undefined);
    device = openService(plan, {
      ...{ memory: () => memory, syscalls, pageBytes: PAGE },
      stop: { stopped: () => false },
      onBackend: (remains) => devices.noteBackend(0, remains),
      onRefusal: (sentence) => assert.unreachable(sentence),
      onFailure: (sentence) => assert.unreachable(sentence),
    });
    const driver = new DiskDriver(device, memory);
    assert.is(driver.open(), 0);
    body({ device, driver, features: device.getDeviceFeatures() });
  } finally {
    device?.close();
    await devices.stop();
    devices.close();
  }
}

function onEveryPath(name: string, body: (rig: Rig) => void): void {
  // The pool of aio threads is no part of a device's life: it is the one path that the bundled test cannot start.
  for (const path of SERVED_PATHS.filter((served) => !served.name.includes("threads"))) {
    test(`${path.name}: ${name}`, async () => {
      const before = takeResources();
      await withDevice(path, body);
      assert.equal(await leakedSince(before, threadsOf(path)), []);
    });
  }
}

function allOk(completions: readonly { status: number }[]): void {
  for (const { status } of completions) assert.is(status, OK);
}

onEveryPath("features that it did not offer are refused", ({ driver, device, features }) => {
  assert.throws(() => driver.start(features | (1n << 50n)), /features refused/);
  assert.is(device.getStatus() & VirtioStatus.FEATURES_OK, 0);
  assert.is(driver.start(features), 0);
  assert.is(device.getStatus(), RUNNING);
  assert.is(device.getQueueState(), -Errno.EBUSY, "it is served");
  assert.is(driver.request(IN, 0, 512), OK);
});

onEveryPath("a reset forgets the queue and keeps the disk", ({ driver, device, features }) => {
  for (let round = 0; round < 3; round++) {
    assert.is(driver.start(features), 0);
    driver.buffer(0).fill(0x40 + round, 0, 4096);
    assert.is(driver.request(OUT, 8 * round, 4096), OK);
    assert.is(driver.request(FLUSH, 0, 0), OK);
    for (let tag = 0; tag < DEPTH; tag++) driver.submit(tag, IN, 0, BUFFER_BYTES);
    driver.kick();
    assert.is(device.setStatus(0), 0, "with requests in flight");
    assert.is(device.getStatus(), 0);
    assert.is(device.getQueueState(), 0);
    assert.is(device.kickQueue(), -Errno.EINVAL);
  }
  assert.is(driver.start(features), 0);
  for (let round = 0; round < 3; round++) {
    assert.is(driver.request(IN, 8 * round, 4096), OK);
    assert.ok(
      driver
        .buffer(0)
        .subarray(0, 4096)
        .every((byte) => byte === 0x40 + round),
    );
  }
});

onEveryPath("suspended and resumed, nothing is lost and nothing done twice", (rig) => {
  const { driver, device, features } = rig;
  assert.is(driver.start(features), 0);
  let submitted = 0;
  for (let round = 0; round < 20; round++) {
    for (let tag = 0; tag < DEPTH; tag++) driver.submit(tag, IN, 8 * tag, 4096);
    driver.kick();
    assert.is(device.suspend(), 0);
    assert.is(device.getStatus(), RUNNING, "the driver does not notice");
    // What was taken is complete; the rest waits in the avail ring.
    const state = device.getQueueState();
    const done = driver.reap();
    allOk(done);
    assert.is(done.length, state - submitted);
    submitted += DEPTH;
    assert.is(driver.kick(), 0, "kept for the resumption");
    assert.is(device.getQueueState(), state, "nothing is taken meanwhile");
    assert.is(device.resume(), 0);
    allOk(driver.complete(DEPTH - done.length));
  }
  assert.is(device.suspend(), 0);
  assert.is(device.getQueueState(), submitted);
  assert.equal(driver.reap(), []);
});

onEveryPath("begins at the queue's state that it is given, as after a migration", (rig) => {
  const { driver, device, features } = rig;
  assert.is(driver.start(features), 0);
  for (let tag = 0; tag < DEPTH; tag++) driver.submit(tag, IN, 0, 512);
  driver.kick();
  allOk(driver.complete(DEPTH));
  assert.is(device.suspend(), 0);
  const state = device.getQueueState();
  assert.is(state, DEPTH);
  const { size, addresses } = device.queue;
  assert.is(device.setStatus(0), 0);

  // The device that begins knows nothing; the driver's rings are as they were, and hold a new request.
  driver.submit(3, IN, 0, 512);
  const ready = RUNNING & ~VirtioStatus.DRIVER_OK;
  device.setStatus(VirtioStatus.ACKNOWLEDGE | VirtioStatus.DRIVER);
  device.setDriverFeatures(features);
  device.setStatus(ready);
  device.queue.setSize(size);
  device.queue.setAddresses(addresses);
  assert.is(device.setQueueState(state), 0);
  assert.is(device.setQueueReady(true), 0);
  assert.is(device.setStatus(RUNNING), 0);
  assert.is(device.setQueueState(0), -Errno.EBUSY);
  assert.is(driver.kick(), 0);
  const [again] = driver.complete(1);
  assert.is(again?.tag, 3);
  assert.is(again?.status, OK);
  assert.equal(driver.reap(), []);
});

test.run();
