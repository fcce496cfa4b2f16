/** fd_seek and fd_tell: the three starting points, bounds, and what has no places. */
import { truncateSync, writeFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { WasiErrno } from "../../host/wasi/errno";
import { At, type FolderGuest, folderGuest, hasFiles, OFlag, Rights } from "./folder";

const test = suite("wasi/fd-seek");
const [SET, CURRENT, END] = [0, 1, 2];

function seek(g: FolderGuest, fd: number, delta: bigint, whence = 0): bigint | string {
  const errno = g.call("fd_seek", fd, delta, whence, At.RESULT);
  return errno === WasiErrno.SUCCESS ? g.result64 : (WasiErrno[errno] ?? "");
}

test("from the start, from here, from the end", () => {
  const g = folderGuest();
  writeFileSync(g.path("file"), "0123456789");
  const fd = g.open("file");
  assert.is(seek(g, fd, 3n), 3n);
  assert.is(seek(g, fd, 2n, CURRENT), 5n);
  assert.is(g.read(fd, 2), "56");
  assert.is(seek(g, fd, -1n, CURRENT), 6n);
  assert.is(seek(g, fd, -3n, END), 7n);
  assert.is(g.read(fd, 100), "789");
  assert.is(g.call("fd_tell", fd, At.RESULT), WasiErrno.SUCCESS);
  assert.is(g.result64, 10n);
});

test("beyond the end is allowed, before the start is not and changes nothing", () => {
  const g = folderGuest();
  const fd = g.open("file", { flags: OFlag.CREATE, rights: Rights.BOTH });
  assert.is(seek(g, fd, 1n << 40n), 1n << 40n);
  assert.is(g.read(fd, 10), "");
  for (const [delta, whence] of [
    [-1n, SET],
    [-(1n << 41n), CURRENT],
    [-1n, END],
    [-(2n ** 63n), SET],
    [2n ** 63n - 1n, SET],
  ] as const) {
    assert.is(seek(g, fd, delta, whence), "EINVAL");
  }
  assert.is(seek(g, fd, 2n ** 53n - 1n), 2n ** 53n - 1n);
  assert.is(seek(g, fd, 5n, CURRENT), "EOVERFLOW");
  assert.is(seek(g, fd, 0n, CURRENT), 2n ** 53n - 1n);
  assert.is(seek(g, fd, 0n, 3), "EINVAL");
});

test("the end is where it is now", () => {
  const g = folderGuest();
  writeFileSync(g.path("file"), "0123456789");
  const fd = g.open("file");
  truncateSync(g.path("file"), 4);
  assert.is(seek(g, fd, 0n, END), 4n);
});

test("what has no places, and bad pointers", () => {
  const g = folderGuest();
  const fd = g.open("file", { flags: OFlag.CREATE, rights: Rights.BOTH });
  assert.is(seek(g, 3, 0n), "EBADF");
  assert.is(seek(g, 1, 0n), "ESPIPE");
  assert.is(seek(g, 99, 0n), "EBADF");
  for (const at of [g.guest.lengthBytes - 7, -8, -1]) {
    assert.is(g.call("fd_seek", fd, 0n, 0, at), WasiErrno.EFAULT);
    assert.is(g.call("fd_tell", fd, at), WasiErrno.EFAULT);
  }
});

if (hasFiles) test.run();
else console.log("wasi/fd-seek skipped: no system calls on this platform");
