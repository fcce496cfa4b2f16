/**
 * An idle guest on every engine: woken by what a slow operation brings, costing no CPU meanwhile, ended by its result,
 * exit, trap, deadline or close; together with an eventfd of the embedder's; and quiet where it asked for quiet.
 */
import { closeSync, read as readCallback, readSync, writeSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { createGuest, type GuestOptions, runGuest } from "wasm-uring";
import { linuxSyscalls } from "../../host/ffi";
import { type EngineHere, enginesHere } from "../engines";
import { endOf, guestPath, openPipe, textOf } from "./guests";

const test = suite("guest/interrupts");

const EFD_NONBLOCK = 0x800;
/** A second of sleep in slices of 50 ms costs a few ms; a second of spinning 1000. */
const IDLE_CPU_MS_MAX = 200;

const read = promisify(readCallback);

/** The counter, 0 when nobody signalled. */
function signals(eventFd: number): number {
  const counter = new BigUint64Array(1);
  try {
    readSync(eventFd, counter);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EAGAIN") return 0;
    throw error;
  }
  return Number(counter[0]);
}

/** A guest between two pipes. */
class Echo {
  readonly #in = openPipe();
  readonly #out = openPipe();
  readonly options: GuestOptions;

  constructor({ engine, sqpoll }: EngineHere, options: GuestOptions = {}) {
    const files = { in: { fd: this.#in.read }, out: { fd: this.#out.write } };
    this.options = { engine, sqpoll, files, policy: "stream", deadlineMs: 20_000, ...options };
  }

  say(text: string): void {
    writeSync(this.#in.write, text);
  }

  async answer(text: string): Promise<string> {
    this.say(text);
    const timeout = sleep(5000, null);
    const got = await Promise.race([timeout, read(this.#out.read, Buffer.alloc(64), 0, 64, null)]);
    return got === null ? "no answer" : got.buffer.subarray(0, got.bytesRead).toString();
  }

  run(): Promise<string> {
    return runGuest(guestPath("interrupts"), this.options).then(endOf);
  }

  close(): void {
    this.#in.close();
    this.#out.close();
  }
}

async function withEcho(
  here: EngineHere,
  options: GuestOptions,
  use: (echo: Echo) => Promise<void>,
): Promise<void> {
  const echo = new Echo(here, options);
  try {
    await use(echo);
  } finally {
    echo.close();
  }
}

for (const here of await enginesHere()) {
  const { label, engine, sqpoll } = here;

  test(`${label}: is woken for what found no room in its CQ`, async () => {
    const pipe = openPipe();
    const files = { in: { fd: pipe.read } };
    const guest = guestPath("overflowing");
    const policy = "stream" as const;
    const running = runGuest(guest, { engine, sqpoll, files, policy, deadlineMs: 8000 });
    await sleep(300);
    writeSync(pipe.write, "x".repeat(24));
    const result = await running;
    pipe.close();
    assert.is(endOf(result), "exit 0");
  });

  test(`${label}: wakes for each message, and ends by its result`, () =>
    withEcho(here, {}, async (echo) => {
      const ended = echo.run();
      for (const text of ["alpha", "beta", "gamma"]) {
        assert.is(await echo.answer(text), text);
        await sleep(60);
      }
      echo.say("quit");
      assert.is(await ended, "exit 0");
    }));

  test(`${label}: an idle second costs next to no CPU`, () =>
    withEcho(here, {}, async (echo) => {
      const ended = echo.run();
      assert.is(await echo.answer("awake"), "awake");
      await sleep(200);
      const before = process.cpuUsage();
      await sleep(1000);
      const { user, system } = process.cpuUsage(before);
      assert.ok(user + system < IDLE_CPU_MS_MAX * 1000, `${user + system} µs`);
      echo.say("quit");
      assert.is(await ended, "exit 0");
    }));

  for (const [word, end] of [
    ["exit", "exit 7"],
    ["trap", "trap"],
    ["spin", "deadline"],
  ] as const) {
    test(`${label}: ${word} inside on_completion`, () =>
      withEcho(here, { deadlineMs: 600 }, async (echo) => {
        const ended = echo.run();
        assert.is(await echo.answer("first"), "first");
        echo.say(word);
        assert.is(await ended, end);
      }));
  }

  test(`${label}: deadline, abort and close end an idle guest`, () =>
    withEcho(here, { deadlineMs: 300 }, async (echo) => {
      assert.is(await echo.run(), "deadline");
      const controller = new AbortController();
      const { signal } = controller;
      setTimeout(() => controller.abort("enough"), 200);
      const aborted = { ...echo.options, deadlineMs: 20_000, signal };
      assert.is(endOf(await runGuest(guestPath("interrupts"), aborted)), "aborted");
      const guest = await createGuest(guestPath("interrupts"), echo.options);
      const running = guest.run();
      await sleep(150);
      await guest.close();
      assert.is(endOf(await running), "aborted");
    }));

  test(`${label}: the embedder's eventfd is signalled while the guest is idle, and keeps its count`, async () => {
    const eventFd = linuxSyscalls().eventfd(0, EFD_NONBLOCK);
    try {
      await withEcho(here, { eventFd }, async (echo) => {
        const ended = echo.run();
        await echo.answer("alpha");
        for (let look = 0; look < 100; look++) {
          await sleep(10);
          if (signals(eventFd) > 0) break;
          assert.ok(look < 99, "no signal came");
        }
        await echo.answer("beta");
        echo.say("quit");
        assert.is(await ended, "exit 0");
        assert.ok(signals(eventFd) > 0);
      });
    } finally {
      closeSync(eventFd);
    }
  });

  test(`${label}: a guest that mutes gets no signals, and loses none`, async () => {
    const eventFd = linuxSyscalls().eventfd(0, EFD_NONBLOCK);
    try {
      const files = { input: { path: "package.json" } };
      const options: GuestOptions = { engine, sqpoll, files, eventFd, stdout: "capture" };
      const result = await runGuest(guestPath("mute"), { ...options, deadlineMs: 10_000 });
      assert.is(endOf(result), "exit 0");
      assert.is(textOf(result.stdout), "told\n");
      assert.is(signals(eventFd), 5);
    } finally {
      closeSync(eventFd);
    }
  });

  test(`${label}: polls as long as it was told, then waits`, async () => {
    const pipe = openPipe();
    try {
      const files = { input: { fd: pipe.read } };
      const options: GuestOptions = { engine, sqpoll, files, policy: "stream", stdout: "capture" };
      const result = await runGuest(guestPath("polls"), options);
      assert.is(endOf(result), "exit 0");
      const [, ms, calls] = /^(\d+) ms, (\d+) calls/.exec(textOf(result.stdout)) ?? [];
      assert.ok(Number(ms) >= 40, `${ms} ms`);
      // With a kernel thread polling costs no call; without, every look is one.
      assert.ok(sqpoll ? Number(calls) < 5 : Number(calls) > 20, `${calls} calls`);
    } finally {
      pipe.close();
    }
  });
}

test("without a ring there is nothing to wait for", async () => {
  const result = await runGuest(guestPath("interrupts"), { args: ["guest", "no-ring"] });
  assert.is(endOf(result), "exit 0");
});

test("a guest need not have a _start", async () => {
  // (module (memory (export "memory") 1) (func (export "on_completion")))
  const bytes = [
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, 5, 3, 1, 0, 1],
    ...[7, 26, 2, 6, ...Buffer.from("memory"), 2, 0, 13, ...Buffer.from("on_completion"), 0, 0],
    ...[10, 4, 1, 2, 0, 0x0b],
  ];
  assert.is(endOf(await runGuest(Uint8Array.from(bytes))), "exit 0");
});

test.run();
