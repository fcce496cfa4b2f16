/**
 * Hostile guests and what wakes them, or takes from them: an `on_completion` that lies about its queue, and grants
 * revoked from guests that keep the ring's lock as long as they can. The embedder's event loop goes on, deadlines hold,
 * nothing is left behind.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { createGuest, type GuestOptions, runGuest } from "wasm-uring";
import { enginesHere } from "../engines";
import { endOf, guestPath } from "../guest/guests";
import { leakedSince, takeResources } from "./resources";

const test = suite("hostile/interrupts");

/** Far less than what the guest's calls take, far more than a turn of a busy machine. */
const LAG_MS_MAX = 400;
/** As much as may be pinned: an ordinary user has 8 MiB for all that he runs. */
const BIG_BYTES = process.getuid?.() === 0 ? 64 << 20 : 2 << 20;

const folder = mkdtempSync(join(tmpdir(), "wasm-uring-interrupts-"));
const path = join(folder, "data");
writeFileSync(path, Buffer.alloc(1 << 20, 7));
test.after(() => rmSync(folder, { recursive: true, force: true }));

/** The longest that the event loop did not turn. */
class Lag {
  worstMs = 0;
  #last = performance.now();
  readonly #timer = setInterval(() => {
    const now = performance.now();
    this.worstMs = Math.max(this.worstMs, now - this.#last);
    this.#last = now;
  }, 5);

  end(): number {
    clearInterval(this.#timer);
    return this.worstMs;
  }
}

for (const { label, engine, sqpoll } of await enginesHere()) {
  const base: GuestOptions = { engine, sqpoll, stdout: "capture", stderr: "capture" };

  test(`${label}: an on_completion that lies is called, and ended`, async () => {
    const before = takeResources();
    const options = { ...base, files: { input: { path } } };
    const once = { ...options, args: ["guest", "once"], deadlineMs: 5000 };
    const outcome = endOf(await runGuest(guestPath("unruly"), once));
    // Its own lies may keep it from being called a hundredth time.
    assert.ok(outcome === "exit 0" || outcome === "deadline", outcome);
    const began = performance.now();
    const lie = { ...options, args: ["guest", "lie"], deadlineMs: 300 };
    assert.is(endOf(await runGuest(guestPath("unruly"), lie)), "deadline");
    assert.ok(performance.now() - began < 6000);
    assert.equal(await leakedSince(before), []);
  });

  test(`${label}: revoking from a guest that copies without end does not stop the event loop`, async () => {
    const before = takeResources();
    const guest = await createGuest(guestPath("hog"), {
      ...base,
      files: { zero: { path: "/dev/zero" }, other: { path } },
      policy: "stream",
      args: ["guest", `${BIG_BYTES}`],
      deadlineMs: 4000,
    });
    try {
      const lag = new Lag();
      const running = guest.run();
      await sleep(300);
      for (let round = 0; round < 5; round++) {
        await guest.grant(`more ${round}`, { path });
        await guest.revoke(`more ${round}`);
      }
      await guest.revoke("other");
      await guest.revoke("zero");
      assert.is(endOf(await running), "exit 0");
      assert.ok(lag.end() < LAG_MS_MAX, `the event loop stood still for ${lag.worstMs} ms`);
    } finally {
      await guest.close();
    }
    assert.equal(await leakedSince(before), []);
  });
}

test.run();
