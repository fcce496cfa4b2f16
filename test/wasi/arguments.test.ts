/** args_* and environ_*: what a guest reads back, and what hostile pointers get. */
import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { WasmUringError } from "../../host/errors";
import { WasiErrno } from "../../host/wasi/errno";
import { makeGuest, PAGE_BYTES, type TestGuest } from "./guest";

const test = suite("wasi/arguments");

function readList(made: TestGuest, family: "args" | "environ"): string[] {
  const { guest, call } = made;
  assert.is(call(`${family}_sizes_get`, 0, 4), WasiErrno.SUCCESS);
  const count = guest.view.getUint32(0, true);
  const length = guest.view.getUint32(4, true);
  assert.is(call(`${family}_get`, 16, 16 + count * 4), WasiErrno.SUCCESS);
  const end = 16 + count * 4 + length;
  return Array.from({ length: count }, (_, index) => {
    const start = guest.view.getUint32(16 + index * 4, true);
    const close = guest.bytes.indexOf(0, start);
    assert.ok(close < end);
    return Buffer.from(guest.bytes.slice(start, close)).toString("utf8");
  });
}

for (const shared of [false, true]) {
  test(`strings come back as they were (shared: ${shared})`, () => {
    const made = makeGuest({ shared, args: ["a", "", "größe €"], env: { HOME: "/", EMPTY: "" } });
    assert.equal(readList(made, "args"), ["a", "", "größe €"]);
    assert.equal(readList(made, "environ"), ["HOME=/", "EMPTY="]);
  });

  test(`a pointer that does not fit is EFAULT and changes nothing (shared: ${shared})`, () => {
    const made = makeGuest({ shared, args: ["one", "two"] });
    const before = made.guest.bytes.slice();
    assert.is(made.call("args_get", PAGE_BYTES - 7, 0), WasiErrno.EFAULT);
    assert.is(made.call("args_get", 0, PAGE_BYTES - 7), WasiErrno.EFAULT);
    assert.is(made.call("args_get", -4, 0), WasiErrno.EFAULT);
    assert.is(made.call("args_sizes_get", 0, PAGE_BYTES - 3), WasiErrno.EFAULT);
    assert.equal(made.guest.bytes.slice(), before);
  });
}

test("property: any strings without zero bytes survive", () => {
  const strings = fc.array(fc.string({ unit: "grapheme" }).filter((text) => !text.includes("\0")));
  fc.assert(
    fc.property(strings, (args) => {
      const list = readList(makeGuest({ shared: false, args }), "args");
      assert.equal(
        list,
        args.map((text) => Buffer.from(text).toString("utf8")),
      );
    }),
    { numRuns: 50 },
  );
});

test("a zero byte is refused when the functions are made", () => {
  try {
    makeGuest({ shared: false, args: ["a\0b"] });
    assert.unreachable();
  } catch (error) {
    assert.instance(error, WasmUringError);
  }
});

test.run();
