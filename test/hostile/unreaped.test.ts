/**
 * A guest that never takes its completions. None is lost: what does not fit into the CQ waits, in the kernel or in the
 * host, or submission is refused until there is room; a guest that comes to its senses gets every answer.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { EnterFlag, Errno, Op } from "../../host/abi";
import { Attacker, ENGINES, unavailableReason } from "./attacker";
import { leakedSince, takeResources } from "./resources";

const unreaped = suite("hostile/unreaped");

const BATCHES = 300;

/** Submits without ever reaping; how many SQEs were taken. */
function flood(attacker: Attacker): number {
  const { layout } = attacker.engine;
  let taken = 0;
  for (let batch = 0; batch < BATCHES; batch++) {
    const { words } = attacker;
    const head = Atomics.load(words, layout.sqHead / 4);
    const free = attacker.sqEntries - ((Atomics.load(words, layout.sqTail / 4) - head) >>> 0);
    const sqes = Array.from({ length: free }, (_, index) => ({
      opcode: index % 2 === 0 ? Op.NOP : Op.FSYNC,
      slot: 63,
      userData: taken + index,
    }));
    attacker.queue(sqes);
    const result = attacker.enter(attacker.sqEntries);
    if (result >= 0) taken += result;
    else assert.ok([Errno.EBUSY, Errno.EAGAIN].includes(-result), `enter says ${result}`);
  }
  return taken;
}

/** How long the kernel's workers may take over what was flooded (FSYNC always runs on one). */
const DRAIN_MS = 5000;
const IDLE_LOOKS = 3;
const pause = new Int32Array(new SharedArrayBuffer(4));

/** Reaps until all is there, and then looks for what should not be. */
function drain(attacker: Attacker, expected: number): number {
  const end = Date.now() + DRAIN_MS;
  let count = 0;
  for (let idle = 0; idle < IDLE_LOOKS || (count < expected && Date.now() < end); ) {
    const got = attacker.reap().length;
    count += got;
    idle = got === 0 ? idle + 1 : 0;
    if (got === 0) Atomics.wait(pause, 0, 0, 1);
    attacker.enter(0, 0, 0, EnterFlag.GETEVENTS);
  }
  return count;
}

for (const engine of ENGINES) {
  const unavailable = unavailableReason(engine);
  unreaped(`${engine}: a flood is held back or kept, and drained in the end`, async () => {
    if (unavailable !== null) return console.log(`skipped ${engine}: ${unavailable}`);
    const before = takeResources();
    const attacker = new Attacker({ engine });
    try {
      attacker.start();
      const taken = flood(attacker);
      assert.ok(taken >= attacker.cqEntries, `${taken} taken`);
      const lost = Atomics.load(attacker.words, attacker.engine.layout.cqOverflow / 4);
      assert.is(lost, 0);
      assert.is(drain(attacker, taken), taken);
      assert.equal(attacker.damage(), { guest: 0, host: 0 });
    } finally {
      attacker.close();
    }
    assert.equal(await leakedSince(before), []);
  });

  unreaped(`${engine}: a flood is closed away`, async () => {
    if (unavailable !== null) return console.log(`skipped ${engine}: ${unavailable}`);
    const before = takeResources();
    const attacker = new Attacker({ engine });
    attacker.start();
    flood(attacker);
    // The head lies: the queue looks full for ever.
    Atomics.store(attacker.words, attacker.engine.layout.cqHead / 4, 0x7fffffff);
    flood(attacker);
    const began = performance.now();
    attacker.close();
    assert.ok(performance.now() - began < 3000);
    assert.equal(await leakedSince(before), []);
  });
}

unreaped.run();
