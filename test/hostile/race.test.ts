/**
 * A second thread of the guest scribbles over rings and SQEs at full speed while the first submits: whatever the host or
 * the kernel reads twice may differ the second time. Nothing outside changes, no enter hangs, nothing is left behind.
 */
import { Worker } from "node:worker_threads";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  Attacker,
  type AttackerOptions,
  answerName,
  ENGINES,
  HARMLESS_OP_NAMES,
  unavailableReason,
} from "./attacker";
import { Slot } from "./granted";
import { leakedSince, takeResources } from "./resources";

const race = suite("hostile/race");

const RACE_MS = 1000;
const SQPOLL_RACE_MS = 400;
const ENTER_MS_MAX = 2000;

/** The other thread, as text so that it needs no file of its own: seeded nonsense, mostly well-formed SQEs. */
const SCRIBBLER = `
const { workerData: { memory, stop, ring, ringWords, sqes, entries, addresses, seed } } = require("node:worker_threads");
const words = new Int32Array(memory);
const view = new DataView(memory);
const flag = new Int32Array(stop);
let state = seed;
const random = () => (state = (Math.imul(state, 1664525) + 1013904223) | 0) >>> 0;
const below = (bound) => (random() >>> 8) % bound;
let turns = 0;
while (Atomics.load(flag, 0) === 0) {
  const sqe = sqes + below(entries) * 64;
  switch (below(6)) {
    case 0: view.setUint8(sqe, [4, 5, 6, 7, 14, 3, 24, 25, 1, 22, 30][below(11)]); break;
    case 1: view.setUint8(sqe + 1, [1, 1, 1, 0, 5, 9, 65, 17, 255][below(9)]); break;
    case 2: view.setInt32(sqe + 4, below(70) - 3, true); break;
    case 3: view.setBigUint64(sqe + 16, addresses[below(addresses.length)], true); break;
    case 4: view.setUint32(sqe + 24, [0, 1, 64, 4096, 65536, 0xffffffff][below(6)], true); break;
    case 5: view.setUint32(sqe + 40 + 4 * below(6), below(2) ? 0 : random(), true); break;
  }
  if (below(16) === 0) words[ring / 4 + below(16)] = [0, 1, -1, random(), below(256)][below(5)];
  if (below(64) === 0) words[ring / 4 + below(ringWords)] = random();
  turns++;
}
Atomics.store(flag, 1, turns);
Atomics.store(flag, 2, 1);
Atomics.notify(flag, 2);
`;

function startScribbler(attacker: Attacker, seed: number): { end(): Promise<number> } {
  const stop = new SharedArrayBuffer(12);
  const { host, nativeBase } = attacker;
  const worker = new Worker(SCRIBBLER, {
    eval: true,
    workerData: {
      memory: attacker.memory.buffer,
      stop,
      ring: attacker.ring.offset,
      ringWords: attacker.ring.length / 4,
      sqes: attacker.sqes.offset,
      entries: attacker.sqEntries,
      addresses: [
        attacker.at(),
        attacker.at(8192),
        host.address,
        nativeBase,
        0n,
        0xffffffffffffffffn,
      ],
      seed,
    },
  });
  const end = async (): Promise<number> => {
    const words = new Int32Array(stop);
    const exited = new Promise((resolve) => worker.once("exit", resolve));
    Atomics.store(words, 0, 1);
    await exited;
    return Atomics.load(words, 1);
  };
  return { end };
}

/** Submits good requests as well as it can while its ring is torn up. */
async function submitFor(attacker: Attacker, durationMs: number): Promise<number> {
  const end = performance.now() + durationMs;
  let calls = 0;
  while (performance.now() < end) {
    for (let index = 0; index < 200; index++) {
      attacker.writeSqe(calls, {
        opcode: calls & 1 ? 4 : 5,
        addr: attacker.at(),
        len: 64,
        slot: Slot.READ_WRITE,
      });
      const tail = attacker.engine.layout.sqTail / 4;
      Atomics.add(attacker.words, tail, 1);
      const began = performance.now();
      const result = attacker.enter(1, calls & 1, 500, calls & 3);
      const tookMs = performance.now() - began;
      assert.ok(result <= attacker.sqEntries && result > -4096, answerName(result));
      assert.ok(tookMs < ENTER_MS_MAX, `enter took ${tookMs} ms`);
      calls++;
    }
    attacker.reap();
    await new Promise((resolve) => setImmediate(resolve));
  }
  return calls;
}

async function raceOn(options: AttackerOptions, durationMs: number): Promise<void> {
  const before = takeResources();
  const attacker = new Attacker({
    ...options,
    shared: true,
    policy: { opcodes: HARMLESS_OP_NAMES },
  });
  try {
    attacker.start();
    const scribbler = startScribbler(attacker, 20_201_030);
    let calls: number;
    let turns: number;
    try {
      calls = await submitFor(attacker, durationMs);
    } finally {
      turns = await scribbler.end();
    }
    assert.ok(calls > 100 && turns > 1000, `${calls} calls raced ${turns} turns`);
    assert.equal(attacker.damage(), { guest: 0, host: 0 });
  } finally {
    const began = performance.now();
    attacker.close();
    assert.ok(performance.now() - began < 6000, "closing took too long");
  }
  assert.equal(attacker.damage(), { guest: 0, host: 0 });
  assert.equal(await leakedSince(before, 1), []);
}

for (const engine of ENGINES) {
  const unavailable = unavailableReason(engine);
  const test = (name: string, run: () => Promise<void>): void => {
    race(`${engine}: ${name}`, async () => {
      if (unavailable !== null) return console.log(`skipped ${engine}: ${unavailable}`);
      await run();
    });
  };
  test("two threads on one ring", () => raceOn({ engine }, RACE_MS));
  if (engine !== "mapped") continue;
  test("three, one of them the kernel's", () =>
    raceOn({ engine, sqpoll: { idleMs: 20 } }, SQPOLL_RACE_MS));
}

race.run();
