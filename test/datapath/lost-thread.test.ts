/**
 * A device's thread that ends in the middle, whatever for: the guest's wait returns -EIO at once, the device wants a
 * reset, nobody hangs, and nothing is left behind. The same for a guest whose thread is ended while requests are in
 * flight, by a deadline, by an abort, and when it makes no more calls.
 */

import { setTimeout as sleep } from "node:timers/promises";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { createGuest, type GuestOptions, type GuestResult, runGuest } from "wasm-uring";
import { Errno } from "../../host/abi";
import { endOf, guestPath, textOf } from "../guest/guests";
import { leakedSince, type Resources, takeResources } from "../hostile/resources";
import { guestReady, runningWorkers } from "./captured-workers";
import { makeDisk, SERVED_PATHS, type ServedPath, threadsOf, windowMappings } from "./paths";

const test = suite("datapath/lost-thread");

const CAPACITY = 1 << 20;
const GUEST = guestPath("disk-ends");
/** From the end of a thread to the end of its guest; far more than it takes, on a busy machine. */
const LATE_MS_MAX = 5000;

const disk = makeDisk(CAPACITY);
process.on("exit", () => disk.remove());

function optionsOf(path: ServedPath, word: string, more: GuestOptions = {}): GuestOptions {
  return {
    devices: { disk: path.request(disk.file) },
    args: ["disk-ends", word],
    stdout: "capture",
    stderr: "capture",
    deadlineMs: 20_000,
    ...more,
  };
}

/** Runs a guest that is disturbed `afterMs` after it said that it is ready. */
async function disturb(
  options: GuestOptions,
  afterMs: number,
  disturbance: () => Promise<unknown>,
): Promise<{ result: GuestResult; lateMs: number }> {
  const guest = await createGuest(GUEST, options);
  try {
    const running = guest.run();
    await guestReady();
    await sleep(afterMs);
    await disturbance();
    const began = performance.now();
    const result = await running;
    return { result, lateMs: performance.now() - began };
  } finally {
    await guest.close();
  }
}

const ALL_THREADS = SERVED_PATHS.reduce((sum, path) => sum + threadsOf(path), 0);

/** @param threads how many ran meanwhile */
async function assertNothingLeft(before: Resources, threads: number): Promise<void> {
  assert.equal(await leakedSince(before, threads), []);
  assert.is(windowMappings(), 0, "mappings of windows");
}

async function killNewest(file: string): Promise<void> {
  const worker = runningWorkers(file).at(-1);
  assert.ok(worker !== undefined, `no ${file} runs`);
  await worker.terminate();
}

for (const path of SERVED_PATHS.filter(({ hasThread }) => hasThread)) {
  test(`${path.name}: its thread is killed under a busy guest`, async () => {
    const before = takeResources();
    for (const afterMs of [20, 60]) {
      const kill = () => killNewest("device-worker.cjs");
      const { result, lateMs } = await disturb(optionsOf(path, "busy"), afterMs, kill);
      assert.is(endOf(result), "exit 3", textOf(result.stderr));
      // The second wait finds a device that serves nothing: an error as well, at once.
      assert.match(textOf(result.stdout), new RegExp(`^failed ${-Errno.EIO} then -\\d+$`, "m"));
      assert.ok(lateMs < LATE_MS_MAX, `${lateMs} ms late`);
      assert.match(result.devices[0]?.failure ?? "", /^device "disk" by .*: running its thread/);
    }
    await assertNothingLeft(before, 2 * threadsOf(path));
  });
}

test("aio threads: a worker of the pool is killed under a busy guest", async () => {
  for (const path of SERVED_PATHS.filter(({ name }) => name.includes("threads"))) {
    const before = takeResources();
    const kill = () => killNewest("aio-worker.cjs");
    const { result, lateMs } = await disturb(optionsOf(path, "busy"), 30, kill);
    assert.is(endOf(result), "exit 3", `${path.name}: ${textOf(result.stderr)}`);
    assert.match(textOf(result.stdout), `failed ${-Errno.EIO}`);
    assert.ok(lateMs < LATE_MS_MAX, `${lateMs} ms late`);
    await assertNothingLeft(before, threadsOf(path));
  }
});

for (const path of SERVED_PATHS) {
  test(`${path.name}: its guest is ended in the middle`, async () => {
    const before = takeResources();
    const byDeadline = await runGuest(GUEST, optionsOf(path, "busy", { deadlineMs: 300 }));
    assert.is(endOf(byDeadline), "deadline", textOf(byDeadline.stderr));
    const abort = new AbortController();
    const options = optionsOf(path, "busy", { signal: abort.signal });
    const aborted = await disturb(options, 20, async () => abort.abort());
    assert.is(endOf(aborted.result), "aborted");
    assert.ok(aborted.lateMs < LATE_MS_MAX, `${aborted.lateMs} ms late`);
    // Without a call its thread is ended, and what it left behind is cleaned up by the embedder's.
    const spinning = await runGuest(GUEST, optionsOf(path, "spin", { deadlineMs: 300 }));
    assert.is(endOf(spinning), "deadline", textOf(spinning.stderr));
    assert.match(textOf(spinning.stdout), "ready");
    for (const { devices } of [byDeadline, aborted.result, spinning]) {
      assert.is(devices[0]?.failure, null);
    }
    await assertNothingLeft(before, 3 * threadsOf(path));
  });
}

test("a guest is closed while its devices start", async () => {
  const before = takeResources();
  for (const path of SERVED_PATHS) {
    const guest = await createGuest(GUEST, optionsOf(path, "busy"));
    const running = guest.run();
    await guest.close();
    assert.is(endOf(await running), "aborted", path.name);
  }
  await assertNothingLeft(before, ALL_THREADS);
});

test("guests on every path come and go without a trace", async () => {
  const before = takeResources();
  for (let round = 0; round < 3; round++) {
    const runs = SERVED_PATHS.map((path) => runGuest(GUEST, optionsOf(path, "flushed")));
    for (const result of await Promise.all(runs)) {
      assert.is(endOf(result), "exit 0", textOf(result.stderr));
      assert.is(result.devices[0]?.errors, 0);
    }
  }
  await assertNothingLeft(before, 3 * ALL_THREADS);
});

test.run();
