/**
 * What every engine must do alike with files that make an operation wait: pipes and eventfds,
 * polls, cancels, and chains behind a pending operation.
 */
import { readSync, writeSync } from "node:fs";
import * as assert from "uvu/assert";
import { Errno, Op, PollFlag, SqeFlag } from "../../host/abi";
import { answerOf, play, type Register, withFixture } from "./conformance-fixture";
import {
  ARENA_BYTES,
  EMPTY_SLOT,
  EVENT,
  linked,
  PIPE_READ,
  PIPE_WRITE,
  RW,
} from "./conformance-tables";
import type { GuestDriver, SqeFields, StartEngine } from "./guest-driver";

const { IO_LINK, IO_HARDLINK, CQE_SKIP_SUCCESS } = SqeFlag;

export function addStreams(register: Register, start: StartEngine): void {
  const submit = (driver: GuestDriver, ...sqes: SqeFields[]) => {
    driver.queue(...sqes);
    driver.enter(sqes.length);
  };
  /** Everything that comes within a short while. */
  const settle = (driver: GuestDriver, expected: number) => {
    driver.enter(0, expected, 300_000);
    return driver.reap().map(({ userData, result }) => `${userData}:${answerOf(result)}`);
  };

  register("a read of an empty pipe waits for its data", () => {
    withFixture(start, ({ driver, pipeWrite }) => {
      const addr = driver.address();
      submit(driver, { opcode: Op.READ_FIXED, fd: PIPE_READ, addr, len: 100, userData: 7n });
      assert.is(driver.available(), 0);
      assert.is(driver.enter(0, 1, 20_000), -Errno.ETIME);
      writeSync(pipeWrite, "hello");
      assert.equal(settle(driver, 1), ["7:5"]);
      assert.is(Buffer.from(driver.arena(0, 5)).toString(), "hello");
    });
  });

  register("a write to a full pipe takes what fits", () => {
    withFixture(start, ({ driver, pipeRead }) => {
      const addr = driver.address();
      const write = { opcode: Op.WRITE_FIXED, fd: PIPE_WRITE, addr, len: ARENA_BYTES };
      submit(driver, { ...write, userData: 1n });
      assert.equal(settle(driver, 1), [`1:${ARENA_BYTES}`]);
      submit(driver, { ...write, userData: 2n }, { ...write, opFlags: 8, userData: 3n });
      assert.equal(settle(driver, 1), ["3:EAGAIN"]);
      readSync(pipeRead, new Uint8Array(8192));
      assert.equal(settle(driver, 1), ["2:8192"]);
    });
  });

  register("streams ignore the offset but refuse a negative one", () => {
    withFixture(start, ({ driver }) => {
      const addr = driver.address();
      const write = { opcode: Op.WRITE_FIXED, fd: PIPE_WRITE, addr, len: 5 };
      const read = { opcode: Op.READ_FIXED, fd: PIPE_READ, addr, len: 5 };
      assert.equal(play(driver, [{ ...write, off: 123n }]), ["0:5"]);
      assert.equal(play(driver, [{ ...read, off: -1n }]), ["0:5"]);
      assert.equal(play(driver, [{ ...write, off: -2n }]), ["0:EINVAL"]);
      assert.equal(play(driver, [{ ...read, off: (1n << 63n) - 1n }]), ["0:EINVAL"]);
      assert.equal(play(driver, [{ ...read, opFlags: 8 }]), ["0:EAGAIN"]);
      assert.equal(play(driver, [{ ...read, opFlags: 64 }]), ["0:EOPNOTSUPP"]);
      assert.equal(play(driver, [{ ...read, len: 0 }]), ["0:0"]);
    });
  });

  register("polls, their removal and their update", () => {
    withFixture(start, ({ driver, pipeRead, pipeWrite }) => {
      const poll = { opcode: Op.POLL_ADD, fd: PIPE_READ, opFlags: 1 };
      const remove = { opcode: Op.POLL_REMOVE, userData: 50n };
      submit(driver, { ...poll, userData: 1n }, { ...remove, addr: 1n });
      assert.equal(settle(driver, 2), ["50:0", "1:ECANCELED"]);
      submit(driver, { ...poll, userData: 1n });
      submit(driver, { ...remove, addr: 1n, len: PollFlag.UPDATE_USER_DATA, off: 9n });
      assert.equal(settle(driver, 1), ["50:0"]);
      writeSync(pipeWrite, "abc");
      assert.equal(settle(driver, 1), ["9:1"]);
      submit(driver, { ...poll, opFlags: 2, userData: 1n });
      submit(driver, { ...remove, addr: 1n, len: PollFlag.UPDATE_EVENTS, opFlags: 1 });
      assert.equal(settle(driver, 2), ["50:0", "1:1"]);
      submit(driver, { ...poll, opFlags: 0xffff_ffff, userData: 2n });
      assert.equal(settle(driver, 1), ["2:65"]);
      readSync(pipeRead, new Uint8Array(10));
      submit(driver, { opcode: Op.READ_FIXED, fd: PIPE_READ, addr: driver.address(), len: 1 });
      submit(driver, { ...remove, addr: 0n });
      assert.equal(settle(driver, 1), ["50:ENOENT"], "a read is not a poll");
    });
  });

  register("cancelling by user_data, slot, opcode and altogether", () => {
    withFixture(start, ({ driver }) => {
      const addr = driver.address();
      const read = { opcode: Op.READ_FIXED, fd: PIPE_READ, addr, len: 10 };
      const poll = { opcode: Op.POLL_ADD, fd: PIPE_READ, opFlags: 1 };
      const other = { opcode: Op.POLL_ADD, fd: EVENT, opFlags: 1 };
      const cancel = { opcode: Op.ASYNC_CANCEL, userData: 50n };
      submit(
        driver,
        { ...read, userData: 1n },
        { ...read, userData: 1n },
        { ...poll, userData: 2n },
      );
      submit(driver, { ...cancel, addr: 1n });
      assert.equal(settle(driver, 2), ["50:0", "1:ECANCELED"]);
      submit(driver, { ...other, userData: 3n }, { ...cancel, opFlags: 3, fd: PIPE_READ });
      assert.equal(settle(driver, 3).sort(), ["1:ECANCELED", "2:ECANCELED", "50:2"]);
      submit(driver, { ...cancel, opFlags: 2, fd: PIPE_READ });
      assert.equal(settle(driver, 1), ["50:ENOENT"]);
      submit(driver, { ...cancel, opFlags: 2, fd: EMPTY_SLOT });
      assert.equal(settle(driver, 1), ["50:EBADF"]);
      submit(driver, { ...read, userData: 4n });
      submit(driver, { ...cancel, opFlags: 32, len: Op.POLL_ADD });
      assert.equal(settle(driver, 2), ["50:0", "3:ECANCELED"]);
      submit(driver, { ...cancel, opFlags: 4 });
      assert.equal(settle(driver, 2), ["50:1", "4:ECANCELED"]);
      submit(driver, { ...cancel, opFlags: 4 });
      assert.equal(settle(driver, 1), ["50:0"]);
    });
  });

  register("chains behind a pending operation", () => {
    withFixture(start, ({ driver, pipeWrite }) => {
      const addr = driver.address();
      const read = { opcode: Op.READ_FIXED, fd: PIPE_READ, addr, len: 1, userData: 1n };
      const next = { opcode: Op.READ_FIXED, fd: RW, addr, len: 100, userData: 2n };
      const cancel = { opcode: Op.ASYNC_CANCEL, userData: 50n };
      submit(driver, linked(read, IO_LINK), next);
      writeSync(pipeWrite, "q");
      assert.equal(settle(driver, 2), ["1:1", "2:100"]);
      submit(driver, linked({ ...read, len: 100 }, IO_LINK), next);
      submit(driver, { ...cancel, addr: 2n });
      assert.equal(settle(driver, 1), ["50:ENOENT"], "a member that was not started is not found");
      writeSync(pipeWrite, "q");
      assert.equal(settle(driver, 2), ["1:1", "2:ECANCELED"], "a short read breaks");
      submit(driver, linked(read, IO_LINK), next);
      submit(driver, { ...cancel, addr: 1n });
      assert.equal(settle(driver, 3), ["50:0", "1:ECANCELED", "2:ECANCELED"]);
      submit(driver, linked(read, IO_HARDLINK), next);
      submit(driver, { ...cancel, addr: 1n });
      assert.equal(settle(driver, 3), ["50:0", "1:ECANCELED", "2:100"]);
      submit(driver, linked(read, IO_LINK | CQE_SKIP_SUCCESS), next);
      submit(driver, { ...cancel, addr: 1n });
      assert.equal(settle(driver, 2), ["50:0", "1:ECANCELED"]);
    });
  });
}
