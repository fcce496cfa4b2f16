/**
 * The `emulated` engine: the cases that every engine answers alike, and what is its own: node:fs
 * instead of system calls, streams that know no RWF_NOWAIT, back-pressure, stopping.
 */
import { readFileSync, readSync, writeSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Errno, Op, RingMode, Rwf, SqeFlag } from "../../host/abi";
import { linuxSyscalls } from "../../host/ffi";
import { startEmulated } from "../../host/ring/emulated/engine";
import type { EngineContext, RingEngine } from "../../host/ring/engine";
import { conformance } from "./conformance";
import { Files, GuestDriver, type SqeFields } from "./guest-driver";

const test = suite("ring/emulated");

conformance(test, startEmulated);

/** As on a platform without system calls of our own. */
const startOnNode = (context: EngineContext): RingEngine =>
  startEmulated({ ...context, syscalls: null });

/** As on a kernel whose pipes do not know RWF_NOWAIT (before 6.4). */
function startBlind(context: EngineContext): RingEngine {
  const real = linuxSyscalls();
  const knows = (flags: number) => (flags & Rwf.NOWAIT) === 0;
  const syscalls = {
    ...real,
    preadv2: (...[fd, address, length, offset, flags]: Parameters<typeof real.preadv2>) =>
      knows(flags) ? real.preadv2(fd, address, length, offset, flags) : -Errno.EOPNOTSUPP,
    pwritev2: (...[fd, address, length, offset, flags]: Parameters<typeof real.pwritev2>) =>
      knows(flags) ? real.pwritev2(fd, address, length, offset, flags) : -Errno.EOPNOTSUPP,
  };
  return startEmulated({ ...context, syscalls });
}

test("says how it works", () => {
  const driver = new GuestDriver(startEmulated);
  assert.is(driver.engine.name, "emulated");
  assert.is(driver.engine.layout.mode, RingMode.EMULATED | RingMode.DEFER_TASKRUN);
  assert.is(driver.engine.ringFd, -1);
  driver.close();
});

for (const shared of [false, true]) {
  test(`files by node:fs, ${shared ? "shared" : "plain"} memory`, () => {
    const files = new Files();
    const path = files.path("0123456789");
    const driver = new GuestDriver(startOnNode, { slots: [files.fileAt(0, path, "r+")], shared });
    const addr = driver.address();
    driver.arena(0, 3).set([65, 66, 67]);
    const write: SqeFields = { opcode: Op.WRITE_FIXED, addr, len: 3, off: 4n, opFlags: Rwf.DSYNC };
    const read: SqeFields = { opcode: Op.READ_FIXED, addr, len: 100, off: 2n };
    const truncate: SqeFields = { opcode: Op.FTRUNCATE, off: 5n };
    const sync: SqeFields = { opcode: Op.FSYNC, opFlags: 1 };
    assert.equal(driver.run([write, read, truncate, sync]), ["0:3", "1:8", "2:0", "3:0"]);
    assert.is(Buffer.from(driver.arena(0, 8)).toString(), "23ABC789");
    assert.is(readFileSync(path, "utf8"), "0123A");
    const current: SqeFields = { ...read, off: -1n, len: 3 };
    assert.equal(driver.run([current, current]), ["0:3", "1:2"]);
    const answers = driver.run([
      { ...read, fd: 1 },
      { ...read, addr: 0n },
      { ...read, opFlags: Rwf.NOWAIT },
      { opcode: Op.FADVISE, opFlags: 9 },
      { opcode: Op.FALLOCATE, addr: 10n },
      { opcode: Op.SYNC_FILE_RANGE, opFlags: 2 },
    ]);
    const errnos = [Errno.EBADF, Errno.EFAULT, Errno.EOPNOTSUPP, Errno.EINVAL, Errno.EOPNOTSUPP];
    assert.equal(answers, [...errnos.map((errno, index) => `${index}:${-errno}`), "5:0"]);
    driver.close();
    files.dispose();
  });
}

test("streams by node:fs are refused", () => {
  const files = new Files();
  const driver = new GuestDriver(startOnNode, { slots: files.pipe(0, 1) });
  const addr = driver.address();
  const answers = driver.run([
    { opcode: Op.READ_FIXED, fd: 0, addr, len: 1 },
    { opcode: Op.WRITE_FIXED, fd: 1, addr, len: 1 },
    { opcode: Op.POLL_ADD, fd: 0, opFlags: 1 },
  ]);
  assert.equal(
    answers,
    [0, 1, 2].map((index) => `${index}:${-Errno.EOPNOTSUPP}`),
  );
  assert.is(driver.enter(0, 1, 5000), -Errno.ETIME);
  driver.close();
  files.dispose();
});

