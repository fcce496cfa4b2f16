/**
 * The thread that serves a disk is killed while it waits for what it had in flight: what it opened is still known, so
 * that the embedder's thread closes it. The read in flight is one that cannot be cancelled and takes long: of a file in
 * shared memory, into the same few buffers again and again.
 */
import { closeSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { VirtioBlkFeature } from "../../assembly/abi/index";
import { DeviceControl } from "../../host/datapath/control";
import { ServedDisk } from "../../host/datapath/served-disk";
import { linuxSyscalls } from "../../host/ffi/linux";
import { viewWindow } from "../../host/memory/window";
import { type BackendRemains, closeRemains } from "../../host/virtio/aio";
import { leakedSince, takeResources } from "../hostile/resources";
import { makeFile } from "../virtio/aio/kinds";
import { CanaryArea } from "../virtio/canary-area";
import { ModelDriver } from "../virtio/driver";

const test = suite("datapath/served-disk");

const CAPACITY = 2 ** 31;
const WINDOW_BYTES = 24 << 20;
const SEGMENT_BYTES = 16 << 20;
const SEGMENTS = 120;

interface Start {
  fd: number;
  control: SharedArrayBuffer;
}

/** What the killed thread does: takes one long read, and ends. */
async function serve({ fd, control: shared }: Start): Promise<void> {
  const control = new DeviceControl(shared);
  const syscalls = linuxSyscalls();
  const mapping = control.window();
  assert.ok(mapping !== null);
  const served = new ServedDisk({
    what: "the test's disk",
    disk: {
      capacityBytes: CAPACITY,
      blockBytes: 512,
      readOnly: true,
      discard: false,
      writeZeroes: false,
      serial: "long",
    },
    source: { kind: "file", fd, aio: "io_uring", pool: null },
    control,
    syscalls,
  });
  const { offset, deviceAddress } = mapping;
  const window = { buffer: viewWindow(mapping, syscalls), offset, deviceAddress };
  const features = 1n << BigInt(VirtioBlkFeature.FLUSH);
  const driver = new ModelDriver({ window, size: 4, features });
  assert.is(served.start(driver.setup), 0);
  const free = Math.ceil(driver.end / 4096) * 4096;
  const data = { offset: free + 4096, length: SEGMENT_BYTES, write: true };
  driver.addIndirect(
    [
      { offset: free, length: 16, write: false },
      ...Array.from({ length: SEGMENTS }, () => data),
      { offset: free + 16, length: 1, write: true },
    ],
    free + 64,
  );
  driver.publish();
  served.server?.serveAvail();
  // Until a thread of the kernel is at it.
  await sleep(50);
  parentPort?.postMessage({ remains: served.backend.remains, inFlight: served.server?.inFlight });
  await sleep(1);
  assert.is(
    served.stop(() => true),
    -5,
  );
  parentPort?.postMessage("closed");
}

async function killed(fd: number): Promise<{ control: DeviceControl; remains: BackendRemains }> {
  const area = new CanaryArea(WINDOW_BYTES);
  const control = new DeviceControl();
  const { offset, deviceAddress } = area.window;
  control.publishWindow({ offset, length: WINDOW_BYTES, memfd: 0, deviceAddress });
  const workerData: Start = { fd, control: control.shared };
  const worker = new Worker(fileURLToPath(import.meta.url), { workerData });
  const messages: unknown[] = [];
  const first = await new Promise<{ remains: BackendRemains; inFlight: number }>(
    (resolve, reject) => {
      worker.on("message", (message) => {
        messages.push(message);
        if (messages.length === 1) resolve(message);
      });
      worker.once("error", reject);
    },
  );
  assert.is(first.inFlight, 1);
  await sleep(30);
  await worker.terminate();
  assert.is(messages.length, 1, "it was killed in the middle");
  area.check();
  area.release();
  return { control, remains: first.remains };
}

test("what a thread had open that was killed while it closed is closed by another", async () => {
  const syscalls = linuxSyscalls();
  const file = makeFile("/dev/shm", CAPACITY);
  // koffi and libuv keep something of the first thread.
  for (let round = 0, before = takeResources(); round < 3; round++) {
    if (round === 1) before = takeResources();
    const { control, remains } = await killed(file.fd);
    assert.ok(control.claimBackend(), "nobody else closes it");
    await closeRemains(remains, syscalls);
    const vectors = control.takeVectors();
    assert.ok(vectors !== null);
    syscalls.munmap(BigInt(vectors.address), vectors.length);
    if (round === 2) assert.equal(await leakedSince(before, 2), []);
  }
  closeSync(file.fd);
  file.remove();
});

test("a driver that starts and resets its device again and again costs no memory", () => {
  const real = linuxSyscalls();
  let views = 0;
  // Views on native memory are given back only when an event loop turns, and a device's thread never lets it.
  const syscalls = {
    ...real,
    viewOf: (address: bigint, length: number) => {
      views++;
      return real.viewOf(address, length);
    },
  };
  const area = new CanaryArea(1 << 20);
  const control = new DeviceControl();
  const { offset, deviceAddress } = area.window;
  control.publishWindow({ offset, length: 1 << 20, memfd: 0, deviceAddress });
  const capacityBytes = 1 << 20;
  const disk = { capacityBytes, blockBytes: 512, readOnly: false, serial: "again" };
  const served = new ServedDisk({
    what: "the test's disk",
    disk: { ...disk, discard: true, writeZeroes: true },
    source: { kind: "ram", capacityBytes },
    control,
    syscalls,
  });
  const { setup } = new ModelDriver({ window: area.window, size: 8 });
  for (let round = 0; round < 100; round++) {
    assert.is(served.start(setup), 0);
    assert.is(
      served.stop(() => false),
      0,
    );
  }
  assert.ok(views <= 2, `${views} views`);
  served.close();
  assert.is(control.takeVectors(), null);
  assert.is(served.start(setup), -22);
  area.check();
  area.release();
});

if (isMainThread) test.run();
else void serve(workerData as Start);
