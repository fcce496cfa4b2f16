/** random_get: fills exactly the range, checks before it works, and can be stopped. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { createWasi } from "../../host/wasi/create";
import { WasiErrno } from "../../host/wasi/errno";
import { ignoreInput, ignoreOutput } from "../../host/wasi/stream";
import { makeGuest, PAGE_BYTES } from "./guest";

const test = suite("wasi/random");

for (const shared of [false, true]) {
  test(`fills the range and not a byte more (shared: ${shared})`, () => {
    const { guest, call } = makeGuest({ shared });
    guest.memory.grow(3);
    const length = 2 * PAGE_BYTES + 17;
    assert.is(call("random_get", 100, length), WasiErrno.SUCCESS);
    assert.ok(guest.bytes.slice(0, 100).every((byte) => byte === 0));
    assert.ok(guest.bytes.slice(100 + length).every((byte) => byte === 0));
    for (let at = 100; at + 64 <= 100 + length; at += 64) {
      assert.ok(guest.bytes.slice(at, at + 64).some((byte) => byte !== 0));
    }
  });
}

test("a range that does not fit costs nothing and writes nothing", () => {
  const { guest, call } = makeGuest({ shared: false });
  const before = performance.now();
  assert.is(call("random_get", 0, 0x7fffffff), WasiErrno.EFAULT);
  assert.is(call("random_get", 0, -1), WasiErrno.EFAULT);
  assert.is(call("random_get", PAGE_BYTES - 1, 2), WasiErrno.EFAULT);
  assert.is(call("random_get", -1, 1), WasiErrno.EFAULT);
  assert.ok(performance.now() - before < 1000);
  assert.ok(guest.bytes.every((byte) => byte === 0));
  assert.is(call("random_get", PAGE_BYTES, 0), WasiErrno.SUCCESS);
});

test("a guest that is to end is unwound where the call was cut short", () => {
  let stopped = false;
  const { guest } = makeGuest({ shared: false });
  const wasi = createWasi({
    memory: () => guest,
    args: [],
    env: {},
    stdio: { stdin: ignoreInput(), stdout: ignoreOutput(), stderr: ignoreOutput() },
    stopped: () => stopped,
    exit: (code) => {
      throw new Error(`exit ${code}`);
    },
    unwind: () => {
      throw new Error("unwound");
    },
  });
  assert.is(wasi.random_get?.(0, PAGE_BYTES), WasiErrno.SUCCESS);
  stopped = true;
  assert.throws(() => wasi.random_get?.(0, PAGE_BYTES), "unwound");
  assert.is(wasi.random_get?.(PAGE_BYTES, 1), WasiErrno.EFAULT);
});

test("stops when the guest is to end", () => {
  const { call, stop } = makeGuest({ shared: false });
  stop();
  assert.is(call("random_get", 0, PAGE_BYTES), WasiErrno.EINTR);
});

test.run();
