/**
 * Guests in an embedder's life: its event loop is never blocked, several run at once, one is closed while it runs, and
 * afterwards the process holds what it held before.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { createGuest, type GuestOptions, runGuest } from "wasm-uring";
import { leakedSince, takeResources } from "../hostile/resources";
import { endOf, guestPath, openPipe, textOf } from "./guests";

const lifecycle = suite("guest/lifecycle");

/** Generous: two guests spin on a machine of two cores. */
const LAG_MS_MAX = 150;
const PLAIN_BYTES = 40_000;

const folder = mkdtempSync(join(tmpdir(), "wasm-uring-lifecycle-"));
const input = join(folder, "input");
const content = Buffer.from(Array.from({ length: PLAIN_BYTES }, (_, index) => index & 0xff));
writeFileSync(input, content);
const expected = `${PLAIN_BYTES} ${content.reduce((sum, byte) => sum + byte, 0)}\n`;

lifecycle.after(() => rmSync(folder, { recursive: true }));

const plainOptions = (options: GuestOptions = {}): GuestOptions => ({
  files: { input: { path: input } },
  stdout: "capture",
  ...options,
});

/** The longest that the event loop was late while `work` went on. */
async function measureLag(work: () => Promise<unknown>): Promise<number> {
  let worst = 0;
  let last = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    worst = Math.max(worst, now - last - 5);
    last = now;
  }, 5);
  await work();
  clearInterval(timer);
  return worst;
}

lifecycle("the event loop goes on while guests spin, wait and are ended", async () => {
  const pipe = openPipe();
  const options = (word: string): GuestOptions => ({
    args: ["ends", word],
    files: { input: { fd: pipe.read } },
    policy: "stream",
    stdout: "ignore",
    deadlineMs: 300,
  });
  const worst = await measureLag(async () => {
    const words = ["spin", "wait", "spin-with-ring"];
    const results = await Promise.all(
      words.map((word) => runGuest(guestPath("ends"), options(word))),
    );
    assert.equal(results.map(endOf), ["deadline", "deadline", "deadline"]);
  });
  pipe.close();
  assert.ok(worst < LAG_MS_MAX, `the event loop was late by ${worst} ms`);
});

lifecycle("sixteen guests at once, at one guest address", async () => {
  const before = takeResources();
  const results = await Promise.all(
    Array.from({ length: 16 }, () => runGuest(guestPath("plain"), plainOptions())),
  );
  for (const result of results) {
    assert.is(endOf(result), "exit 0", result.setupErrors.join());
    assert.is(textOf(result.stdout), expected);
  }
  assert.equal(await leakedSince(before, 16), []);
});

lifecycle("a guest is closed while it runs", async () => {
  const before = takeResources();
  const pipe = openPipe();
  for (const word of ["spin", "wait", "spin-with-ring"]) {
    const guest = await createGuest(guestPath("ends"), {
      args: ["ends", word],
      files: { input: { fd: pipe.read } },
      policy: "stream",
      stdout: "ignore",
    });
    const running = guest.run();
    await new Promise((resolve) => setTimeout(resolve, 100));
    await guest.close();
    assert.is(endOf(await running), "aborted", word);
    await guest.close();
  }
  pipe.close();
  assert.equal(await leakedSince(before), []);
});

lifecycle("a guest is closed at any moment of its start", async () => {
  const before = takeResources();
  for (let pauseMs = 0; pauseMs < 60; pauseMs += 4) {
    const guest = await createGuest(guestPath("plain"), plainOptions());
    const running = guest.run();
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
    await guest.close();
    const ended = endOf(await running);
    assert.ok(["aborted", "exit 0"].includes(ended), ended);
  }
  assert.equal(await leakedSince(before), []);
});

lifecycle("a guest that never ran is closed, and await using closes it too", async () => {
  const before = takeResources();
  const never = await createGuest(guestPath("plain"), plainOptions());
  await never.close();
  {
    await using guest = await createGuest(guestPath("plain"), plainOptions());
    assert.is(endOf(await guest.run()), "exit 0");
  }
  assert.equal(await leakedSince(before), []);
});

lifecycle("fifty guests in a row leave nothing", async () => {
  await runGuest(guestPath("plain"), plainOptions());
  const before = takeResources();
  for (let count = 0; count < 50; count++) {
    const result = await runGuest(guestPath("plain"), plainOptions());
    assert.is(endOf(result), "exit 0");
  }
  assert.equal(await leakedSince(before, 50), []);
});

lifecycle.run();
