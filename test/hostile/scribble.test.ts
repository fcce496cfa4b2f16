/**
 * A guest that writes nonsense over its rings: headers, indices, masks, SQ array, CQEs, SQEs, tails that jump. It hurts
 * nobody but itself: every enter returns in bounded time with an errno or a count that the ring can hold, nothing
 * outside changes, and teardown works.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Op, SetupFlag } from "../../host/abi";
import { linuxSyscalls } from "../../host/ffi";
import type { Syscalls } from "../../host/ffi/syscalls";
import {
  Attacker,
  type AttackerOptions,
  answerName,
  ENGINES,
  HARMLESS_OP_NAMES,
  unavailableReason,
} from "./attacker";
import { Slot } from "./granted";
import { Random } from "./random";
import type { RawSqe } from "./raw-sqe";
import { leakedSince, takeResources } from "./resources";

const scribble = suite("hostile/scribble");

const ROUNDS = 300;
/** One enter waits at most 1 ms here; the rest is the kernel's and a busy machine's. */
const ENTER_MS_MAX = 1500;
const CLOSE_MS_MAX = 6000;

function randomSqe(random: Random, attacker: Attacker): RawSqe {
  const { host, arena, nativeBase } = attacker;
  const target = random.pick([
    attacker.at(random.below(arena.length)),
    host.address + BigInt(random.below(4096)),
    nativeBase + BigInt(random.below(arena.offset)),
    BigInt(random.word()) * BigInt(random.word()),
  ]);
  return {
    opcode: random.below(4) === 0 ? random.below(256) : random.pick([4, 5, 6, 7, 14, 3, 24, 55]),
    flags: random.below(8) === 0 ? random.below(256) : random.pick([1, 1, 5, 9, 0x41]),
    ioprio: random.below(4) === 0 ? random.word() & 0xffff : 0,
    slot: random.below(6) - 1,
    off: random.pick([0n, 0n, -1n, target]),
    addr: target,
    len: random.pick([0, 1, 64, arena.length, random.word()]),
    opFlags: random.pick([0, 0, 1, random.word()]),
    bufIndex: random.below(8) === 0 ? random.word() & 0xffff : 0,
    addr3: random.pick([0n, target]),
    pad2: random.pick([0n, 0n, 1n, target]),
  };
}

/** One round of nonsense, then one enter with nonsense arguments. */
function scribbleOnce(random: Random, attacker: Attacker): number {
  const { layout } = attacker.engine;
  const words = attacker.words;
  for (let index = 0; index < 16; index++)
    attacker.writeSqe(random.word(), randomSqe(random, attacker));
  const ring = attacker.ring.offset / 4;
  const count = random.pick([0, 1, 4, 32]);
  for (let index = 0; index < count; index++) {
    // The header's sixteen words more often than the CQEs behind them.
    const word = random.below(2) === 0 ? random.below(16) : random.below(attacker.ring.length / 4);
    words[ring + word] = random.pick([0, 1, -1, random.word(), random.word() & 0xff]);
  }
  const head = Atomics.load(words, layout.sqHead / 4);
  const jump = random.pick([1, 16, 64, 65, 1 << 30, -1, -64, 0x7fffffff, random.word()]);
  Atomics.store(words, layout.sqTail / 4, (head + jump) | 0);
  const toSubmit = random.pick([1, 16, 64, 65, -1, random.word()]);
  const minComplete = random.pick([0, 0, 1, 1000, -1]);
  return attacker.enter(toSubmit, minComplete, random.pick([0, 500, 1000]), random.below(32));
}

async function scribbleOn(options: AttackerOptions, seed: number): Promise<void> {
  const before = takeResources();
  const attacker = new Attacker({ policy: { opcodes: HARMLESS_OP_NAMES }, ...options });
  const random = new Random(seed);
  try {
    attacker.start();
    for (let round = 0; round < ROUNDS; round++) {
      const began = performance.now();
      const result = scribbleOnce(random, attacker);
      const tookMs = performance.now() - began;
      const where = `seed ${seed}, round ${round}: ${answerName(result)} after ${tookMs} ms`;
      assert.ok(Number.isInteger(result) && result >= -4095, where);
      assert.ok(result <= attacker.sqEntries, where);
      assert.ok(tookMs < ENTER_MS_MAX, where);
    }
    assert.equal(attacker.damage(), { guest: 0, host: 0 });
  } finally {
    const began = performance.now();
    attacker.close();
    assert.ok(performance.now() - began < CLOSE_MS_MAX, "closing took too long");
  }
  assert.equal(attacker.damage(), { guest: 0, host: 0 });
  assert.equal(await leakedSince(before), []);
}

