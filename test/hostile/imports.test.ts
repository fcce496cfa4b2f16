/**
 * The imports `arena` and `personality` in hostile hands, on every engine: places that are not the guest's to register,
 * indices out of range, buffers mixed up, names out of memory, ids that nobody gave.
 */
import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ARENAS_MAX, GUEST_ADDRESS_BASE, Op } from "../../host/abi";
import { GuestStopped } from "../../host/guest/uring-imports";
import { Attacker, answerName, ENGINES, PAGE, unavailableReason } from "./attacker";
import { Slot } from "./granted";
import { leakedSince, takeResources } from "./resources";

const imports = suite("hostile/imports");

const WASM_PAGE = 65536;
const PAGES = 4;

/** A place of whole wasm pages that nothing uses yet. */
function grow(attacker: Attacker): number {
  return attacker.memory.grow(PAGES) * WASM_PAGE;
}

const arena = (attacker: Attacker, offset: number, length: number, index: number) =>
  answerName(attacker.imports.functions().arena(offset, length, index));

/** Every bad place and index; in this order, with an arena of index 1 at `free`. */
function badArenas(attacker: Attacker, free: number) {
  const { ring, sqes, arena: first } = attacker;
  const end = attacker.memory.buffer.byteLength;
  return [
    ["index 0", free, PAGE, 0, "EBUSY"],
    ["an index in use", free + 4 * PAGE, PAGE, 1, "EBUSY"],
    ["one index too many", free + 4 * PAGE, PAGE, ARENAS_MAX, "EINVAL"],
    ["index 65536", free + 4 * PAGE, PAGE, 65536, "EINVAL"],
    ["index -1", free + 4 * PAGE, PAGE, -1, "EINVAL"],
    ["the ring", ring.offset, ring.length, 2, "EINVAL"],
    ["across the ring's start", ring.offset - PAGE, 2 * PAGE, 2, "EINVAL"],
    ["the SQEs", sqes.offset, PAGE, 2, "EINVAL"],
    ["the first arena", first.offset, first.length, 2, "EINVAL"],
    ["the first arena's last page", first.offset + first.length - PAGE, PAGE, 2, "EINVAL"],
    ["around everything", PAGE, free, 2, "EINVAL"],
    ["the arena of index 1", free, PAGE, 2, "EINVAL"],
    ["across its end", free + PAGE, 2 * PAGE, 2, "EINVAL"],
    ["half a page", free + 4 * PAGE, PAGE / 2, 2, "EINVAL"],
    ["not at a page", free + 4 * PAGE + 8, PAGE, 2, "EINVAL"],
    ["nothing", free + 4 * PAGE, 0, 2, "EINVAL"],
    ["offset 0", 0, PAGE, 2, "EINVAL"],
    ["beyond the memory", end - PAGE, 2 * PAGE, 2, "EFAULT"],
    ["at the memory's end", end, PAGE, 2, "EFAULT"],
    ["wrapping 2^32", -PAGE, 2 * PAGE, 2, "EFAULT"],
    ["length -1", free + 4 * PAGE, -1, 2, "EFAULT"],
    ["NaN", Number.NaN, Number.NaN, Number.NaN, "EBUSY"],
  ] as const;
}

/** Reads at the places of three arenas under each index: only an arena's own index reaches it. */
function mixUp(attacker: Attacker, places: readonly (readonly [index: number, offset: number])[]) {
  const wrong: string[] = [];
  for (const [own, offset] of places) {
    for (const bufIndex of [0, 1, 2, 3, ARENAS_MAX - 1, ARENAS_MAX, 0x7fff, 0xffff]) {
      const answer = answerName(
        attacker.submitOne({
          ...{ opcode: Op.READ_FIXED, slot: Slot.READ_WRITE, len: 8, bufIndex },
          addr: BigInt(GUEST_ADDRESS_BASE + offset),
        }),
      );
      const expected = bufIndex === own ? "8" : "EFAULT";
      if (answer !== expected) wrong.push(`index ${bufIndex} at that of ${own}: ${answer}`);
    }
  }
  assert.equal(wrong, []);
}

