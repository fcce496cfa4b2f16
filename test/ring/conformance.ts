/**
 * What every engine must do alike. The expected values were taken from Linux 6.18 with the kernel
 * itself consuming the rings. `conformance` adds the cases to the caller's suite, so that each
 * engine's own test file runs them against its engine.
 */
import { writeSync } from "node:fs";
import * as assert from "uvu/assert";
import { Errno, Op, SqeFlag } from "../../host/abi";
import { play, type Register, withFixture } from "./conformance-fixture";
import { addStreams } from "./conformance-streams";
import {
  chains,
  FIELD_ANSWERS,
  FIELDS,
  hostileFields,
  linked,
  PIPE_READ,
  RO,
  RW,
} from "./conformance-tables";
import type { SqeFields, StartEngine } from "./guest-driver";

const { IO_LINK } = SqeFlag;

function addTables(register: Register, start: StartEngine): void {
  register("hostile fields of reads and writes", () => {
    withFixture(start, ({ driver }) => {
      for (const [name, sqe, answer] of hostileFields(driver.address())) {
        assert.equal(play(driver, [sqe]), [`0:${answer}`], name);
      }
    });
  });

  register("hostile fields of the other opcodes", () => {
    withFixture(start, ({ driver, pipeWrite }) => {
      writeSync(pipeWrite, "ready");
      for (const [opcode, base, answers] of FIELD_ANSWERS) {
        const expected = answers.split(" ");
        Object.entries(FIELDS).forEach(([field, value], index) => {
          const sqe: SqeFields = { opcode: Op[opcode], fd: RW, ...base, ...value };
          assert.equal(play(driver, [sqe]), [`0:${expected[index]}`], `${opcode}, ${field}`);
        });
      }
    });
  });

  register("link chains", () => {
    withFixture(start, ({ driver }) => {
      for (const [name, sqes, completions] of chains(driver.address())) {
        const got = play(driver, sqes, completions.split(" ").length);
        assert.is(got.join(" "), completions, name);
        assert.is(driver.available(), 0, `${name}: one CQE too many`);
      }
    });
  });
}

function addData(register: Register, start: StartEngine): void {
  for (const shared of [false, true]) {
    register(`data moves both ways, ${shared ? "shared" : "plain"} memory`, () => {
      withFixture(
        start,
        ({ driver }) => {
          const text = "The quick brown fox";
          driver.arena(100, text.length).set(new TextEncoder().encode(text));
          const addr = driver.address(100);
          const write = { opcode: Op.WRITE_FIXED, fd: RW, addr, len: text.length, off: 7n };
          const read = { opcode: Op.READ_FIXED, fd: RW, addr: driver.address(), len: 40, off: 5n };
          assert.equal(play(driver, [linked(write, IO_LINK), read]), [`0:${text.length}`, "1:40"]);
          const got = Buffer.from(driver.arena(0, 40)).toString();
          assert.is(got, `xx${text}${"x".repeat(19)}`);
        },
        shared,
      );
    });
  }

  register("offset -1 moves the file's own position", () => {
    withFixture(start, ({ driver }) => {
      const read = { opcode: Op.READ_FIXED, fd: RO, addr: driver.address(), len: 6000, off: -1n };
      assert.equal(play(driver, [read]), ["0:6000"]);
      assert.equal(play(driver, [read]), ["0:4000"]);
      assert.equal(play(driver, [read]), ["0:0"]);
    });
  });

  register("the memory grows while the ring is open", () => {
    withFixture(start, ({ driver }) => {
      const read = { opcode: Op.READ_FIXED, fd: RO, addr: driver.address(), len: 10 };
      driver.memory.grow(1);
      assert.equal(play(driver, [read]), ["0:10"]);
      assert.is(Buffer.from(driver.arena(0, 10)).toString(), "y".repeat(10));
    });
  });
}

function addEnter(register: Register, start: StartEngine): void {
  register("enter counts, waits and runs out of time", () => {
    withFixture(start, ({ driver }) => {
      const read = { opcode: Op.READ_FIXED, fd: RW, addr: driver.address(), len: 10 };
      driver.queue(read, read, read);
      assert.is(driver.enter(10), 3, "no more than there are");
      assert.is(driver.reap().length, 3);
      assert.is(driver.enter(0, 1, 10_000), -Errno.ETIME);
      assert.is(driver.enter(0, 1, 0), -Errno.ETIME);
      driver.queue(read, read);
      assert.is(driver.enter(2, 5, 10_000), 2, "what was submitted is told although time ran out");
      assert.is(driver.enter(0, 2, -1), 0);
      assert.is(driver.reap().length, 2);
      assert.is(driver.engine.enter(0, 0, 1 << 8, 0), -Errno.EINVAL, "unknown flag");
    });
  });

  register("a queue that overflows gives everything in the end", () => {
    withFixture(start, ({ driver }) => {
      const read = { opcode: Op.READ_FIXED, fd: RW, addr: driver.address(), len: 10 };
      let submitted = 0;
      for (let round = 0; round < 3; round++) {
        for (let index = 0; index < 64; index++)
          driver.queue({ ...read, userData: BigInt(submitted++) });
        assert.is(driver.enter(64), 64);
      }
      const { sqFlags } = driver.engine.layout;
      assert.is(driver.available(), 128);
      assert.is(Atomics.load(driver.words, sqFlags >>> 2) & 2, 2, "CQ_OVERFLOW");
      assert.is(driver.enter(0, 1000, 0), 0, "a wait is never for more than the queue holds");
      const seen = driver.reap();
      assert.is(driver.enter(0, 64), 0);
      seen.push(...driver.reap());
      assert.equal(
        seen.map(({ userData }) => Number(userData)),
        Array.from({ length: submitted }, (_, index) => index),
      );
      assert.is(Atomics.load(driver.words, sqFlags >>> 2) & 2, 0);
    });
  });

  register("a scribbled header hurts nobody else", () => {
    withFixture(start, ({ driver }) => {
      const { words, engine } = driver;
      const { sqHead, sqTail, cqHead, cqTail } = engine.layout;
      const read = { opcode: Op.READ_FIXED, fd: RW, addr: driver.address(), len: 10 };
      for (let index = 0; index < 64; index++) driver.queue({ ...read, userData: 5n });
      for (const offset of [16, 20, 24, 28]) words[(sqHead + offset) >>> 2] = 0x7fff_ffff;
      Atomics.store(words, sqHead >>> 2, 12345);
      Atomics.store(words, cqTail >>> 2, 99);
      Atomics.store(words, sqTail >>> 2, (Atomics.load(words, sqTail >>> 2) + 1000) | 0);
      assert.is(driver.enter(5000), 64, "no more than the queue holds");
      const before = Atomics.load(words, cqHead >>> 2);
      Atomics.store(words, cqHead >>> 2, before - 100_000);
      driver.enter(5000);
      Atomics.store(words, cqHead >>> 2, before);
      driver.enter(0, 1, 0);
      assert.ok(driver.available() > 0);
    });
  });

  register("a closed ring refuses", () => {
    withFixture(start, ({ driver }) => {
      driver.queue({ opcode: Op.READ_FIXED, fd: PIPE_READ, addr: driver.address(), len: 10 });
      driver.enter(1);
      driver.close();
      driver.close();
      assert.is(driver.enter(1), -Errno.EBADF);
    });
  });
}

/** Adds every case to the caller's suite. */
export function conformance(register: Register, start: StartEngine): void {
  addTables(register, start);
  addData(register, start);
  addStreams(register, start);
  addEnter(register, start);
}
