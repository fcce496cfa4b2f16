/**
 * Set-up requests with hostile words, through the import itself and on every engine: refused by an errno with a reason
 * for the owner, never by an exception, and a good request still succeeds afterwards. A second set-up is refused.
 */
import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Op, SetupRequest as Request } from "../../host/abi";
import { GuestStopped } from "../../host/guest/uring-imports";
import { Attacker, answerName, ENGINES, PAGE, unavailableReason } from "./attacker";
import { Slot } from "./granted";
import { leakedSince, takeResources } from "./resources";

const requests = suite("hostile/requests");

type Words = Readonly<Partial<Record<Request, number>>>;
type BadRequest = readonly [name: string, words: Words, expect: string];

const MAX = 0xffffffff;

function badRequests({ ring, sqes, arena, memory }: Attacker): BadRequest[] {
  const memoryBytes = memory.buffer.byteLength;
  const bad: BadRequest[] = [
    ["ABI version 0", { [Request.ABI_VERSION]: 0 }, "EPROTONOSUPPORT"],
    ["ABI version 2", { [Request.ABI_VERSION]: 2 }, "EPROTONOSUPPORT"],
    ["ABI version 2^32-1", { [Request.ABI_VERSION]: MAX }, "EPROTONOSUPPORT"],
    ["flag 1", { [Request.FLAGS]: 1 }, "EINVAL"],
    ["all flags", { [Request.FLAGS]: MAX }, "EINVAL"],
    ["SQE array in the ring", { [Request.SQES_OFFSET]: ring.offset }, "EINVAL"],
    ["arena over the ring", { [Request.ARENA_OFFSET]: ring.offset }, "EINVAL"],
    ["arena over the SQEs", { [Request.ARENA_OFFSET]: sqes.offset }, "EINVAL"],
    [
      "arena over all",
      { [Request.ARENA_OFFSET]: PAGE, [Request.ARENA_LENGTH]: 8 * PAGE },
      "EINVAL",
    ],
    ["ring across the SQEs", { [Request.RING_LENGTH]: 4 * PAGE }, "EINVAL"],
    [
      "arena to one page past the end",
      { [Request.ARENA_LENGTH]: memoryBytes - arena.offset + PAGE },
      "EFAULT",
    ],
    [
      "4096 entries in one page",
      { [Request.SQ_ENTRIES]: 4096, [Request.CQ_ENTRIES]: 8192 },
      "EINVAL",
    ],
    ["256 CQ entries in one page", { [Request.CQ_ENTRIES]: 256 }, "EINVAL"],
  ];
  for (const entries of [0, 3, 63, 65, 65536, 0x80000000, MAX]) {
    bad.push([`${entries} SQ entries`, { [Request.SQ_ENTRIES]: entries }, "EINVAL"]);
  }
  for (const entries of [0, 1, 32, 127, 131072, 0x80000000, MAX]) {
    bad.push([`${entries} CQ entries`, { [Request.CQ_ENTRIES]: entries }, "EINVAL"]);
  }
  const regions = [
    ["ring", Request.RING_OFFSET, Request.RING_LENGTH, ring],
    ["SQE array", Request.SQES_OFFSET, Request.SQES_LENGTH, sqes],
    ["arena", Request.ARENA_OFFSET, Request.ARENA_LENGTH, arena],
  ] as const;
  for (const [name, offset, length, { offset: at }] of regions) {
    bad.push([`${name} at 0`, { [offset]: 0 }, "EINVAL"]);
    bad.push([`${name} unaligned by 1`, { [offset]: at + 1 }, "EINVAL"]);
    bad.push([`${name} unaligned by 64`, { [offset]: at + 64 }, "EINVAL"]);
    bad.push([`${name} at the end`, { [offset]: memoryBytes }, "EFAULT"]);
    bad.push([`${name} at 2^31`, { [offset]: 0x80000000 }, "EFAULT"]);
    bad.push([`${name} at the last page of 4 GiB`, { [offset]: 0xfffff000 }, "EFAULT"]);
    bad.push([`${name} at 2^32-1`, { [offset]: MAX }, "EFAULT"]);
    bad.push([`${name} of 0 bytes`, { [length]: 0 }, "EINVAL"]);
    bad.push([`${name} of 1 byte`, { [length]: 1 }, "EINVAL"]);
    bad.push([`${name} of 4097 bytes`, { [length]: PAGE + 1 }, "EINVAL"]);
    bad.push([`${name} of 2^32-1 bytes`, { [length]: MAX }, "EFAULT"]);
    bad.push([`${name} wrapping 2^32`, { [length]: 2 ** 32 - at }, "EFAULT"]);
  }
  return bad;
}

