/** Making, removing, renaming and linking: what changes, what is refused, and with which errno. */
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { WasiErrno } from "../../host/wasi/errno";
import { At, type FolderGuest, folderGuest, hasFiles, OFlag, PREOPEN } from "./folder";

const test = suite("wasi/path-change");
const E = WasiErrno;

const one = (g: FolderGuest, name: string, path: string): string =>
  E[g.call(name, PREOPEN, ...g.put(path))] ?? "";
const makeFolder = (g: FolderGuest, path: string) => one(g, "path_create_directory", path);
const removeFolder = (g: FolderGuest, path: string) => one(g, "path_remove_directory", path);
const unlink = (g: FolderGuest, path: string) => one(g, "path_unlink_file", path);

function rename(g: FolderGuest, from: string, to: string): string {
  const places = [...g.put(from), PREOPEN, ...g.put(to, At.OTHER_PATH)] as const;
  return E[g.call("path_rename", PREOPEN, ...places)] ?? "";
}

function link(g: FolderGuest, from: string, to: string, flags = 0): string {
  const places = [...g.put(from), PREOPEN, ...g.put(to, At.OTHER_PATH)] as const;
  return E[g.call("path_link", PREOPEN, flags, ...places)] ?? "";
}

function symlink(g: FolderGuest, target: string, path: string): string {
  const places = [...g.put(target, At.OTHER_PATH), PREOPEN, ...g.put(path)] as const;
  return E[g.call("path_symlink", ...places)] ?? "";
}

test("folders are made and removed, with or without a slash", () => {
  const g = folderGuest();
  assert.is(makeFolder(g, "a"), "SUCCESS");
  assert.is(makeFolder(g, "a/b/"), "SUCCESS");
  assert.is(makeFolder(g, "a"), "EEXIST");
  assert.is(makeFolder(g, "x/y"), "ENOENT");
  assert.is(removeFolder(g, "a"), "ENOTEMPTY");
  assert.is(removeFolder(g, "a/b/"), "SUCCESS");
  assert.is(removeFolder(g, "a"), "SUCCESS");
  assert.is(removeFolder(g, "a"), "ENOENT");
  writeFileSync(g.path("file"), "");
  for (const path of ["file", "file/"]) assert.is(removeFolder(g, path), "ENOTDIR");
  symlinkSync("folder", g.path("link"));
  mkdirSync(g.path("folder"));
  for (const path of ["link", "link/"]) assert.is(removeFolder(g, path), "ENOTDIR");
  assert.ok(existsSync(g.path("folder")));
});

test("files are unlinked, links themselves, folders never", () => {
  const g = folderGuest();
  mkdirSync(g.path("folder"));
  writeFileSync(g.path("folder/file"), "");
  symlinkSync("folder", g.path("link"));
  assert.is(unlink(g, "folder"), "EISDIR");
  assert.is(unlink(g, "folder/"), "EISDIR");
  assert.is(unlink(g, "folder/file/"), "ENOTDIR");
  assert.is(unlink(g, "link/"), "ENOTDIR");
  assert.is(unlink(g, "missing/"), "ENOENT");
  assert.is(unlink(g, "link/file"), "SUCCESS");
  assert.is(unlink(g, "link"), "SUCCESS");
  assert.equal(readdirSync(g.folder), ["folder"]);
});

test("dots are nobody's entry", () => {
  const g = folderGuest();
  mkdirSync(g.path("a"));
  for (const path of [".", "..", "a/.", "a/..", "./", "../"]) {
    assert.ok(["EEXIST", "ENOTCAPABLE"].includes(makeFolder(g, path)), `mkdir ${path}`);
    const removed = ["EINVAL", "ENOTEMPTY", "ENOTCAPABLE", "EBUSY"];
    assert.ok(removed.includes(removeFolder(g, path)), `rmdir ${path}`);
    assert.ok(["EISDIR", "ENOTCAPABLE"].includes(unlink(g, path)), `unlink ${path}`);
    assert.ok(["EBUSY", "ENOTCAPABLE"].includes(rename(g, path, "b")), `rename ${path}`);
    assert.ok(["EBUSY", "ENOTCAPABLE"].includes(rename(g, "a", path)), `rename to ${path}`);
    assert.ok(["EPERM", "ENOTCAPABLE"].includes(link(g, path, "b")), `link ${path}`);
    assert.ok(["EEXIST", "ENOTCAPABLE"].includes(symlink(g, "a", path)), `symlink ${path}`);
  }
  assert.equal(readdirSync(g.folder), ["a"]);
});

test("renaming", () => {
  const g = folderGuest();
  mkdirSync(g.path("folder/inner"), { recursive: true });
  writeFileSync(g.path("file"), "one");
  writeFileSync(g.path("other"), "two");
  assert.is(rename(g, "file", "other"), "SUCCESS");
  assert.is(readFileSync(g.path("other"), "utf8"), "one");
  assert.is(rename(g, "other", "folder/moved"), "SUCCESS");
  assert.is(rename(g, "folder/", "renamed/"), "SUCCESS");
  assert.is(rename(g, "renamed/moved", "here/"), "ENOTDIR");
  assert.is(rename(g, "renamed/moved/", "here"), "ENOTDIR");
  assert.is(rename(g, "missing", "here"), "ENOENT");
  assert.is(rename(g, "renamed", "renamed/inner/x"), "EINVAL");
  assert.is(rename(g, "renamed", "renamed/moved"), "EINVAL");
  const inner = g.open("renamed/inner", { flags: OFlag.DIRECTORY });
  const places = [...g.put("renamed/moved"), inner, ...g.put("deep", At.OTHER_PATH)] as const;
  assert.is(g.call("path_rename", PREOPEN, ...places), E.SUCCESS);
  assert.ok(existsSync(g.path("renamed/inner/deep")));
});