/** A kernel from before IORING_SETUP_NO_SQARRAY: the ring then has an SQ array to scribble over. */
function withoutFlag(flag: SetupFlag): Syscalls {
  const real = linuxSyscalls();
  return {
    ...real,
    ioUringSetup: (entries, params) => {
      const flags = new DataView(params.buffer, params.byteOffset).getUint32(8, true);
      return (flags & flag) !== 0 ? -22 : real.ioUringSetup(entries, params);
    },
  };
}

/** The indices of an SQ array: out of range, doubled, changed after publishing. */
function attackArray(attacker: Attacker): void {
  const { layout } = attacker.engine;
  assert.is.not(layout.sqArray, 0, "the ring has an SQ array");
  const read = { opcode: Op.READ_FIXED, addr: attacker.at(), len: 8, slot: Slot.READ_WRITE };
  for (const index of [64, 65, 0x7fffffff, 0xffffffff, 1 << 20]) {
    attacker.queue([read]);
    const words = attacker.words;
    words.fill(index, layout.sqArray / 4, layout.sqArray / 4 + attacker.sqEntries);
    // The kernel counts it as dropped and answers nothing.
    assert.ok(attacker.enter(1) <= 0, `index ${index}`);
    assert.equal(attacker.reap(), []);
  }
  attacker.queue([read, read, read]);
  attacker.words.fill(0, layout.sqArray / 4, layout.sqArray / 4 + attacker.sqEntries);
  assert.is(attacker.enter(3, 3), 3);
  assert.is(attacker.reap().length, 3);
}

/** The ring still answers a good guest after a bad tail. */
function attackTail(attacker: Attacker): void {
  const { layout } = attacker.engine;
  for (const jump of [1 << 30, 0x7fffffff, -1, -64, attacker.sqEntries + 1, 1 << 16]) {
    const tail = Atomics.load(attacker.words, layout.sqTail / 4);
    Atomics.store(attacker.words, layout.sqTail / 4, (tail + jump) | 0);
    const result = attacker.enter(-1);
    assert.ok(result <= attacker.sqEntries, `jump ${jump}: ${answerName(result)}`);
    attacker.reap();
  }
  assert.equal(attacker.damage(), { guest: 0, host: 0 });
}

for (const engine of ENGINES) {
  const unavailable = unavailableReason(engine);
  const test = (name: string, run: () => void | Promise<void>): void => {
    scribble(`${engine}: ${name}`, async () => {
      if (unavailable !== null) return console.log(`skipped ${engine}: ${unavailable}`);
      await run();
    });
  };
  for (const seed of [1, 2, 3]) {
    test(`seed ${seed}`, () => scribbleOn({ engine, shared: seed === 2 }, seed));
  }
  test("a small ring", () => scribbleOn({ engine, sqEntries: 1, cqEntries: 1 }, 4));
  test("tail jumps", () => {
    const attacker = new Attacker({ engine });
    try {
      attackTail(attacker.start());
    } finally {
      attacker.close();
    }
  });
  if (engine !== "mapped") continue;
  test("under SQPOLL", () => scribbleOn({ engine, sqpoll: { idleMs: 10 } }, 5));
  test("with an SQ array", () =>
    scribbleOn({ engine, syscalls: withoutFlag(SetupFlag.NO_SQARRAY) }, 6));
  test("an SQ array of nonsense", () => {
    const attacker = new Attacker({ engine, syscalls: withoutFlag(SetupFlag.NO_SQARRAY) });
    try {
      attackArray(attacker.start());
    } finally {
      attacker.close();
    }
  });
}

scribble.run();
