/** fdstat and filestat: types, flags, rights, times, sizes, and structures that end where they end. */
import { linkSync, mkdirSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { WasiErrno } from "../../host/wasi/errno";
import { At, type FolderGuest, folderGuest, hasFiles, OFlag, PREOPEN, Rights } from "./folder";

const test = suite("wasi/fd-status");

function fdstat(g: FolderGuest, fd: number) {
  assert.is(g.call("fd_fdstat_get", fd, At.STAT), WasiErrno.SUCCESS);
  const { view } = g.guest;
  return {
    type: view.getUint8(At.STAT),
    flags: view.getUint16(At.STAT + 2, true),
    rights: view.getBigUint64(At.STAT + 8, true),
    inherited: view.getBigUint64(At.STAT + 16, true),
  };
}

function filestat(g: FolderGuest, fd: number) {
  assert.is(g.call("fd_filestat_get", fd, At.STAT), WasiErrno.SUCCESS);
  const { view } = g.guest;
  const number = (at: number) => view.getBigUint64(At.STAT + at, true);
  return {
    device: number(0),
    inode: number(8),
    type: view.getUint8(At.STAT + 16),
    links: number(24),
    size: number(32),
    accessed: number(40),
    modified: number(48),
    changed: number(56),
  };
}

test("filestat says what stat says", () => {
  const g = folderGuest();
  writeFileSync(g.path("file"), "12345");
  linkSync(g.path("file"), g.path("second"));
  const fd = g.open("file");
  const host = statSync(g.path("file"), { bigint: true });
  assert.equal(filestat(g, fd), {
    device: host.dev,
    inode: host.ino,
    type: 4,
    links: 2n,
    size: 5n,
    accessed: host.atimeNs,
    modified: host.mtimeNs,
    changed: host.ctimeNs,
  });
  assert.is(filestat(g, PREOPEN).type, 3);
});

test("a time before 1970 is its beginning", () => {
  const g = folderGuest();
  writeFileSync(g.path("file"), "");
  utimesSync(g.path("file"), new Date(-1_000_000), new Date(-1_000_000));
  assert.is(filestat(g, g.open("file")).modified, 0n);
});

test("times are set, left alone, or now", () => {
  const g = folderGuest();
  const fd = g.open("file", { flags: OFlag.CREATE, rights: Rights.BOTH });
  const [accessed, modified] = [1_500_000_000_123_456_789n, 1_600_000_000_987_654_321n];
  assert.is(g.call("fd_filestat_set_times", fd, accessed, modified, 1 | 4), WasiErrno.SUCCESS);
  assert.is(filestat(g, fd).accessed, accessed);
  assert.is(filestat(g, fd).modified, modified);
  assert.is(g.call("fd_filestat_set_times", fd, 0n, 7n, 4), WasiErrno.SUCCESS);
  assert.is(filestat(g, fd).accessed, accessed);
  assert.is(filestat(g, fd).modified, 7n);
  const before = BigInt(Date.now() - 1000) * 1_000_000n;
  assert.is(g.call("fd_filestat_set_times", fd, 0n, 0n, 2 | 8), WasiErrno.SUCCESS);
  assert.ok(filestat(g, fd).accessed > before && filestat(g, fd).modified > before);
  for (const flags of [1 | 2, 4 | 8, 16]) {
    assert.is(g.call("fd_filestat_set_times", fd, 0n, 0n, flags), WasiErrno.EINVAL);
  }
  // u64, not i64.
  assert.is(g.call("fd_filestat_set_times", fd, 0n, -1n, 4), WasiErrno.SUCCESS);
});

test("rights follow how it was opened", () => {
  const g = folderGuest();
  writeFileSync(g.path("file"), "");
  mkdirSync(g.path("folder"));
  const reader = fdstat(g, g.open("file"));
  assert.is(reader.type, 4);
  assert.is(reader.rights & Rights.BOTH, Rights.READ);
  const writer = fdstat(g, g.open("file", { rights: Rights.WRITE }));
  assert.is(writer.rights & Rights.BOTH, Rights.WRITE);
  const folder = fdstat(g, g.open("folder", { flags: OFlag.DIRECTORY }));
  assert.is(folder.type, 3);
  assert.is(folder.rights & (Rights.BOTH | 4n), 0n);
  assert.is(folder.inherited & Rights.BOTH, Rights.BOTH);
  const readOnly = fdstat(folderGuest({ readOnly: true }), PREOPEN);
  assert.is(readOnly.inherited & Rights.BOTH, Rights.READ);
});

test("flags are kept for each descriptor; unknown ones are refused", () => {
  const g = folderGuest();
  const fd = g.open("file", { flags: OFlag.CREATE, rights: Rights.BOTH, fdFlags: 1 });
  assert.is(fdstat(g, fd).flags, 1);
  assert.is(g.call("fd_fdstat_set_flags", fd, 4), WasiErrno.SUCCESS);
  assert.is(fdstat(g, fd).flags, 4);
  for (const flags of [32, -1]) {
    assert.is(g.call("fd_fdstat_set_flags", fd, flags), WasiErrno.EINVAL);
  }
  assert.is(g.call("fd_fdstat_set_rights", fd, 0n, 0n), WasiErrno.ENOTSUP);
  assert.is(g.call("fd_fdstat_set_rights", 77, 0n, 0n), WasiErrno.EBADF);
});

test("structures end where they end", () => {
  const g = folderGuest();
  const end = g.guest.lengthBytes;
  g.guest.bytes.fill(0xaa, At.STAT - 8, At.STAT + 128);
  g.call("fd_filestat_get", PREOPEN, At.STAT);
  assert.equal([g.guest.bytes[At.STAT - 1], g.guest.bytes[At.STAT + 64]], [0xaa, 0xaa]);
  g.guest.bytes.fill(0xaa, At.STAT - 8, At.STAT + 128);
  g.call("fd_fdstat_get", PREOPEN, At.STAT);
  assert.equal([g.guest.bytes[At.STAT - 1], g.guest.bytes[At.STAT + 24]], [0xaa, 0xaa]);
  assert.is(g.call("fd_filestat_get", PREOPEN, end - 63), WasiErrno.EFAULT);
  assert.is(g.call("fd_fdstat_get", PREOPEN, end - 23), WasiErrno.EFAULT);
});

if (hasFiles) test.run();
else console.log("wasi/fd-status skipped: no system calls on this platform");
