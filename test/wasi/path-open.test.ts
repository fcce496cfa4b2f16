/** path_open: flags, kinds of files, read-only directories, and paths that are none. */
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { WasiErrno } from "../../host/wasi/errno";
import { At, folderGuest, hasFiles, OFlag, PREOPEN, Rights } from "./folder";

const test = suite("wasi/path-open");
const { CREATE, DIRECTORY, EXCLUSIVE, TRUNCATE } = OFlag;
const E = WasiErrno;

test("created, exclusively, truncated", () => {
  const g = folderGuest();
  assert.is(g.open("new"), -E.ENOENT);
  assert.ok(g.open("new", { flags: CREATE, rights: Rights.WRITE }) > PREOPEN);
  assert.is(g.open("new", { flags: CREATE | EXCLUSIVE, rights: Rights.WRITE }), -E.EEXIST);
  writeFileSync(g.path("new"), "content");
  assert.ok(g.open("new", { flags: CREATE }) > PREOPEN);
  assert.is(readFileSync(g.path("new"), "utf8"), "content");
  // Whether or not it may write afterwards, as in wasmtime.
  const fd = g.open("new", { flags: TRUNCATE });
  assert.is(readFileSync(g.path("new"), "utf8"), "");
  assert.is(g.write(fd, "x"), E.EBADF);
});

test("directories: demanded, not written, not created", () => {
  const g = folderGuest();
  mkdirSync(g.path("folder"));
  writeFileSync(g.path("file"), "");
  assert.ok(g.open("folder", { flags: DIRECTORY }) > PREOPEN);
  assert.ok(g.open("folder") > PREOPEN);
  assert.ok(g.open(".") > PREOPEN);
  assert.is(g.open("file", { flags: DIRECTORY }), -E.ENOTDIR);
  assert.is(g.open("folder", { flags: DIRECTORY, rights: Rights.BOTH }), -E.EISDIR);
  assert.is(g.open("folder", { flags: TRUNCATE }), -E.EISDIR);
  assert.is(g.open("other", { flags: CREATE | DIRECTORY }), -E.EINVAL);
  assert.not.ok(existsSync(g.path("other")));
});

test("below an opened directory, and not below a file", () => {
  const g = folderGuest();
  mkdirSync(g.path("folder"));
  writeFileSync(g.path("folder/file"), "inner");
  const folder = g.open("folder");
  assert.is(g.read(g.open("file", { from: folder }), 10), "inner");
  assert.is(g.open("file", { from: g.open("folder/file") }), -E.ENOTDIR);
  assert.is(g.open("file", { from: 1 }), -E.ENOTDIR);
  assert.is(g.open("file", { from: 77 }), -E.EBADF);
});

test("links: followed when asked, dangling, and in a circle", () => {
  const g = folderGuest();
  writeFileSync(g.path("file"), "target");
  mkdirSync(g.path("folder"));
  symlinkSync("file", g.path("link"));
  symlinkSync("folder", g.path("toFolder"));
  symlinkSync("nowhere", g.path("dangling"));
  symlinkSync("circle", g.path("circle"));
  assert.is(g.read(g.open("link"), 10), "target");
  assert.is(g.open("link", { follow: false }), -E.ELOOP);
  assert.ok(g.open("toFolder", { flags: DIRECTORY }) > PREOPEN);
  assert.is(g.open("toFolder", { flags: DIRECTORY, follow: false }), -E.ENOTDIR);
  assert.is(g.open("dangling"), -E.ENOENT);
  assert.is(g.open("dangling", { flags: CREATE | EXCLUSIVE }), -E.EEXIST);
  assert.is(g.open("circle"), -E.ELOOP);
  assert.is(g.open("circle/x"), -E.ELOOP);
  assert.ok(g.open("toFolder/../file") > PREOPEN);
});

test("slashes and dots", () => {
  const g = folderGuest();
  mkdirSync(g.path("a/b"), { recursive: true });
  writeFileSync(g.path("a/b/file"), "deep");
  assert.is(g.read(g.open("a/.//b/../../a/b/../b///./file"), 10), "deep");
  for (const path of ["a/b/file/", "a/b/file///", "a/b/file/."])
    assert.is(g.open(path), -E.ENOTDIR);
  for (const path of ["a/", "a//", "a/b/..", "a/b/.", "./", ".//."]) {
    assert.ok(g.open(path) > PREOPEN, path);
  }
  assert.is(g.open("new/", { flags: CREATE, rights: Rights.WRITE }), -E.EISDIR);
  assert.not.ok(existsSync(g.path("new")));
});

