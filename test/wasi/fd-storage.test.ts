/** fd_allocate, fd_filestat_set_size, fd_advise, fd_sync, fd_datasync. */
import { statSync, writeFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { WasiErrno } from "../../host/wasi/errno";
import { type FolderGuest, folderGuest, hasFiles, OFlag, PREOPEN, Rights } from "./folder";

const test = suite("wasi/fd-storage");

function created(): { g: FolderGuest; fd: number; size: () => number } {
  const g = folderGuest();
  const fd = g.open("file", { flags: OFlag.CREATE, rights: Rights.BOTH });
  return { g, fd, size: () => statSync(g.path("file")).size };
}

test("allocating grows a file and never shrinks it", () => {
  const { g, fd, size } = created();
  if (g.call("fd_allocate", fd, 0n, 100n) === WasiErrno.ENOTSUP) {
    return console.log("skipped: this file system has no fallocate");
  }
  assert.is(size(), 100);
  assert.is(g.call("fd_allocate", fd, 10n, 10n), WasiErrno.SUCCESS);
  assert.is(size(), 100);
  assert.is(g.call("fd_allocate", fd, 90n, 20n), WasiErrno.SUCCESS);
  assert.is(size(), 110);
});

test("nonsense is refused before the kernel hears of it", () => {
  const { g, fd, size } = created();
  for (const [offset, length] of [
    [-1n, 1n],
    [0n, 0n],
    [0n, -1n],
  ] as const) {
    assert.is(g.call("fd_allocate", fd, offset, length), WasiErrno.EINVAL);
  }
  assert.is(g.call("fd_allocate", fd, 2n ** 62n, 2n ** 62n), WasiErrno.EFBIG);
  assert.is(g.call("fd_allocate", PREOPEN, 0n, 1n), WasiErrno.EBADF);
  assert.is(g.call("fd_allocate", 1, 0n, 1n), WasiErrno.ESPIPE);
  assert.is(g.call("fd_allocate", 99, 0n, 1n), WasiErrno.EBADF);
  assert.is(g.call("fd_allocate", g.open("file"), 0n, 1n), WasiErrno.EBADF);
  assert.is(size(), 0);
});

test("a guest that is to end does not allocate on", () => {
  const { g, fd } = created();
  g.stopped = true;
  assert.is(g.call("fd_allocate", fd, 0n, 1n << 40n), WasiErrno.EINTR);
});

test("sizes are set", () => {
  const { g, fd, size } = created();
  assert.is(g.call("fd_filestat_set_size", fd, 1000n), WasiErrno.SUCCESS);
  assert.is(size(), 1000);
  assert.is(g.call("fd_filestat_set_size", fd, 3n), WasiErrno.SUCCESS);
  assert.is(size(), 3);
  assert.is(g.call("fd_filestat_set_size", fd, -1n), WasiErrno.EINVAL);
  assert.is(g.call("fd_filestat_set_size", fd, 2n ** 60n), WasiErrno.EFBIG);
  assert.is(g.call("fd_filestat_set_size", g.open("file"), 0n), WasiErrno.EINVAL);
  assert.is(g.call("fd_filestat_set_size", PREOPEN, 0n), WasiErrno.EBADF);
});

test("advice is taken for files, and only what is advice", () => {
  const { g, fd } = created();
  for (let advice = 0; advice < 6; advice++) {
    assert.is(g.call("fd_advise", fd, 0n, 100n, advice), WasiErrno.SUCCESS);
  }
  assert.is(g.call("fd_advise", fd, 0n, 100n, 6), WasiErrno.EINVAL);
  assert.is(g.call("fd_advise", fd, -1n, 100n, 0), WasiErrno.EINVAL);
  assert.is(g.call("fd_advise", fd, 0n, -1n, 0), WasiErrno.EINVAL);
  assert.is(g.call("fd_advise", fd, 2n ** 62n, 1n, 0), WasiErrno.SUCCESS);
  assert.is(g.call("fd_advise", PREOPEN, 0n, 1n, 0), WasiErrno.EBADF);
});

test("files and directories are synchronized, streams are not", () => {
  const { g, fd } = created();
  writeFileSync(g.path("other"), "x");
  for (const name of ["fd_sync", "fd_datasync"]) {
    assert.is(g.call(name, fd), WasiErrno.SUCCESS);
    assert.is(g.call(name, PREOPEN), WasiErrno.SUCCESS);
    assert.is(g.call(name, 1), WasiErrno.EINVAL);
    assert.is(g.call(name, 99), WasiErrno.EBADF);
  }
});

if (hasFiles) test.run();
else console.log("wasi/fd-storage skipped: no system calls on this platform");
