/** fd_readdir: every entry once, through buffers of any size, from any cookie. */
import { mkdirSync, readdirSync, statSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { WasiErrno } from "../../host/wasi/errno";
import { At, type FolderGuest, folderGuest, hasFiles, OFlag, PREOPEN } from "./folder";

const test = suite("wasi/fd-directory");
const HEAD_BYTES = 24;

interface Entry {
  name: string;
  next: bigint;
  inode: bigint;
  type: number;
}

/** Whole entries of one call, and whether the directory ended. */
function readSome(g: FolderGuest, fd: number, room: number, cookie: bigint) {
  g.guest.bytes.fill(0xee, At.DATA, At.DATA + room + 8);
  const errno = g.call("fd_readdir", fd, At.DATA, room, cookie, At.RESULT);
  assert.is(errno, WasiErrno.SUCCESS);
  const used = g.result;
  assert.ok(used <= room);
  assert.is(g.guest.bytes[At.DATA + room], 0xee, "beyond the buffer");
  const entries: Entry[] = [];
  const { view } = g.guest;
  for (let at = At.DATA; at + HEAD_BYTES <= At.DATA + used; ) {
    const length = view.getUint32(at + 16, true);
    if (at + HEAD_BYTES + length > At.DATA + used) break;
    const next = view.getBigUint64(at, true);
    const inode = view.getBigUint64(at + 8, true);
    const name = g.text(length, at + HEAD_BYTES);
    entries.push({ name, next, inode, type: view.getUint8(at + 20) });
    at += HEAD_BYTES + length;
  }
  return { entries, ended: used < room };
}

function readAll(g: FolderGuest, fd: number, room: number): Entry[] {
  const all: Entry[] = [];
  for (let cookie = 0n; ; ) {
    const { entries, ended } = readSome(g, fd, room, cookie);
    all.push(...entries);
    if (ended) return all;
    assert.ok(entries.length > 0, "no entry fits");
    cookie = entries.at(-1)?.next ?? 0n;
  }
}

const names = (entries: Entry[]) => entries.map(({ name }) => name).sort();

test("types and inodes are real, . and .. are there", () => {
  const g = folderGuest();
  writeFileSync(g.path("file"), "");
  mkdirSync(g.path("folder"));
  symlinkSync("nowhere", g.path("link"));
  const entries = readAll(g, PREOPEN, 4096);
  assert.equal(names(entries), [".", "..", "file", "folder", "link"]);
  const types = Object.fromEntries(entries.map(({ name, type }) => [name, type]));
  assert.equal(types, { ".": 3, "..": 3, file: 4, folder: 3, link: 7 });
  const inode = (name: string) => entries.find((entry) => entry.name === name)?.inode;
  const host = (name: string) => statSync(g.path(name), { bigint: true }).ino;
  for (const name of [".", "file", "folder"]) assert.is(inode(name), host(name));
  // The root that a guest sees is its own parent: nothing above it is told.
  assert.is(inode(".."), host("."));
  const same = readAll(g, g.open(".", { flags: OFlag.DIRECTORY }), 4096);
  assert.is(same.find(({ name }) => name === "..")?.inode, host("."));
  const below = readAll(g, g.open("folder", { flags: OFlag.DIRECTORY }), 4096);
  assert.is(below.find(({ name }) => name === "..")?.inode, host("."));
});

test("ten thousand entries through buffers of any size", () => {
  const g = folderGuest();
  for (let count = 0; count < 3000; count++) writeFileSync(g.path(`some name ${count}`), "");
  const expected = [".", "..", ...readdirSync(g.folder)].sort();
  for (const room of [64, 100, 4096, 65_000]) {
    assert.equal(names(readAll(g, PREOPEN, room)), expected);
  }
});

test("every cookie can be gone on from, in any order", () => {
  const g = folderGuest();
  for (let count = 0; count < 300; count++) writeFileSync(g.path(`f${count}`), "");
  const all = readAll(g, PREOPEN, 60_000);
  for (const index of [250, 3, 120, 121, 0, 299, 301]) {
    const cookie = all[index]?.next ?? 0n;
    const { entries } = readSome(g, PREOPEN, 60_000, cookie);
    assert.equal(names(entries), names(all.slice(index + 1)));
  }
});

test("cookies survive what is removed meanwhile, and 0 begins anew", () => {
  const g = folderGuest();
  for (let count = 0; count < 100; count++) writeFileSync(g.path(`f${count}`), "");
  const all = readAll(g, PREOPEN, 60_000);
  const cookie = all[50]?.next ?? 0n;
  for (const { name } of all.slice(0, 51)) {
    if (!name.startsWith(".")) unlinkSync(g.path(name));
  }
  assert.equal(names(readSome(g, PREOPEN, 60_000, cookie).entries), names(all.slice(51)));
  writeFileSync(g.path("new"), "");
  assert.ok(names(readAll(g, PREOPEN, 4096)).includes("new"));
});

test("two directories read in turns do not mix", () => {
  const g = folderGuest();
  for (const folder of ["a", "b"]) {
    mkdirSync(g.path(folder));
    for (let count = 0; count < 50; count++)
      writeFileSync(g.path(`${folder}/${folder}${count}`), "");
  }
  const open = (name: string) => ({
    fd: g.open(name, { flags: OFlag.DIRECTORY }),
    at: 0n,
    seen: 0,
  });
  const both = [open("a"), open("b")];
  for (let round = 0; round < 60; round++) {
    for (const [index, one] of both.entries()) {
      const { entries } = readSome(g, one.fd, 120, one.at);
      for (const { name, next } of entries) {
        assert.ok(name.startsWith(index === 0 ? "a" : "b") || name.startsWith("."));
        one.at = next;
        one.seen++;
      }
    }
  }
  assert.equal([both[0]?.seen, both[1]?.seen], [52, 52]);
});

test("a buffer too small for anything is full, and nothing is lost", () => {
  const g = folderGuest();
  for (const room of [0, 1, 23]) {
    assert.is(g.call("fd_readdir", PREOPEN, At.DATA, room, 0n, At.RESULT), WasiErrno.SUCCESS);
    assert.is(g.result, room);
  }
});

test("what is no directory, and hostile pointers", () => {
  const g = folderGuest();
  writeFileSync(g.path("file"), "");
  const end = g.guest.lengthBytes;
  assert.is(g.call("fd_readdir", g.open("file"), At.DATA, 100, 0n, At.RESULT), WasiErrno.ENOTDIR);
  assert.is(g.call("fd_readdir", 99, At.DATA, 100, 0n, At.RESULT), WasiErrno.EBADF);
  assert.is(g.call("fd_readdir", PREOPEN, end - 99, 100, 0n, At.RESULT), WasiErrno.EFAULT);
  assert.is(g.call("fd_readdir", PREOPEN, At.DATA, -1, 0n, At.RESULT), WasiErrno.EFAULT);
  assert.is(g.call("fd_readdir", PREOPEN, At.DATA, 100, 0n, end - 3), WasiErrno.EFAULT);
  for (const cookie of [-1n, 2n ** 63n - 1n, -(2n ** 63n), 123_456_789n]) {
    const errno = g.call("fd_readdir", PREOPEN, At.DATA, 1000, cookie, At.RESULT);
    assert.ok([WasiErrno.SUCCESS, WasiErrno.EINVAL, WasiErrno.ENOENT].includes(errno));
  }
});

if (hasFiles) test.run();
else console.log("wasi/fd-directory skipped: no system calls on this platform");
