/**
 * clock_*: plausible values for the four clocks, errno for what is no clock and what is no memory.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { WasiErrno } from "../../host/wasi/errno";
import { makeGuest, PAGE_BYTES } from "./guest";

const test = suite("wasi/clock");

for (const shared of [false, true]) {
  test(`realtime is now, monotonic goes on (shared: ${shared})`, () => {
    const { guest, call } = makeGuest({ shared });
    assert.is(call("clock_time_get", 0, 0n, 8), WasiErrno.SUCCESS);
    const offMs = Math.abs(Number(guest.view.getBigUint64(8, true) / 1_000_000n) - Date.now());
    assert.ok(offMs < 5000, `${offMs} ms off`);
    assert.is(call("clock_time_get", 1, 0n, 16), WasiErrno.SUCCESS);
    assert.is(call("clock_time_get", 1, 0n, 24), WasiErrno.SUCCESS);
    assert.ok(guest.view.getBigUint64(24, true) >= guest.view.getBigUint64(16, true));
  });
}

test("resolutions are positive", () => {
  const { guest, call } = makeGuest({ shared: false });
  for (const clock of [0, 1, 2]) {
    assert.is(call("clock_res_get", clock, 8), WasiErrno.SUCCESS);
    assert.ok(guest.view.getBigUint64(8, true) > 0n);
  }
});

test("bad clocks and bad pointers", () => {
  const { call } = makeGuest({ shared: false });
  for (const clock of [4, -1, 0x7fffffff]) {
    assert.is(call("clock_time_get", clock, 0n, 8), WasiErrno.EINVAL);
    assert.is(call("clock_res_get", clock, 8), WasiErrno.EINVAL);
  }
  for (const pointer of [PAGE_BYTES, PAGE_BYTES - 7, -8, -1]) {
    assert.is(call("clock_time_get", 0, 0n, pointer), WasiErrno.EFAULT);
    assert.is(call("clock_res_get", 0, pointer), WasiErrno.EFAULT);
  }
});

test.run();