test("what would lead out is ENOTCAPABLE", () => {
  const g = folderGuest();
  mkdirSync(g.path("a"));
  symlinkSync("/etc", g.path("absolute"));
  symlinkSync("..", g.path("up"));
  for (const path of ["..", "../", "../x", "/", "/etc/passwd", "a/../..", "a/../../x"]) {
    assert.is(g.open(path), -E.ENOTCAPABLE, path);
  }
  for (const path of ["absolute", "absolute/passwd", "up", "up/x", "a/../up"]) {
    assert.is(g.open(path), -E.ENOTCAPABLE, path);
  }
});

test("paths that are none", () => {
  const g = folderGuest();
  assert.is(g.open(""), -E.ENOENT);
  assert.is(g.open("a\0b"), -E.EINVAL);
  assert.is(g.open(Uint8Array.of(0x61, 0xff, 0xfe)), -E.EILSEQ);
  assert.is(g.open(Uint8Array.of(0xc3)), -E.EILSEQ);
  assert.is(g.open("x".repeat(256)), -E.ENAMETOOLONG);
  assert.is(g.open("x/".repeat(2047)), -E.ENOENT);
  assert.is(g.open("x/".repeat(2048)), -E.ENAMETOOLONG);
  assert.is(g.open("./".repeat(2047)) > PREOPEN, true);
  assert.ok(g.open("größe €", { flags: CREATE, rights: Rights.WRITE }) > PREOPEN);
  assert.ok(existsSync(g.path("größe €")));
});

test("unknown flags and hostile pointers", () => {
  const g = folderGuest();
  writeFileSync(g.path("file"), "");
  const end = g.guest.lengthBytes;
  const path = g.put("file");
  const open = (
    place: [number, number],
    lookup: number,
    oflags: number,
    fdFlags: number,
    result: number,
  ) => g.call("path_open", PREOPEN, lookup, ...place, oflags, Rights.READ, 0n, fdFlags, result);
  assert.is(open(path, 2, 0, 0, At.RESULT), E.EINVAL);
  assert.is(open(path, 1, 16, 0, At.RESULT), E.EINVAL);
  assert.is(open(path, 1, 0, 32, At.RESULT), E.EINVAL);
  assert.is(open(path, 1, 0, 0, end - 3), E.EFAULT);
  assert.is(open(path, 1, 0, 0, -1), E.EFAULT);
  assert.is(open([end - 2, 3], 1, 0, 0, At.RESULT), E.EFAULT);
  assert.is(open([-1, 1], 1, 0, 0, At.RESULT), E.EFAULT);
  assert.is(open([0, -1], 1, 0, 0, At.RESULT), E.EFAULT);
  // Nothing was opened by them.
  assert.is(g.open("file"), PREOPEN + 1);
});

test("through a read-only preopen nothing is opened for a change", () => {
  const g = folderGuest({ readOnly: true });
  mkdirSync(g.path("folder"));
  writeFileSync(g.path("folder/file"), "kept");
  const folder = g.open("folder");
  for (const from of [PREOPEN, folder]) {
    const path = from === PREOPEN ? "folder/file" : "file";
    assert.is(g.read(g.open(path, { from }), 10), "kept");
    assert.is(g.open(path, { from, rights: Rights.WRITE }), -E.EPERM);
    assert.is(g.open(path, { from, rights: Rights.BOTH }), -E.EPERM);
    assert.is(g.open(path, { from, flags: TRUNCATE }), -E.EPERM);
    assert.is(g.open("new", { from, flags: CREATE }), -E.EPERM);
  }
  const fd = g.open("folder/file");
  assert.is(g.call("fd_filestat_set_times", fd, 0n, 0n, 8), E.EPERM);
  assert.is(g.call("fd_filestat_set_size", fd, 0n), E.EINVAL);
  assert.is(readFileSync(g.path("folder/file"), "utf8"), "kept");
});

test("a guest that is to end opens nothing more", () => {
  const g = folderGuest();
  writeFileSync(g.path("file"), "");
  g.stopped = true;
  assert.is(g.open("file"), -E.EINTR);
});

if (hasFiles) test.run();
else console.log("wasi/path-open skipped: no system calls on this platform");
