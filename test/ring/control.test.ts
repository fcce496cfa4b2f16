/** Who has a guest's ring: one side at a time, and never nobody for longer than the other side lives. */
import { Worker } from "node:worker_threads";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Control } from "../../host/ring/control";

const test = suite("ring/control");

test("is borrowed by one at a time", () => {
  const control = new Control();
  assert.is(control.borrowRing(), "none");
  control.publishRing(17);
  assert.is(control.borrowRing(), 17);
  assert.is(new Control(control.shared).borrowRing(), "busy");
  control.returnRing(17);
  assert.is(control.borrowRing(), 17);
  control.returnRing(17);
  assert.is(control.claimRing(), 17);
  assert.is(control.claimRing(), -1);
  assert.is(control.borrowRing(), "none");
});

test("descriptor 0 is one like any other", () => {
  const control = new Control();
  control.publishRing(0, [], true);
  assert.is(control.borrowRing(), "busy");
  control.returnRing(0);
  assert.is(control.borrowRing(), 0);
  control.returnRing(0);
  assert.is(control.inheritRing(), 0);
  assert.is(control.inheritRing(), -1);
});

test("a ring that is published for its own thread is the other's when that is gone", () => {
  const control = new Control();
  control.publishRing(5, [], true);
  assert.is(control.borrowRing(), "busy");
  assert.is(control.inheritRing(), 5);
});

test("a claim waits for who has borrowed it", async () => {
  const control = new Control();
  control.publishRing(9);
  assert.is(control.borrowRing(), 9);
  // Gives it back after a while, as the embedder's thread does: word 1 holds the descriptor and one more.
  const returning = `
    const { workerData } = require("node:worker_threads");
    const words = new Int32Array(workerData);
    setTimeout(() => { Atomics.store(words, 1, 10); Atomics.notify(words, 1); }, 50);
  `;
  const worker = new Worker(returning, { eval: true, workerData: control.shared });
  const began = performance.now();
  assert.is(control.claimRing(), 9);
  assert.ok(performance.now() - began < 4000);
  await worker.terminate();
});

test.run();