test("pipes that do not know RWF_NOWAIT never block the thread", () => {
  const files = new Files();
  const pipe = files.pipe(0, 1);
  const driver = new GuestDriver(startBlind, { slots: pipe, arenaPages: 32 });
  const addr = driver.address();
  const write: SqeFields = { opcode: Op.WRITE_FIXED, fd: 1, addr, len: 100_000, userData: 1n };
  const read: SqeFields = { opcode: Op.READ_FIXED, fd: 0, addr, len: 100, userData: 2n };
  driver.queue(read);
  assert.is(driver.enter(1, 1, 5000), 1);
  assert.is(driver.available(), 0);
  writeSync(pipe[1].fd, "abc");
  driver.enter(0, 1);
  assert.equal(
    driver.reap().map(({ result }) => result),
    [3],
  );
  driver.queue(write);
  driver.enter(1, 1);
  assert.equal(
    driver.reap().map(({ result }) => result),
    [65_536],
    "as much as fits",
  );
  driver.queue(write);
  assert.is(driver.enter(1, 1, 5000), 1);
  assert.is(driver.available(), 0);
  readSync(pipe[0].fd, new Uint8Array(8192));
  driver.enter(0, 1);
  assert.equal(
    driver.reap().map(({ result }) => result),
    [8192],
  );
  driver.close();
  files.dispose();
});

test("a multishot poll is refused", () => {
  const files = new Files();
  const driver = new GuestDriver(startEmulated, { slots: files.pipe(0, 1) });
  const poll: SqeFields = { opcode: Op.POLL_ADD, fd: 0, opFlags: 1, len: 1 };
  assert.equal(driver.run([poll]), [`0:${-Errno.EINVAL}`]);
  driver.close();
  files.dispose();
});

test("operations in flight are bounded: EBUSY, until they are cancelled", () => {
  const files = new Files();
  const slots = files.pipe(0, 1);
  const driver = new GuestDriver(startEmulated, { slots, sqEntries: 8, cqEntries: 8 });
  const poll: SqeFields = { opcode: Op.POLL_ADD, fd: 0, opFlags: 1 };
  let result = 0;
  let taken = 0;
  for (let round = 0; round < 10 && result >= 0; round++) {
    for (let index = 0; index < 8; index++) driver.queue(poll);
    result = driver.enter(8);
    if (result > 0) taken += result;
  }
  assert.is(result, -Errno.EBUSY);
  assert.is(taken, 32);
  assert.is(driver.enter(8, 1, 0), -Errno.EBUSY);
  writeSync(slots[1].fd, "x");
  let seen = 0;
  for (let round = 0; round < 10 && seen < 40; round++) {
    driver.enter(8, 8, 100_000);
    seen += driver.reap().length;
  }
  assert.is(seen, 40, "the SQEs of the refused call were still queued");
  driver.close();
  files.dispose();
});

test("a chain of cancels that cancel chains ends", () => {
  const files = new Files();
  const driver = new GuestDriver(startEmulated, { slots: files.pipe(0, 1) });
  const hard = SqeFlag.FIXED_FILE | SqeFlag.IO_HARDLINK;
  // Each pending poll is followed by a cancel of all: the first to run takes the others along.
  for (let index = 0; index < 30; index++) {
    driver.queue(
      { opcode: Op.POLL_ADD, fd: 0, opFlags: 1, flags: hard },
      { opcode: Op.ASYNC_CANCEL, opFlags: 4, userData: 1n },
    );
  }
  assert.is(driver.enter(60), 60);
  driver.queue({ opcode: Op.ASYNC_CANCEL, opFlags: 4, userData: 2n });
  driver.enter(1, 61);
  const answers = driver.reap();
  assert.is(answers.length, 61);
  assert.equal(answers[0], { userData: 2n, result: 30, flags: 0 });
  driver.close();
  files.dispose();
});

test("counts what the policy refused", () => {
  const driver = new GuestDriver(startEmulated);
  driver.run([{ opcode: Op.NOP }, { opcode: Op.READ }, { opcode: Op.READ_FIXED, flags: 0 }]);
  const { denied, submitted, completed, enterSyscalls } = driver.engine.stats();
  assert.equal(
    { denied, submitted, completed, enterSyscalls },
    {
      denied: 3,
      submitted: 3,
      completed: 3,
      enterSyscalls: 0,
    },
  );
  driver.close();
});

test("a stop ends a long submission between two operations", () => {
  const files = new Files();
  let looks = 0;
  const slots = [files.file(0, "x".repeat(100), "r")];
  const driver = new GuestDriver(startEmulated, { slots, stopped: () => ++looks > 20 });
  const read: SqeFields = { opcode: Op.READ_FIXED, addr: driver.address(), len: 10 };
  for (let index = 0; index < 64; index++) driver.queue(read);
  const taken = driver.enter(64);
  assert.ok(taken > 0 && taken < 20, `${taken} were taken`);
  driver.close();
  files.dispose();
});

test("a stopped wait ends soon, with and without something to wait for", () => {
  const files = new Files();
  const driver = new GuestDriver(startEmulated, { slots: files.pipe(0, 1), stopped: () => true });
  assert.is(driver.enter(0, 1, -1), -Errno.EINTR);
  driver.queue({ opcode: Op.POLL_ADD, fd: 0, opFlags: 1 });
  assert.is(driver.enter(1, 1, -1), -Errno.EINTR);
  driver.close();
  files.dispose();
});

test.run();
