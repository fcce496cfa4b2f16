/** A guest's memory as the host sees it: hostile ranges, growth, copies that the guest cannot change afterwards. */
import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { linuxSyscalls } from "../../host/ffi";
import { GuestMemory } from "../../host/memory/guest-memory";

const memorySuite = suite("memory/guest-memory");

const BYTES = 65536;
const make = (shared: boolean) =>
  new GuestMemory(new WebAssembly.Memory({ initial: 1, maximum: 8, shared }));

memorySuite("ranges: exactly what lies inside, whatever i32 the guest passes", () => {
  const memory = make(false);
  const word = fc.oneof(
    fc.integer({ min: -(2 ** 31), max: 2 ** 32 - 1 }),
    fc.constantFrom(0, 1, BYTES - 1, BYTES, BYTES + 1, -1, 0x7fffffff, 0xffffffff),
  );
  fc.assert(
    fc.property(word, word, (offset, length) => {
      const inside = BigInt(offset >>> 0) + BigInt(length >>> 0) <= BigInt(BYTES);
      assert.is(memory.contains(offset, length), inside);
      const copy = memory.copyOut(offset, length);
      assert.is(copy !== null, inside);
      if (copy !== null) assert.is(copy.length, length >>> 0);
    }),
    { numRuns: 1000 },
  );
});

for (const shared of [false, true]) {
  const name = shared ? "shared" : "plain";

  memorySuite(`${name}: a copy stays as it was`, () => {
    const memory = make(shared);
    memory.bytes.fill(1, 0, 16);
    const copy = memory.copyOut(0, 16);
    memory.bytes.fill(2, 0, 16);
    assert.equal([...(copy ?? [])], new Array(16).fill(1));
  });

  memorySuite(`${name}: views are made anew after growth, at the same address`, () => {
    const memory = make(shared);
    const syscalls = linuxSyscalls();
    const before = { bytes: memory.bytes, base: memory.baseAddress(syscalls) };
    memory.view.setUint32(8, 0x01020304, true);
    memory.memory.grow(3);
    assert.is(memory.lengthBytes, 4 * BYTES);
    assert.is(memory.bytes.length, 4 * BYTES);
    assert.is.not(memory.bytes, before.bytes);
    assert.is(memory.words[2], 0x01020304);
    assert.is(memory.view.getUint8(8), 4);
    assert.is(memory.baseAddress(syscalls), before.base);
    assert.ok(memory.contains(3 * BYTES, BYTES));
  });
}

memorySuite.run();
