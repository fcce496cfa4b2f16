/** The bridge between the two errno worlds. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Errno } from "../../host/abi";
import { WasiErrno, wasiErrnoOf } from "../../host/wasi/errno";

const test = suite("wasi/errno");

test("numbers are those of the WASI document", () => {
  assert.is(WasiErrno.EBADF, 8);
  assert.is(WasiErrno.EFAULT, 21);
  assert.is(WasiErrno.EINVAL, 28);
  assert.is(WasiErrno.ENOSYS, 52);
  assert.is(WasiErrno.ESPIPE, 70);
  assert.is(WasiErrno.ENOTCAPABLE, 76);
});

test("a Linux errno keeps its name", () => {
  for (const [linux, wasi] of [
    [Errno.EPIPE, WasiErrno.EPIPE],
    [Errno.EAGAIN, WasiErrno.EAGAIN],
    [Errno.ENOSPC, WasiErrno.ENOSPC],
    [Errno.E2BIG, WasiErrno.E2BIG],
  ] as const) {
    assert.is(wasiErrnoOf(linux), wasi);
  }
});

test("renamed, unknown and zero", () => {
  assert.is(wasiErrnoOf(Errno.EOPNOTSUPP), WasiErrno.ENOTSUP);
  assert.is(wasiErrnoOf(Errno.EREMOTEIO), WasiErrno.EIO);
  assert.is(wasiErrnoOf(4095), WasiErrno.EIO);
  assert.is(wasiErrnoOf(0), WasiErrno.SUCCESS);
});

test.run();
