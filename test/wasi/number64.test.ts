/** 64-bit numbers without bigint, against bigint. */
import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  copy64,
  getNumber64,
  setNanoseconds,
  setNumber64,
  signed64,
  unsigned64,
} from "../../host/wasi/number64";

const test = suite("wasi/number64");
const view = new DataView(new ArrayBuffer(16));
const words = new Int32Array(view.buffer);
const safe = fc.maxSafeNat();

test("property: what fits a number comes back as it was", () => {
  fc.assert(
    fc.property(safe, (value) => {
      setNumber64(view, 0, value);
      assert.is(view.getBigUint64(0, true), BigInt(value));
      assert.is(getNumber64(view, 0), value);
      copy64(view, 0, view, 8);
      assert.is(view.getBigUint64(8, true), BigInt(value));
    }),
  );
});

test("property: seconds and nanoseconds are one exact number", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 33 }), fc.nat(999_999_999), (seconds, ns) => {
      setNanoseconds(words, 0, seconds, ns);
      assert.is(view.getBigUint64(0, true), BigInt(seconds) * 1_000_000_000n + BigInt(ns));
    }),
    { numRuns: 2000 },
  );
});

test("parameters are numbers or bigints", () => {
  assert.equal([signed64(-1n), signed64(-1), signed64(7n), signed64(Number.NaN)], [-1, -1, 7, 0]);
  assert.equal([unsigned64(-1n), unsigned64(-1)], [2 ** 64, 0xffffffff]);
});

test.run();
