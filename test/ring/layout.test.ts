/**
 * The size arithmetic of a ring, and the check of a set-up request, against an independent telling of the rules. What
 * the kernel says to such requests is in test/hostile/requests.test.ts; that the guest's arithmetic agrees, in
 * test/guest/memories.test.ts.
 */
import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ABI_VERSION, Errno, SetupRequest as Request } from "../../host/abi";
import { GuestMemory } from "../../host/memory/guest-memory";
import { compilePolicy } from "../../host/policy";
import type { RingPlan } from "../../host/ring/engine";
import { checkRequest, ringBytes, sqesBytes } from "../../host/ring/layout";

const layout = suite("ring/layout");

const PAGE = 4096;
const MEMORY_PAGES = 4;
const MEMORY_BYTES = MEMORY_PAGES * 65536;

const plan: RingPlan = {
  engine: "emulated",
  policy: compilePolicy("file-read"),
  slots: [],
  sqpoll: null,
  entries: 64,
  entriesMax: 1024,
  ioWorkersMax: [2, 2],
};

const GOOD: readonly number[] = [
  ...[ABI_VERSION, 64, 128],
  ...[PAGE, PAGE, 2 * PAGE, PAGE, 3 * PAGE, 8 * PAGE],
  0,
];

/** Checks a request of ten words at `offset`: the accepted regions, or the errno's name. */
function check(words: readonly number[], offset = 0, pageBytes = PAGE): string {
  const memory = new GuestMemory(new WebAssembly.Memory({ initial: MEMORY_PAGES }));
  words.forEach((word, index) => {
    if (memory.contains(offset, Request.SIZE)) {
      memory.view.setUint32((offset >>> 0) + index * 4, word >>> 0, true);
    }
  });
  const result = checkRequest(memory, offset, plan, pageBytes);
  if (!("errno" in result)) return "accepted";
  assert.ok(result.reason.length > 10);
  return Errno[result.errno] ?? "";
}

const withWord = (field: Request, value: number): number[] =>
  GOOD.map((word, index) => (index === field / 4 ? value : word));

layout("sizes: a page each for 64/128 entries, as the kernel counts", () => {
  assert.is(ringBytes(64, 128), 64 + 128 * 16 + 64 * 4);
  assert.is(sqesBytes(64), 4096);
  assert.ok(ringBytes(64, 128) <= PAGE && sqesBytes(64) <= PAGE);
  assert.is(ringBytes(1, 1), 128 + 4); // the SQ array begins at a cache line
});

layout("a good request, anywhere in memory", () => {
  assert.is(check(GOOD), "accepted");
  assert.is(check(GOOD, MEMORY_BYTES - Request.SIZE), "accepted");
  assert.is(check(GOOD, MEMORY_BYTES - Request.SIZE + 1), "EFAULT");
  for (const offset of [MEMORY_BYTES, -1, -Request.SIZE, 0x7fffffff, 0xffffffff, 2 ** 31]) {
    assert.is(check(GOOD, offset), "EFAULT", `${offset}`);
  }
});

layout("versions, flags, entries", () => {
  assert.is(check(withWord(Request.ABI_VERSION, 7)), "EPROTONOSUPPORT");
  assert.is(check(withWord(Request.FLAGS, 1)), "EINVAL");
  for (const entries of [0, 3, 2048, 2 ** 31]) {
    assert.is(check(withWord(Request.SQ_ENTRIES, entries)), "EINVAL", `${entries}`);
  }
  for (const entries of [0, 32, 96, 2 ** 31]) {
    assert.is(check(withWord(Request.CQ_ENTRIES, entries)), "EINVAL", `${entries}`);
  }
});

layout("larger pages are asked for where the machine has them", () => {
  assert.is(check(GOOD, 0, 65536), "EINVAL");
  const words = [ABI_VERSION, 64, 128, 65536, 65536, 131072, 65536, 196608, 65536, 0];
  assert.is(check(words, 0, 65536), "accepted");
});

/** The rules once more, in other words. */
function isGood(words: readonly number[]): boolean {
  const [
    version,
    sq = 0,
    cq = 0,
    ringAt = 0,
    ring = 0,
    sqesAt = 0,
    sqes = 0,
    arenaAt = 0,
    arena = 0,
    flags,
  ] = words;
  const powers = Array.from({ length: 17 }, (_, exponent) => 2 ** exponent);
  if (version !== ABI_VERSION || flags !== 0) return false;
  if (!powers.includes(sq) || sq > plan.entriesMax || !powers.includes(cq) || cq < sq) return false;
  if (ring < 64 + cq * 16 + sq * 4 || sqes < sq * 64) return false;
  const used = new Set<number>();
  for (const [at, length] of [
    [ringAt, ring],
    [sqesAt, sqes],
    [arenaAt, arena],
  ] as const) {
    if (at === 0 || length === 0 || at % PAGE !== 0 || length % PAGE !== 0) return false;
    if (at + length > MEMORY_BYTES) return false;
    for (let page = at; page < at + length; page += PAGE) {
      if (used.has(page)) return false;
      used.add(page);
    }
  }
  return true;
}

layout("any request: accepted exactly when the rules say so, and never an exception", () => {
  const size = fc.oneof(
    fc.integer({ min: 0, max: 70 }).map((page) => page * PAGE),
    fc.constantFrom(PAGE, 2 * PAGE, 3 * PAGE, 1, PAGE + 1, 0xfffff000, 0xffffffff),
  );
  const entries = fc.oneof(
    fc.integer({ min: 0, max: 11 }).map((exponent) => 2 ** exponent),
    fc.integer({ min: 0, max: 0xffffffff }),
  );
  const mostly = (value: number, other: fc.Arbitrary<number>) =>
    fc.oneof({ weight: 4, arbitrary: fc.constant(value) }, { weight: 1, arbitrary: other });
  const request = fc.tuple(
    fc.constantFrom(1, 1, 1, 1, 0, 2),
    ...[64, 128].map((value) => mostly(value, entries)),
    ...GOOD.slice(3, 9).map((value) => mostly(value, size)),
    fc.constantFrom(0, 0, 0, 0, 1, 0x80000000),
  );
  let accepted = 0;
  fc.assert(
    fc.property(request, (words) => {
      const answer = check(words);
      assert.is(answer === "accepted", isGood(words), `${words}: ${answer}`);
      if (answer === "accepted") accepted++;
    }),
    { numRuns: 2000 },
  );
  assert.ok(accepted > 50, `only ${accepted} requests of the property were good`);
});

layout.run();
