/** The fd_* family on the standard streams: vectors, limits, ends, and every hostile pointer. */
import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { WasiErrno } from "../../host/wasi/errno";
import { VECTORS_MAX } from "../../host/wasi/vectors";
import { makeGuest, PAGE_BYTES, putVector } from "./guest";

const test = suite("wasi/stdio");

for (const shared of [false, true]) {
  test(`gathers vectors in their order (shared: ${shared})`, () => {
    const { guest, call, output, errors } = makeGuest({ shared });
    putVector(guest, 0, 1000, "hello ");
    putVector(guest, 8, 2000, "");
    putVector(guest, 16, 3000, "wörld\n");
    assert.is(call("fd_write", 1, 0, 3, 64), WasiErrno.SUCCESS);
    assert.is(guest.view.getUint32(64, true), 13);
    assert.is(output(), "hello wörld\n");
    assert.is(call("fd_write", 2, 16, 1, 64), WasiErrno.SUCCESS);
    assert.is(errors(), "wörld\n");
  });

  test(`reads what there is, then the end (shared: ${shared})`, () => {
    const { guest, call } = makeGuest({ shared, input: "abcdef" });
    guest.view.setUint32(0, 100, true);
    guest.view.setUint32(4, 4, true);
    const read = () => {
      assert.is(call("fd_read", 0, 0, 1, 64), WasiErrno.SUCCESS);
      const length = guest.view.getUint32(64, true);
      return Buffer.from(guest.bytes.slice(100, 100 + length)).toString();
    };
    assert.equal([read(), read(), read(), read()], ["abcd", "ef", "", ""]);
  });
}

test("what was captured is a copy", () => {
  const { guest, call, output } = makeGuest({ shared: true });
  putVector(guest, 0, 1000, "before");
  call("fd_write", 1, 0, 1, 64);
  putVector(guest, 0, 1000, "after!");
  assert.is(output(), "before");
});

test("the capture's limit is ENOSPC, after what fits", () => {
  const { guest, call, output } = makeGuest({ shared: false, limitBytes: 8 });
  putVector(guest, 0, 1000, "123456");
  assert.is(call("fd_write", 1, 0, 1, 64), WasiErrno.SUCCESS);
  assert.is(call("fd_write", 1, 0, 1, 64), WasiErrno.SUCCESS);
  assert.is(guest.view.getUint32(64, true), 2);
  assert.is(call("fd_write", 1, 0, 1, 64), WasiErrno.ENOSPC);
  assert.is(output(), "12345612");
});

test("hostile pointers, counts and lengths", () => {
  const { guest, call, output } = makeGuest({ shared: false, input: "x" });
  putVector(guest, 0, 1000, "never");
  for (const name of ["fd_write", "fd_read"] as const) {
    const fd = name === "fd_write" ? 1 : 0;
    assert.is(call(name, fd, 0, VECTORS_MAX + 1, 64), WasiErrno.EINVAL);
    assert.is(call(name, fd, 0, -1, 64), WasiErrno.EINVAL);
    assert.is(call(name, fd, PAGE_BYTES - 4, 1, 64), WasiErrno.EFAULT);
    assert.is(call(name, fd, -8, 1, 64), WasiErrno.EFAULT);
    assert.is(call(name, fd, 0, 1, PAGE_BYTES - 3), WasiErrno.EFAULT);
    assert.is(call(name, fd, 0, 1, -1), WasiErrno.EFAULT);
    for (const [at, length] of [
      [PAGE_BYTES - 1, 2],
      [0xffffffff, 1],
      [0, 0xffffffff],
    ] as const) {
      guest.view.setUint32(16, at, true);
      guest.view.setUint32(20, length, true);
      assert.is(call(name, fd, 16, 1, 64), WasiErrno.EFAULT);
    }
  }
  assert.is(output(), "");
});

