/**
 * The end of a ring with operations in flight, and the memory used again at once: after close nothing may write into
 * it (kernel-facts: without the ordered teardown pending reads did, in 100 of 100 trials). Also growth between
 * operations, which detaches every view that the host had.
 */
import { readSync, writeSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Op } from "../../host/abi";
import {
  Attacker,
  type AttackerOptions,
  answerName,
  ENGINES,
  PAGE,
  unavailableReason,
} from "./attacker";
import { Slot } from "./granted";
import { leakedSince, takeResources } from "./resources";

const teardown = suite("hostile/teardown");

const TRIALS = 100;
/** The poll thread of a closed ring takes the kernel some 20 ms to end. */
const SQPOLL_TRIALS = 40;
const READS = 8;
const MARK = 0x77;
const CURRENT_POSITION = -1n;

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Leaves reads pending on an empty pipe, closes, reuses the memory, then lets the bytes come. */
async function closeWithReadsPending(attacker: Attacker, pauseMs: number): Promise<number> {
  attacker.queue(
    Array.from({ length: READS }, (_, index) => ({
      opcode: Op.READ_FIXED,
      slot: Slot.PIPE_OUT,
      addr: attacker.at(index * 64),
      len: 64,
      off: CURRENT_POSITION,
    })),
  );
  attacker.enter(READS, 0, 0, 2);
  if (pauseMs > 0) await sleep(pauseMs);
  attacker.engine.close();
  attacker.control.claimRing();
  attacker.bytes.fill(MARK, attacker.arena.offset, attacker.arena.offset + attacker.arena.length);
  const secret = Buffer.alloc(READS * 64, "later bytes ");
  writeSync(attacker.pipe[1], secret);
  if (pauseMs > 0) await sleep(pauseMs);
  // Nobody took them: they are still in the pipe, for this reader.
  const left = readSync(attacker.pipe[0], Buffer.alloc(4 * PAGE));
  assert.is(left, secret.length, "bytes were taken out of the pipe after close");
  const arena = attacker.bytes.subarray(
    attacker.arena.offset,
    attacker.arena.offset + attacker.arena.length,
  );
  return arena.reduce((sum, byte) => sum + (byte === MARK ? 0 : 1), 0);
}

async function repeatTeardown(options: AttackerOptions): Promise<void> {
  const before = takeResources();
  const attacker = new Attacker({ policy: "stream", ...options });
  try {
    const trials = options.sqpoll === undefined ? TRIALS : SQPOLL_TRIALS;
    for (let trial = 0; trial < trials; trial++) {
      attacker.renew().start();
      const changed = await closeWithReadsPending(
        attacker,
        options.sqpoll !== undefined ? 1 : trial % 2,
      );
      assert.is(changed, 0, `trial ${trial}: ${changed} bytes were written after close`);
    }
    assert.equal(attacker.damage(), { guest: 0, host: 0 });
  } finally {
    attacker.close();
  }
  assert.equal(await leakedSince(before), []);
}

/** Every kind of operation that can be pending, and a CQ that overflows meanwhile. */
function leavePending(attacker: Attacker): void {
  const poll = { opcode: Op.POLL_ADD, slot: Slot.PIPE_OUT, opFlags: 1 };
  const read = {
    opcode: Op.READ_FIXED,
    slot: Slot.PIPE_OUT,
    addr: attacker.at(),
    len: 64,
    off: -1n,
  };
  for (let batch = 0; batch < 20; batch++) {
    attacker.queue([poll, read, { ...poll, flags: 5 }, read, { opcode: Op.NOP }]);
    attacker.enter(5);
  }
}

/** Plain reads and writes before, between and after every growth, with an SQE queued across it. */
function growBetween(attacker: Attacker): void {
  const { memory } = attacker;
  const read = { opcode: Op.READ_FIXED, addr: attacker.at(), len: 8, slot: Slot.READ_WRITE };
  for (let growth = 0; growth < 8; growth++) {
    assert.is(answerName(attacker.submitOne(read)), "8");
    attacker.queue([read]);
    memory.grow(growth === 7 ? 32 : 1);
    assert.is(attacker.enter(1, 1), 1, `growth ${growth}`);
    assert.equal(attacker.reap(), [[0, 8]]);
    assert.is(
      Buffer.from(attacker.bytes.slice(attacker.arena.offset)).toString("latin1", 0, 8),
      "granted ",
    );
  }
  assert.is(answerName(attacker.submitOne({ ...read, addr: attacker.nativeBase })), "EFAULT");
}

/** A closed ring's last words (CQ tail, flags) come some milliseconds later; another ring may lie there by then. */
async function ringPagesStayQuiet(engine: (typeof ENGINES)[number]): Promise<void> {
  for (let trial = 0; trial < 10; trial++) {
    const attacker = new Attacker({ engine }).start();
    const { ring, bytes } = attacker;
    attacker.imports.engine?.close();
    bytes.fill(MARK, ring.offset, ring.offset + ring.length);
    await sleep(15);
    const seen = bytes.slice(ring.offset, ring.offset + ring.length);
    const changed = seen.findIndex((byte) => byte !== MARK);
    attacker.close();
    assert.is(changed, -1, `byte ${changed} of the ring was written after its end`);
  }
}

for (const engine of ENGINES) {
  const unavailable = unavailableReason(engine);
  const test = (name: string, run: () => Promise<void>): void => {
    teardown(`${engine}: ${name}`, async () => {
      if (unavailable !== null) return console.log(`skipped ${engine}: ${unavailable}`);
      await run();
    });
  };
  const withAttacker = async (options: AttackerOptions, run: (attacker: Attacker) => void) => {
    const before = takeResources();
    const attacker = new Attacker(options);
    try {
      run(attacker.start());
      assert.equal(attacker.damage(), { guest: 0, host: 0 });
    } finally {
      attacker.close();
    }
    assert.equal(await leakedSince(before), []);
  };

  test(`reads pending on a pipe, ${TRIALS} times`, () => repeatTeardown({ engine }));
  test(`the same in shared memory`, () => repeatTeardown({ engine, shared: true }));
  if (engine === "mapped") {
    test("the same under SQPOLL", () => repeatTeardown({ engine, sqpoll: { idleMs: 5 } }));
  }
  test("the ring's own pages are left alone after its end", () => ringPagesStayQuiet(engine));
  test("everything pending at once", () => withAttacker({ engine }, leavePending));
  test("growth of plain memory", () => withAttacker({ engine }, growBetween));
  test("growth of shared memory", () => withAttacker({ engine, shared: true }, growBetween));
}

teardown.run();