for (const engine of ENGINES) {
  const unavailable = unavailableReason(engine);
  const test = (name: string, run: (attacker: Attacker) => void): void => {
    imports(`${engine}: ${name}`, async () => {
      if (unavailable !== null) return console.log(`skipped ${engine}: ${unavailable}`);
      const before = takeResources();
      const attacker = new Attacker({ engine });
      try {
        run(attacker);
        assert.equal(attacker.damage(), { guest: 0, host: 0 });
      } finally {
        attacker.close();
      }
      assert.equal(await leakedSince(before), []);
    });
  };

  test("no arena before there is a ring, none for a guest that is to end", (attacker) => {
    assert.is(arena(attacker, grow(attacker), PAGE, 1), "EBADF");
    attacker.start();
    attacker.control.stop();
    const isStopped = (error: unknown) => error instanceof GuestStopped;
    assert.throws(() => arena(attacker, grow(attacker), PAGE, 1), isStopped);
  });

  test("bad places and indices", (attacker) => {
    attacker.start();
    const free = grow(attacker);
    assert.is(arena(attacker, free, 2 * PAGE, 1), "0");
    const wrong = badArenas(attacker, free).flatMap(([name, offset, length, index, expect]) => {
      const answer = arena(attacker, offset, length, index);
      return answer === expect ? [] : [`${name}: ${answer} instead of ${expect}`];
    });
    assert.equal(wrong, []);
    assert.is(attacker.refusals.length, 16, "sentences are bounded");
    assert.is(
      answerName(attacker.submitOne({ opcode: Op.READ_FIXED, addr: attacker.at(), len: 8 })),
      "8",
    );
  });

  test("an arena is reached by its own index alone", (attacker) => {
    attacker.start();
    const free = grow(attacker);
    assert.is(arena(attacker, free, PAGE, 1), "0");
    assert.is(arena(attacker, free + 2 * PAGE, PAGE, ARENAS_MAX - 1), "0");
    mixUp(attacker, [
      [0, attacker.arena.offset],
      [1, free],
      [ARENAS_MAX - 1, free + 2 * PAGE],
    ]);
    // The page between two arenas, and across an end.
    for (const addr of [free + PAGE, free + PAGE - 4, free - 4]) {
      const address = BigInt(GUEST_ADDRESS_BASE + addr);
      const read = { opcode: Op.READ_FIXED, addr: address, len: 8, bufIndex: 1 };
      assert.is(answerName(attacker.submitOne(read)), "EFAULT");
    }
  });

  test("random requests for arenas never throw", (attacker) => {
    attacker.start();
    const free = grow(attacker);
    const place = fc.oneof(
      fc.integer(),
      fc.integer({ min: 0, max: 200 }).map((pages) => pages * PAGE),
      fc.integer({ min: 0, max: 8 }).map((pages) => free + pages * PAGE),
    );
    const length = fc.oneof(
      fc.integer(),
      fc.integer({ min: 0, max: 3 }).map((pages) => pages * PAGE),
    );
    const index = fc.oneof(fc.integer(), fc.integer({ min: 0, max: ARENAS_MAX + 1 }));
    let accepted = 0;
    const property = fc.property(place, length, index, (offset, bytes, at) => {
      // Not where the canaries lie: what is accepted there would be the guest's to overwrite.
      fc.pre(offset >>> 0 >= free || offset < 0);
      const result = attacker.imports.functions().arena(offset, bytes, at);
      assert.ok(result <= 0 && result > -4096, answerName(result));
      if (result === 0) accepted++;
    });
    fc.assert(property, { numRuns: 300 });
    assert.ok(accepted > 0 && accepted < ARENAS_MAX, `${accepted}`);
    assert.is(
      answerName(attacker.submitOne({ opcode: Op.READ_FIXED, addr: attacker.at(), len: 8 })),
      "8",
    );
  });

  test("names of personalities", (attacker) => {
    const { personality } = attacker.imports.functions();
    const end = attacker.memory.buffer.byteLength;
    assert.is(answerName(personality(0, 4)), "EBADF");
    attacker.start();
    const answers = [
      [0, 4],
      [0, 0],
      [end - 4, 4],
      [end - 4, 5],
      [-1, 2],
      [0, 256],
      [0, -1],
      [Number.NaN, Number.NaN],
    ].map(([offset, length]) => answerName(personality(offset ?? 0, length ?? 0)));
    assert.equal(answers, [
      ...["ENOENT", "ENOENT", "ENOENT", "EFAULT", "EFAULT", "ENAMETOOLONG", "ENAMETOOLONG"],
      "ENOENT",
    ]);
  });

  test("personalities are not forged", (attacker) => {
    attacker.start();
    const read = { opcode: Op.READ_FIXED, addr: attacker.at(), len: 8 };
    const ids = [...Array(70).keys(), 255, 256, 32767, 32768, 65534, 65535].filter((id) => id > 0);
    const answers = attacker.submitAll(ids.map((personality) => ({ ...read, personality })));
    assert.equal(new Set(answers.map(answerName)), new Set(["EINVAL"]));
  });

  if (engine === "emulated" || process.getuid?.() !== 0) continue;
  imports(`${engine}: beside a registered personality no other can be named`, () => {
    if (unavailable !== null) return console.log(`skipped ${engine}: ${unavailable}`);
    const personalities = { other: { uid: 65534, gid: 65534 } };
    const attacker = new Attacker({ engine, personalities });
    try {
      attacker.start();
      const [id = 0] = attacker.engine.personalities.values();
      const read = { opcode: Op.READ_FIXED, addr: attacker.at(), len: 8 };
      for (let personality = 1; personality < 64; personality++) {
        const expected = personality === id ? "8" : "EINVAL";
        assert.is(answerName(attacker.submitOne({ ...read, personality })), expected);
      }
      // Realtime I/O priority is root's: under the personality the kernel refuses what it gives the host.
      const realtime = { ...read, ioprio: 1 << 13, personality: id };
      const answer = answerName(attacker.submitOne(realtime));
      assert.ok(["8", "EPERM"].includes(answer), answer);
    } finally {
      attacker.close();
    }
  });
}

imports.run();