/** A ring that works: one read of the granted file. */
function assertWorks(attacker: Attacker): void {
  const sqe = { opcode: Op.READ_FIXED, addr: attacker.at(), len: 8, slot: Slot.READ_WRITE };
  assert.is(answerName(attacker.submitOne(sqe)), "8");
}

/** Words that are sometimes nearly right. */
const word = (near: readonly number[]) =>
  fc.oneof(
    fc.constantFrom(...near),
    fc.constantFrom(0, 1, PAGE, 2 * PAGE, 65536, 0x7fffffff, 0x80000000, 0xfffff000, MAX),
    fc.integer({ min: 0, max: 40 }).map((page) => page * PAGE),
    fc.integer({ min: 0, max: MAX }),
  );

function arbitraryWords({ ring, sqes, arena }: Attacker): fc.Arbitrary<Words> {
  return fc.record({
    [Request.ABI_VERSION]: fc.constantFrom(1, 1, 1, 1, 1, 1, 0, 2),
    [Request.SQ_ENTRIES]: word([1, 64, 64, 64, 128]),
    [Request.CQ_ENTRIES]: word([1, 64, 128, 128, 128]),
    [Request.RING_OFFSET]: word([ring.offset, ring.offset]),
    [Request.RING_LENGTH]: word([ring.length, ring.length]),
    [Request.SQES_OFFSET]: word([sqes.offset, sqes.offset]),
    [Request.SQES_LENGTH]: word([sqes.length, sqes.length]),
    [Request.ARENA_OFFSET]: word([arena.offset, arena.offset]),
    [Request.ARENA_LENGTH]: word([arena.length, arena.length]),
    [Request.FLAGS]: fc.constantFrom(0, 0, 0, 0, 0, 0, 1, MAX),
  });
}

/** Good but for the places, which are whole pages near one another: some overlap, some do not. */
function arbitraryPlaces(): fc.Arbitrary<Words> {
  const pages = (least: number, most: number) =>
    fc.integer({ min: least, max: most }).map((count) => count * PAGE);
  return fc.record({
    [Request.RING_OFFSET]: pages(0, 12),
    [Request.RING_LENGTH]: pages(1, 2),
    [Request.SQES_OFFSET]: pages(0, 12),
    [Request.SQES_LENGTH]: pages(1, 2),
    [Request.ARENA_OFFSET]: pages(0, 12),
    [Request.ARENA_LENGTH]: pages(1, 3),
  });
}

