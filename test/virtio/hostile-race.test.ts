/**
 * A second thread of the guest rewrites descriptors, headers and indirect tables while the server walks them: what was
 * checked is no longer what lies in memory. Whatever is served lies inside the window and inside the disk all the same.
 */
import { Worker } from "node:worker_threads";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { BlkServer } from "../../host/virtio/blk-server";
import { QueueFault } from "../../host/virtio/queue-fault";
import { BlkBench, DISK } from "./blk-driver";

const test = suite("hostile race");

const RUN_MS = 1500;
const SIZE = 16;

/** Rewrites single words of the descriptors, of an indirect table and of the headers, good values and bad. */
const SCRIBBLER = `
const { workerData, parentPort } = require("node:worker_threads");
const koffi = require("koffi");
const { address, length, offset, desc, table, free, size, stop } = workerData;
const view = new DataView(koffi.view(BigInt(address), length));
const words = new Int32Array(stop);
let seed = 12345;
const random = (limit) => {
  seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
  return (seed >>> 8) % limit;
};
const pick = (values) => values[random(values.length)];
parentPort.postMessage("started");
let count = 0;
while (Atomics.load(words, 0) === 0) {
  const place = pick([desc, table]) - offset + random(size) * 16;
  switch (random(6)) {
    case 0:
      view.setUint32(place, pick([free, free + 16, free + 512, free + 4096, offset, offset + length - 1, 0]), true);
      break;
    case 1:
      view.setUint32(place + 4, random(50) === 0 ? 1 : 0, true);
      break;
    case 2:
      view.setUint32(place + 8, pick([16, 1, 512, 513, 4096, 32, 0xffffffff, 0]), true);
      break;
    case 3:
      view.setUint16(place + 12, pick([0, 1, 2, 3, 1, 3, 4]), true);
      break;
    case 4:
      view.setUint16(place + 14, random(size + 1), true);
      break;
    default: {
      const header = free - offset + pick([0, 16, 512, 4096]);
      view.setUint32(header, pick([0, 1, 4, 8, 11, 13, 99]), true);
      view.setUint32(header + 8, pick([0, 1, 511, 512, 0xffffffff]), true);
      view.setUint32(header + 12, random(10) === 0 ? 0xffffffff : 0, true);
    }
  }
  count++;
}
parentPort.postMessage(count);
`;

function nextMessage(worker: Worker): Promise<unknown> {
  return new Promise((resolve, reject) => {
    worker.once("message", resolve);
    worker.once("error", reject);
  });
}

test("descriptors that change while they are walked", async () => {
  const bench = new BlkBench({ size: SIZE, depth: SIZE });
  const stop = new SharedArrayBuffer(4);
  const { buffer, offset, deviceAddress } = bench.area.window;
  const { setup } = bench.driver;
  const table = bench.free + 65536;
  const worker = new Worker(SCRIBBLER, {
    eval: true,
    workerData: {
      address: deviceAddress,
      length: buffer.byteLength,
      offset,
      desc: setup.descOffset,
      table,
      free: bench.free,
      size: SIZE,
      stop,
    },
  });
  const faults = new Map<QueueFault, number>();
  let served = 0;
  let { server } = bench;
  try {
    await nextMessage(worker);
    const end = performance.now() + RUN_MS;
    for (let round = 0; performance.now() < end; round++) {
      bench.driver.offer(round % SIZE);
      bench.driver.publish();
      served += server.serveAvail();
      assert.ok(server.drain(() => false));
      bench.backend.log.length = 0;
      if (server.fault === QueueFault.NONE) continue;
      // The driver resets the device, and goes on.
      faults.set(server.fault, (faults.get(server.fault) ?? 0) + 1);
      server = new BlkServer({
        window: bench.area.window,
        queue: { ...setup, availIndex: bench.driver.availIndex },
        backend: bench.backend,
        disk: DISK,
        vectors: bench.vectors,
      });
    }
    Atomics.store(new Int32Array(stop), 0, 1);
    const scribbles = await nextMessage(worker);
    const broken = [...faults.values()].reduce((sum, count) => sum + count, 0);
    console.log(`${served} chains taken, queue broken ${broken} times, ${scribbles} scribbles`);
    assert.ok(served > 100 && faults.size > 3, `the race was none: ${served}, ${faults.size}`);
    bench.area.check();
    bench.backend.check();
  } finally {
    Atomics.store(new Int32Array(stop), 0, 1);
    await worker.terminate();
    bench.vectors.release();
    bench.area.release();
  }
});

test.run();