test("a bad vector after a good one: what went out is told, the rest is not written", () => {
  const { guest, call, output } = makeGuest({ shared: false });
  putVector(guest, 0, 1000, "good");
  guest.view.setUint32(8, PAGE_BYTES, true);
  guest.view.setUint32(12, 1, true);
  assert.is(call("fd_write", 1, 0, 2, 64), WasiErrno.SUCCESS);
  assert.is(guest.view.getUint32(64, true), 4);
  assert.is(output(), "good");
});

test("descriptors that are not there, or of the other direction", () => {
  const { guest, call } = makeGuest({ shared: false });
  putVector(guest, 0, 1000, "x");
  for (const fd of [0, 3, -1, 0x7fffffff]) {
    assert.is(call("fd_write", fd, 0, 1, 64), WasiErrno.EBADF);
  }
  for (const fd of [1, 2, 3, -1]) assert.is(call("fd_read", fd, 0, 1, 64), WasiErrno.EBADF);
  for (const fd of [3, 4, -1]) {
    assert.is(call("fd_fdstat_get", fd, 100), WasiErrno.EBADF);
    assert.is(call("fd_filestat_get", fd, 100), WasiErrno.EBADF);
    assert.is(call("fd_close", fd), WasiErrno.EBADF);
    assert.is(call("fd_seek", fd, 0n, 0, 100), WasiErrno.EBADF);
    assert.is(call("fd_prestat_get", fd, 100), WasiErrno.EBADF);
    assert.is(call("path_open", fd, 0, 0, 0, 0, 0n, 0n, 0, 0), WasiErrno.EBADF);
  }
  assert.is(call("fd_seek", 1, 0n, 0, 100), WasiErrno.ESPIPE);
  assert.is(call("poll_oneoff", 0, 0, 0, 0), WasiErrno.EINVAL);
});

test("descriptions stay inside their structure", () => {
  const { guest, call } = makeGuest({ shared: false });
  guest.bytes.fill(0xaa);
  assert.is(call("fd_fdstat_get", 1, 1000), WasiErrno.SUCCESS);
  assert.is(guest.bytes[999], 0xaa);
  assert.is(guest.bytes[1024], 0xaa);
  assert.is(call("fd_fdstat_get", 1, PAGE_BYTES - 23), WasiErrno.EFAULT);
  assert.is(call("fd_filestat_get", 1, PAGE_BYTES - 63), WasiErrno.EFAULT);
  assert.is(call("fd_filestat_get", 1, 2000), WasiErrno.SUCCESS);
  assert.is(guest.bytes[1999], 0xaa);
  assert.is(guest.bytes[2064], 0xaa);
});

test("a closed stream is EBADF", () => {
  const { guest, call } = makeGuest({ shared: false });
  putVector(guest, 0, 1000, "x");
  assert.is(call("fd_close", 1), WasiErrno.SUCCESS);
  assert.is(call("fd_write", 1, 0, 1, 64), WasiErrno.EBADF);
  assert.is(call("fd_close", 1), WasiErrno.EBADF);
});

/** Numbers a guest might pass where an i32 or an i64 stands. */
const parameter = fc.oneof(
  fc.integer(),
  fc.constantFrom(0, -1, 1, 2, 3, PAGE_BYTES, PAGE_BYTES - 1, -PAGE_BYTES, 0x7fffffff, NaN),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
);

test("property: no function throws or answers with anything but an errno, whatever is passed", () => {
  for (const shared of [false, true]) {
    const { wasi } = makeGuest({ shared });
    for (const [name, call] of Object.entries(wasi)) {
      // Those that end the guest throw, which is their answer.
      if (name === "proc_exit" || name === "proc_raise") continue;
      fc.assert(
        fc.property(fc.array(parameter, { maxLength: 9 }), (parameters) => {
          const result = call(...parameters);
          return typeof result === "number" && result >= 0 && WasiErrno[result] !== undefined;
        }),
        { numRuns: 100 },
      );
    }
  }
});

test.run();