for (const engine of ENGINES) {
  const unavailable = unavailableReason(engine);
  const test = (name: string, run: (attacker: Attacker) => void): void => {
    requests(`${engine}: ${name}`, async () => {
      if (unavailable !== null) return console.log(`skipped ${engine}: ${unavailable}`);
      const before = takeResources();
      const attacker = new Attacker({ engine });
      try {
        run(attacker);
      } finally {
        attacker.close();
      }
      assert.equal(await leakedSince(before), []);
    });
  };

  test("each bad request has its errno and its reason", (attacker) => {
    const wrong = badRequests(attacker).flatMap(([name, words, expect]) => {
      // Of one guest's refusals only the first are told.
      attacker.renew().writeRequest(words);
      const told = attacker.refusals.length;
      const answer = answerName(attacker.setup());
      const right = answer === expect && attacker.refusals.length === told + 1;
      return right ? [] : [`${name}: ${answer} instead of ${expect}`];
    });
    assert.equal(wrong, []);
    assert.equal(attacker.damage(), { guest: 0, host: 0 });
    attacker.writeRequest();
    attacker.start();
    assertWorks(attacker);
  });

  test("refusals without end cost the owner a bounded number of sentences", (attacker) => {
    attacker.writeRequest({ [Request.SQ_ENTRIES]: 0 });
    for (let round = 0; round < 1000; round++) assert.is(answerName(attacker.setup()), "EINVAL");
    assert.is(attacker.refusals.length, 16);
  });

  test("a request that does not lie in memory", (attacker) => {
    const end = attacker.memory.buffer.byteLength;
    for (const offset of [end, end - 1, end - Request.SIZE + 1, -1, 0x7fffffff, -0x80000000]) {
      assert.is(answerName(attacker.setup(offset)), "EFAULT", `offset ${offset}`);
    }
    const last = end - Request.SIZE;
    attacker.writeRequest({}, last);
    assert.is(attacker.setup(last), 0);
  });

  test("a request that lies in the ring it asks for", (attacker) => {
    attacker.writeRequest({}, attacker.ring.offset + 2048);
    assert.is(attacker.setup(attacker.ring.offset + 2048), 0);
    assert.equal(attacker.damage(), { guest: 0, host: 0 });
  });

  test("random requests never throw, and what is accepted is good", (attacker) => {
    const regionsOf = (words: Words) =>
      [
        [words[Request.RING_OFFSET] ?? 0, words[Request.RING_LENGTH] ?? 0],
        [words[Request.SQES_OFFSET] ?? 0, words[Request.SQES_LENGTH] ?? 0],
        [words[Request.ARENA_OFFSET] ?? 0, words[Request.ARENA_LENGTH] ?? 0],
      ] as const;
    let accepted = 0;
    const arbitrary = fc.oneof(arbitraryWords(attacker), arbitraryPlaces());
    const property = fc.property(arbitrary, (words) => {
      attacker.renew().writeRequest(words);
      const result = attacker.setup();
      assert.ok(result <= 0 && result > -4096, answerName(result));
      if (result !== 0) return;
      accepted++;
      attacker.engine.close();
      attacker.control.claimRing();
      const regions = regionsOf(words);
      for (const [offset, length] of regions) {
        assert.ok(offset > 0 && length > 0 && offset % PAGE === 0 && length % PAGE === 0);
        assert.ok(offset + length <= attacker.memory.buffer.byteLength);
      }
      const sorted = [...regions].sort((left, right) => left[0] - right[0]);
      sorted.slice(1).forEach(([offset], index) => {
        const [before, length] = sorted[index] ?? [0, 0];
        assert.ok(before + length <= offset, "regions overlap");
      });
    });
    fc.assert(property, { numRuns: 300 });
    assert.ok(accepted > 10, `${accepted} of 300 were accepted`);
    assert.is(attacker.host.changedBytes(), 0);
  });

  test("a second set-up is refused and leaves the first ring alone", (attacker) => {
    attacker.start();
    const pending = attacker.refusals.length;
    assert.is(answerName(attacker.imports.functions().setup(0)), "EBUSY");
    assert.is(attacker.refusals.length, pending + 1);
    assertWorks(attacker);
  });

  test("enter without a ring, and after its end", (attacker) => {
    assert.is(answerName(attacker.enter(1, 1)), "EBADF");
    attacker.start();
    attacker.engine.close();
    assert.is(answerName(attacker.enter(1, 1)), "EBADF");
    attacker.engine.close();
    attacker.control.claimRing();
  });

  test("a guest that is to end begins no set-up", (attacker) => {
    attacker.control.stop();
    assert.throws(
      () => attacker.setup(),
      (error: unknown) => error instanceof GuestStopped,
    );
    assert.is(attacker.imports.engine, null);
  });

  test("enter with unknown flags", (attacker) => {
    attacker.start();
    for (const flag of [8, 16, 32, 64, 128, 1 << 30, -0x80000000, -1]) {
      assert.is(answerName(attacker.enter(0, 1, 0, flag)), "EINVAL", `flag ${flag}`);
    }
    assertWorks(attacker);
  });
}

requests.run();
