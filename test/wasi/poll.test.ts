/** poll_oneoff: clocks, descriptors, both at once, and what is wrong with a subscription. */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { WasiErrno } from "../../host/wasi/errno";
import { SUBSCRIPTIONS_MAX } from "../../host/wasi/poll";
import { At, type FolderGuest, folderGuest, hasFiles, PREOPEN, Rights } from "./folder";

const test = suite("wasi/poll");
const E = WasiErrno;
const [CLOCK, READ, WRITE] = [0, 1, 2];
const [REALTIME, MONOTONIC] = [0, 1];
const [SUBSCRIPTION_BYTES, EVENT_BYTES] = [48, 32];
const MS = 1_000_000n;
const EVENTS_AT = At.DATA + 32_768;

interface Wanted {
  type: number;
  fd?: number;
  clock?: number;
  timeoutNs?: bigint;
  absolute?: boolean;
}

function lay(g: FolderGuest, wanted: readonly Wanted[], at: number = At.DATA): void {
  const { view, bytes } = g.guest;
  wanted.forEach(({ type, fd = 0, clock = MONOTONIC, timeoutNs = 0n, absolute = false }, index) => {
    const from = at + index * SUBSCRIPTION_BYTES;
    bytes.fill(0, from, from + SUBSCRIPTION_BYTES);
    view.setBigUint64(from, 0xabcd_0000_0000n + BigInt(index), true);
    view.setUint8(from + 8, type);
    view.setUint32(from + 16, type === CLOCK ? clock : fd, true);
    if (type !== CLOCK) return;
    view.setBigUint64(from + 24, timeoutNs, true);
    view.setUint16(from + 40, absolute ? 1 : 0, true);
  });
}

/** The events, or the errno. Events lie over the subscriptions when asked to. */
function poll(g: FolderGuest, wanted: readonly Wanted[], eventsAt: number = EVENTS_AT) {
  lay(g, wanted);
  const errno = g.call("poll_oneoff", At.DATA, eventsAt, wanted.length, At.RESULT);
  if (errno !== E.SUCCESS) return E[errno] ?? "";
  const { view } = g.guest;
  return Array.from({ length: g.result }, (_, index) => {
    const at = eventsAt + index * EVENT_BYTES;
    return {
      index: Number(view.getBigUint64(at, true) - 0xabcd_0000_0000n),
      error: E[view.getUint16(at + 8, true)],
      type: view.getUint8(at + 10),
      bytes: Number(view.getBigUint64(at + 16, true)),
      flags: view.getUint16(at + 24, true),
    };
  });
}

const due = (index: number) => ({ index, error: "SUCCESS", type: CLOCK, bytes: 0, flags: 0 });

function elapsedMs(call: () => void): number {
  const began = performance.now();
  call();
  return performance.now() - began;
}

test("time passes: relative, absolute, and none at all", () => {
  const g = folderGuest();
  const nap = { type: CLOCK, timeoutNs: 120n * MS };
  const slept = elapsedMs(() => assert.equal(poll(g, [nap]), [due(0)]));
  assert.ok(slept >= 119 && slept < 1000, `${slept} ms`);
  const wall = BigInt(Date.now() + 60) * MS;
  const at = { type: CLOCK, clock: REALTIME, timeoutNs: wall, absolute: true };
  const until = elapsedMs(() => assert.equal(poll(g, [at]), [due(0)]));
  assert.ok(until >= 55 && until < 1000, `${until} ms`);
  assert.is(g.call("clock_time_get", MONOTONIC, 0n, At.RESULT), E.SUCCESS);
  const past = { type: CLOCK, timeoutNs: g.result64, absolute: true };
  const passed = elapsedMs(() => assert.equal(poll(g, [past, { type: CLOCK }]), [due(0), due(1)]));
  assert.ok(passed < 50, `${passed} ms`);
});

test("the earliest of many clocks ends the wait", () => {
  const g = folderGuest();
  const clocks = [500n, 30n, 700n].map((ms) => ({ type: CLOCK, timeoutNs: ms * MS }));
  const slept = elapsedMs(() => assert.equal(poll(g, clocks), [due(1)]));
  assert.ok(slept < 400, `${slept} ms`);
});

