/** path_filestat_get, path_filestat_set_times, path_readlink. */
import { lstatSync, mkdirSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { WasiErrno } from "../../host/wasi/errno";
import { At, type FolderGuest, folderGuest, hasFiles, PREOPEN } from "./folder";

const test = suite("wasi/path-status");
const E = WasiErrno;
const MODIFIED = 4;

function inodeAndType(g: FolderGuest, path: string, follow: boolean): [bigint, number] | string {
  const errno = g.call("path_filestat_get", PREOPEN, follow ? 1 : 0, ...g.put(path), At.STAT);
  if (errno !== E.SUCCESS) return E[errno] ?? "";
  return [g.guest.view.getBigUint64(At.STAT + 8, true), g.guest.view.getUint8(At.STAT + 16)];
}

function populated(): FolderGuest {
  const g = folderGuest();
  mkdirSync(g.path("folder"));
  writeFileSync(g.path("folder/file"), "12345");
  symlinkSync("folder/file", g.path("link"));
  symlinkSync("../link", g.path("folder/back"));
  symlinkSync("/etc/passwd", g.path("absolute"));
  symlinkSync("nowhere", g.path("dangling"));
  return g;
}

test("files, links and what they lead to", () => {
  const g = populated();
  const file = statSync(g.path("folder/file"), { bigint: true }).ino;
  const link = lstatSync(g.path("link"), { bigint: true }).ino;
  assert.equal(inodeAndType(g, "folder/file", false), [file, 4]);
  assert.equal(inodeAndType(g, "link", true), [file, 4]);
  assert.equal(inodeAndType(g, "link", false), [link, 7]);
  assert.equal(inodeAndType(g, "folder/back", true), [file, 4]);
  assert.equal(inodeAndType(g, "dangling", true), "ENOENT");
  assert.is(inodeAndType(g, "dangling", false)[1], 7);
  assert.is(inodeAndType(g, ".", false)[1], 3);
  assert.is(inodeAndType(g, "folder/..", false)[1], 3);
});

test("a slash after a name follows it and demands a directory", () => {
  const g = populated();
  assert.is(inodeAndType(g, "folder/", false)[1], 3);
  assert.is(inodeAndType(g, "folder/file/", false), "ENOTDIR");
  assert.is(inodeAndType(g, "link/", false), "ENOTDIR");
  assert.is(inodeAndType(g, "absolute/", false), "ENOTCAPABLE");
});

test("nothing is told of what lies outside", () => {
  const g = populated();
  for (const path of ["..", "../", "folder/../..", "/", "absolute", "absolute/", "/etc/passwd"]) {
    assert.is(inodeAndType(g, path, true), "ENOTCAPABLE", path);
  }
  assert.is(inodeAndType(g, "..", false), "ENOTCAPABLE");
  assert.is(inodeAndType(g, "absolute", false)[1], 7);
});

function setModified(g: FolderGuest, path: string, follow: boolean, time: bigint): WasiErrno {
  const place = g.put(path);
  const lookup = follow ? 1 : 0;
  return g.call("path_filestat_set_times", PREOPEN, lookup, ...place, 0n, time, MODIFIED);
}

test("times of a link and of what it leads to", () => {
  const g = populated();
  assert.is(setModified(g, "link", true, 111_000_000_123n), E.SUCCESS);
  assert.is(setModified(g, "link", false, 222_000_000_456n), E.SUCCESS);
  assert.is(setModified(g, "folder", false, 333_000_000_789n), E.SUCCESS);
  assert.is(statSync(g.path("folder/file"), { bigint: true }).mtimeNs, 111_000_000_123n);
  assert.is(lstatSync(g.path("link"), { bigint: true }).mtimeNs, 222_000_000_456n);
  assert.is(statSync(g.path("folder"), { bigint: true }).mtimeNs, 333_000_000_789n);
});

test("times of what lies outside stay what they are", () => {
  const g = populated();
  const before = statSync("/etc/passwd", { bigint: true }).mtimeNs;
  for (const path of ["absolute", "absolute/", "..", "../", "folder/../.."]) {
    assert.is(setModified(g, path, true, 5n), E.ENOTCAPABLE, path);
  }
  assert.is(setModified(g, "absolute/", false, 5n), E.ENOTCAPABLE);
  assert.is(statSync("/etc/passwd", { bigint: true }).mtimeNs, before);
  const readOnly = folderGuest({ readOnly: true });
  writeFileSync(readOnly.path("file"), "");
  assert.is(setModified(readOnly, "file", true, 5n), E.EPERM);
});

function readLink(g: FolderGuest, path: string, room: number): string {
  g.guest.bytes.fill(0x2e, At.DATA, At.DATA + 64);
  const errno = g.call("path_readlink", PREOPEN, ...g.put(path), At.DATA, room, At.RESULT);
  return errno === E.SUCCESS ? g.text(g.result) : `E:${E[errno]}`;
}

test("links are read, and cut where the buffer ends", () => {
  const g = populated();
  assert.is(readLink(g, "link", 64), "folder/file");
  assert.is(g.text(1, At.DATA + 11), ".");
  assert.is(readLink(g, "link", 4), "fold");
  assert.is(readLink(g, "link", 0), "");
  assert.is(readLink(g, "folder/back", 64), "../link");
  assert.is(readLink(g, "dangling", 64), "nowhere");
});

test("what is no link", () => {
  const g = populated();
  assert.is(readLink(g, "folder/file", 64), "E:EINVAL");
  assert.is(readLink(g, "folder", 64), "E:EINVAL");
  assert.is(readLink(g, ".", 64), "E:EINVAL");
  assert.is(readLink(g, "folder/.", 64), "E:EINVAL");
  assert.is(readLink(g, "..", 64), "E:ENOTCAPABLE");
  assert.is(readLink(g, "missing", 64), "E:ENOENT");
  assert.is(readLink(g, "link/", 64), "E:ENOTDIR");
});

test("hostile pointers", () => {
  const g = populated();
  const end = g.guest.lengthBytes;
  const path = g.put("link");
  assert.is(g.call("path_filestat_get", PREOPEN, 1, ...path, end - 63), E.EFAULT);
  assert.is(g.call("path_filestat_get", PREOPEN, 1, end - 1, 2, At.STAT), E.EFAULT);
  assert.is(g.call("path_filestat_get", PREOPEN, 2, ...path, At.STAT), E.EINVAL);
  assert.is(g.call("path_readlink", PREOPEN, ...path, end - 9, 10, At.RESULT), E.EFAULT);
  assert.is(g.call("path_readlink", PREOPEN, ...path, At.DATA, 10, end - 3), E.EFAULT);
  assert.is(g.call("path_readlink", PREOPEN, ...path, At.DATA, -1, At.RESULT), E.EFAULT);
  assert.is(g.call("path_readlink", 1, ...path, At.DATA, 10, At.RESULT), E.ENOTDIR);
});

test("after the stop signal nothing is opened: a thread that is ended then would leave it open", () => {
  const g = populated();
  g.stopped = true;
  assert.is(inodeAndType(g, "folder/file", true), "EINTR");
  assert.is(g.call("path_unlink_file", PREOPEN, ...g.put("folder/file")), E.EINTR);
  assert.is(statSync(g.path("folder/file")).size, 5);
  assert.is(g.open("folder/file"), -E.EINTR);
});

if (hasFiles) test.run();
else console.log("wasi/path-status skipped: no system calls on this platform");