test("hard links are made of the name itself", () => {
  const g = folderGuest();
  mkdirSync(g.path("folder"));
  writeFileSync(g.path("file"), "shared");
  symlinkSync("file", g.path("link"));
  assert.is(link(g, "file", "folder/second"), "SUCCESS");
  assert.is(statSync(g.path("file")).nlink, 2);
  assert.is(link(g, "link", "copy"), "SUCCESS");
  assert.ok(lstatSync(g.path("copy")).isSymbolicLink());
  assert.is(link(g, "file", "copy"), "EEXIST");
  assert.is(link(g, "file", "new/"), "ENOENT");
  assert.is(link(g, "folder", "new"), "EPERM");
  assert.is(link(g, "folder/", "new"), "EPERM");
  assert.is(link(g, "file/", "new"), "ENOTDIR");
  assert.is(link(g, "missing", "new"), "ENOENT");
  assert.is(link(g, "link", "new", 1), "EINVAL");
});

test("symbolic links hold any relative path", () => {
  const g = folderGuest();
  mkdirSync(g.path("folder"));
  writeFileSync(g.path("file"), "");
  assert.is(symlink(g, "any/../thing", "link"), "SUCCESS");
  assert.is(readlinkSync(g.path("link")), "any/../thing");
  assert.is(symlink(g, "../../outside", "folder/up"), "SUCCESS");
  assert.is(g.open("folder/up"), -E.ENOTCAPABLE);
  for (const [path, errno] of [
    ["link", "EEXIST"],
    ["folder", "EEXIST"],
    ["folder/", "EEXIST"],
    ["file", "EEXIST"],
    ["file/", "ENOTDIR"],
    ["new/", "ENOENT"],
  ] as const) {
    assert.is(symlink(g, "target", path), errno, path);
  }
  assert.is(symlink(g, "/etc/passwd", "absolute"), "ENOTCAPABLE");
  assert.is(symlink(g, "", "empty"), "ENOENT");
  assert.is(symlink(g, "a\0b", "zero"), "EINVAL");
});

test("what would lead out changes nothing", () => {
  const g = folderGuest();
  writeFileSync(g.path("file"), "");
  symlinkSync("..", g.path("up"));
  symlinkSync("/tmp", g.path("absolute"));
  const name = `wasm-uring-escaped-${process.pid}`;
  for (const parent of ["..", "up", "absolute", "/tmp", "up/."]) {
    const path = `${parent}/${name}`;
    assert.is(makeFolder(g, path), "ENOTCAPABLE", path);
    assert.is(removeFolder(g, path), "ENOTCAPABLE", path);
    assert.is(unlink(g, path), "ENOTCAPABLE", path);
    assert.is(rename(g, "file", path), "ENOTCAPABLE", path);
    assert.is(rename(g, path, "file"), "ENOTCAPABLE", path);
    assert.is(link(g, "file", path), "ENOTCAPABLE", path);
    assert.is(link(g, path, "stolen"), "ENOTCAPABLE", path);
    assert.is(symlink(g, "file", path), "ENOTCAPABLE", path);
  }
  assert.not.ok(existsSync(`/tmp/${name}`));
  assert.equal(readdirSync(g.folder).sort(), ["absolute", "file", "up"]);
});

test("through a read-only preopen nothing is changed", () => {
  const g = folderGuest({ readOnly: true });
  mkdirSync(g.path("folder"));
  writeFileSync(g.path("file"), "");
  const folder = g.open("folder");
  assert.is(makeFolder(g, "new"), "EPERM");
  assert.is(removeFolder(g, "folder"), "EPERM");
  assert.is(unlink(g, "file"), "EPERM");
  assert.is(rename(g, "file", "moved"), "EPERM");
  assert.is(link(g, "file", "second"), "EPERM");
  assert.is(symlink(g, "file", "link"), "EPERM");
  const places = [...g.put("file"), folder, ...g.put("x", At.OTHER_PATH)] as const;
  assert.is(g.call("path_rename", PREOPEN, ...places), E.EPERM);
  assert.is(g.call("path_create_directory", folder, ...g.put("x")), E.EPERM);
  assert.equal(readdirSync(g.folder).sort(), ["file", "folder"]);
});

test("hostile pointers", () => {
  const g = folderGuest();
  const end = g.guest.lengthBytes;
  const good = g.put("file");
  for (const bad of [
    [end - 1, 2],
    [-1, 1],
    [0, -1],
  ] as const) {
    for (const name of ["path_create_directory", "path_remove_directory", "path_unlink_file"]) {
      assert.is(g.call(name, PREOPEN, ...bad), E.EFAULT);
    }
    assert.is(g.call("path_rename", PREOPEN, ...good, PREOPEN, ...bad), E.EFAULT);
    assert.is(g.call("path_rename", PREOPEN, ...bad, PREOPEN, ...good), E.EFAULT);
    assert.is(g.call("path_link", PREOPEN, 0, ...good, PREOPEN, ...bad), E.EFAULT);
    assert.is(g.call("path_symlink", ...bad, PREOPEN, ...good), E.EFAULT);
    assert.is(g.call("path_symlink", ...good, PREOPEN, ...bad), E.EFAULT);
  }
  assert.is(g.call("path_unlink_file", 99, ...good), E.EBADF);
  assert.is(g.call("path_unlink_file", 1, ...good), E.ENOTDIR);
});

if (hasFiles) test.run();
else console.log("wasi/path-change skipped: no system calls on this platform");