test("of many descriptors those that are ready are told, with how much there is", () => {
  const g = folderGuest();
  execFileSync(
    "mkfifo",
    ["one", "two", "three"].map((name) => g.path(name)),
  );
  const names = ["one", "two", "three"];
  const readers = names.map((name) => g.open(name));
  const writers = names.map((name) => g.open(name, { rights: Rights.WRITE }));
  const wanted = readers.map((fd) => ({ type: READ, fd }));
  const patience = { type: CLOCK, timeoutNs: 20n * MS };
  assert.equal(poll(g, [...wanted, patience]), [due(3)]);
  g.write(writers[1] ?? -1, "hello");
  const ready = { index: 1, error: "SUCCESS", type: READ, bytes: 5, flags: 0 };
  assert.equal(poll(g, [...wanted, { type: CLOCK, timeoutNs: 5000n * MS }]), [ready]);
  const outputs = writers.map((fd) => ({ type: WRITE, fd }));
  assert.equal(
    poll(g, outputs),
    [0, 1, 2].map((index) => ({ index, error: "SUCCESS", type: WRITE, bytes: 1, flags: 0 })),
  );
  g.call("fd_close", writers[0] ?? -1);
  assert.equal(poll(g, [{ type: READ, fd: readers[0] ?? -1 }]), [
    { index: 0, error: "SUCCESS", type: READ, bytes: 0, flags: 1 },
  ]);
});

test("files and captured streams are always ready", () => {
  const g = folderGuest();
  writeFileSync(g.path("file"), "0123456789");
  const fd = g.open("file");
  g.read(fd, 4);
  const ready = (index: number, type: number, bytes: number) => ({
    index,
    error: "SUCCESS",
    type,
    bytes,
    flags: 0,
  });
  const found = poll(g, [
    { type: WRITE, fd: 1 },
    { type: READ, fd: 0 },
    { type: READ, fd },
  ]);
  assert.equal(found, [ready(0, WRITE, 1), ready(1, READ, 1), ready(2, READ, 6)]);
});

test("what is wrong with one of them is said in its event", () => {
  const g = folderGuest();
  const wanted = [
    { type: READ, fd: 99 },
    { type: READ, fd: 1 },
    { type: CLOCK, clock: 7, timeoutNs: 1n },
    { type: WRITE, fd: PREOPEN },
    { type: CLOCK, timeoutNs: 60_000n * MS },
  ];
  const errors = (error: string, index: number, type: number) => ({
    index,
    error,
    type,
    bytes: 0,
    flags: 0,
  });
  assert.equal(poll(g, wanted), [
    errors("EBADF", 0, READ),
    errors("EBADF", 1, READ),
    errors("EINVAL", 2, CLOCK),
    errors("EBADF", 3, WRITE),
  ]);
});

test("events may lie where the subscriptions were", () => {
  const g = folderGuest();
  const wanted = Array.from({ length: 50 }, () => ({ type: CLOCK }));
  assert.equal(
    poll(g, wanted, At.DATA),
    wanted.map((_, index) => due(index)),
  );
});

test("bounds and hostile pointers", () => {
  const g = folderGuest({ pages: 16 });
  const end = g.guest.lengthBytes;
  lay(g, [{ type: CLOCK }]);
  const call = (...parameters: number[]) => E[g.call("poll_oneoff", ...parameters)];
  assert.is(call(At.DATA, EVENTS_AT, 0, At.RESULT), "EINVAL");
  assert.is(call(At.DATA, EVENTS_AT, SUBSCRIPTIONS_MAX + 1, At.RESULT), "EINVAL");
  assert.is(call(At.DATA, EVENTS_AT, -1, At.RESULT), "EINVAL");
  assert.is(call(end - 47, EVENTS_AT, 1, At.RESULT), "EFAULT");
  assert.is(call(At.DATA, end - 31, 1, At.RESULT), "EFAULT");
  assert.is(call(At.DATA, EVENTS_AT, 1, end - 3), "EFAULT");
  assert.is(poll(g, [{ type: 3 }]), "EINVAL");
  const many = Array.from({ length: SUBSCRIPTIONS_MAX }, () => ({ type: CLOCK }));
  lay(g, many);
  assert.is(call(At.DATA, At.DATA, SUBSCRIPTIONS_MAX, At.RESULT), "SUCCESS");
  assert.is(g.result, SUBSCRIPTIONS_MAX);
});

test("a guest that is to end does not sleep on", () => {
  const g = folderGuest();
  g.stopped = true;
  const forever = { type: CLOCK, timeoutNs: 2n ** 64n - 1n };
  const slept = elapsedMs(() => assert.is(poll(g, [forever]), "EINTR"));
  assert.ok(slept < 200, `${slept} ms`);
});

if (hasFiles) test.run();
else console.log("wasi/poll skipped: no system calls on this platform");
