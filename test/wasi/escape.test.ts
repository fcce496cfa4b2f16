/**
 * The wall between a guest's directories and the rest: every way out that is known, tried by a
 * guest, and a second process that renames and links while the guest resolves.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import { join, relative } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { WasiErrno } from "../../host/wasi/errno";
import {
  At,
  type FolderGuest,
  folderGuest,
  hasFiles,
  OFlag,
  PREOPEN,
  Rights,
  temporaryFolder,
} from "./folder";
import { RENAMER } from "./renamer";

const test = suite("wasi/escape");
const E = WasiErrno;
const RACE_MS = 2500;

/** Links and paths that lead out of the folder to `outside`, in every form. */
function waysOut(g: FolderGuest, outside: string): string[] {
  const up = relative(g.folder, outside);
  fs.mkdirSync(g.path("a/b"), { recursive: true });
  fs.symlinkSync(outside, g.path("absolute"));
  fs.symlinkSync(up, g.path("relative"));
  fs.symlinkSync(`../../${up}`, g.path("a/b/deep"));
  fs.symlinkSync("absolute", g.path("chain"));
  fs.symlinkSync("a/b/deep", g.path("longChain"));
  fs.symlinkSync("/proc/self/root", g.path("root"));
  fs.symlinkSync("/proc/self/cwd", g.path("cwd"));
  const links = ["absolute", "relative", "a/b/deep", "chain", "longChain", "root", "cwd"];
  const paths = [up, `a/../${up}`, `a/b/../../${up}`, `./${up}`, `a//..//${up}`, outside];
  return [...links, ...paths, ...links.map((link) => `a/../${link}`)];
}

/** What any call made of it, by its name; nothing may succeed. */
function tryEverything(g: FolderGuest, way: string): string[] {
  const succeeded: string[] = [];
  const note = (name: string, errno: WasiErrno) => {
    if (errno === E.SUCCESS) succeeded.push(`${name} ${way}`);
  };
  for (const path of [`${way}/secret`, `${way}/new`, `${way}/`]) {
    for (const flags of [0, OFlag.CREATE, OFlag.DIRECTORY, OFlag.TRUNCATE]) {
      for (const rights of [0n, Rights.READ, Rights.BOTH]) {
        const fd = g.open(path, { flags, rights });
        note(`path_open ${path}`, fd < 0 ? -fd : E.SUCCESS);
        note(`path_open ${path}`, -Math.min(g.open(path, { flags, rights, follow: false }), 0));
      }
    }
    const place = g.put(path);
    const other = g.put("inside", At.OTHER_PATH);
    for (const follow of [0, 1]) {
      note("filestat", g.call("path_filestat_get", PREOPEN, follow, ...place, At.STAT));
      note("times", g.call("path_filestat_set_times", PREOPEN, follow, ...place, 0n, 0n, 10));
    }
    note("readlink", g.call("path_readlink", PREOPEN, ...place, At.DATA, 100, At.RESULT));
    note("mkdir", g.call("path_create_directory", PREOPEN, ...g.put(`${way}/made`)));
    g.put(path);
    note("rename", g.call("path_rename", PREOPEN, ...place, PREOPEN, ...other));
    note("rename to", g.call("path_rename", PREOPEN, ...other, PREOPEN, ...place));
    note("link", g.call("path_link", PREOPEN, 0, ...place, PREOPEN, ...other));
    note("link to", g.call("path_link", PREOPEN, 0, ...other, PREOPEN, ...place));
    note("symlink", g.call("path_symlink", ...other, PREOPEN, ...place));
    if (path.endsWith("/")) continue;
    note("unlink", g.call("path_unlink_file", PREOPEN, ...place));
    note("rmdir", g.call("path_remove_directory", PREOPEN, ...place));
  }
  return succeeded;
}

function secretFolder(): { outside: string; unchanged: () => boolean } {
  const outside = temporaryFolder();
  fs.writeFileSync(join(outside, "secret"), "outside");
  const times = () => fs.statSync(join(outside, "secret"), { bigint: true }).mtimeNs;
  const before = times();
  const unchanged = () =>
    fs.readdirSync(outside).join() === "secret" &&
    fs.readFileSync(join(outside, "secret"), "utf8") === "outside" &&
    times() === before;
  return { outside, unchanged };
}

test("no call leads out by any path or link", () => {
  const g = folderGuest();
  const { outside, unchanged } = secretFolder();
  fs.writeFileSync(g.path("inside"), "");
  for (const way of waysOut(g, outside)) assert.equal(tryEverything(g, way), [], way);
  assert.ok(unchanged());
});

test("below a directory that the guest opened, that one is the wall", () => {
  const g = folderGuest();
  fs.mkdirSync(g.path("a/b"), { recursive: true });
  fs.writeFileSync(g.path("file"), "");
  const from = g.open("a/b", { flags: OFlag.DIRECTORY });
  for (const path of ["..", "../..", "../../file", "../b"]) {
    assert.is(g.open(path, { from }), -E.ENOTCAPABLE, path);
  }
});

test("a link that a guest makes itself leads nowhere else", () => {
  const g = folderGuest();
  const target = g.put("../../../../../../etc", At.OTHER_PATH);
  assert.is(g.call("path_symlink", ...target, PREOPEN, ...g.put("out")), E.SUCCESS);
  assert.is(g.open("out/passwd"), -E.ENOTCAPABLE);
});

test("/proc by preopen: its magic links are not followed", () => {
  const opened = folderGuest({ requests: { preopens: { "/proc": "/proc" } } });
  for (const path of ["self/root", "self/cwd", "self/exe", "self/fd/0", "self/root/etc/passwd"]) {
    const fd = opened.open(path);
    assert.ok(fd === -E.ELOOP || fd === -E.ENOTCAPABLE, `${path}: ${fd}`);
  }
  const fd = opened.open("thread-self/status");
  assert.ok(fd > PREOPEN);
});

test("a guest's number games reach nothing but its own", () => {
  const g = folderGuest();
  for (let from = 0; from < 64; from++) {
    const errno = g.call("fd_renumber", from, 60);
    assert.is(errno, E.EBADF, `${from}`);
  }
  for (let fd = 4; fd < 64; fd++) {
    assert.is(g.call("fd_fdstat_get", fd, At.STAT), E.EBADF);
    assert.is(g.call("fd_close", fd), E.EBADF);
    assert.is(g.open("x", { from: fd }), -E.EBADF);
  }
});

/** What the guest does while the other process renames; everything it sees must be inside. */
class Racer {
  readonly #g: FolderGuest;
  readonly #inodes: Set<bigint>;
  readonly seen: Record<string, number> = {};

  constructor(g: FolderGuest, inodes: Set<bigint>) {
    this.#g = g;
    this.#inodes = inodes;
  }

  #count(what: string, errno: WasiErrno): void {
    const key = `${what} ${E[errno]}`;
    this.seen[key] = (this.seen[key] ?? 0) + 1;
  }

  #checkInode(what: string): void {
    const inode = this.#g.guest.view.getBigUint64(At.STAT + 8, true);
    assert.ok(this.#inodes.has(inode), `${what} reached inode ${inode}`);
  }

  #open(path: string): void {
    const g = this.#g;
    const fd = g.open(path);
    this.#count(path, fd < 0 ? -fd : E.SUCCESS);
    if (fd < 0) return;
    assert.is(g.call("fd_filestat_get", fd, At.STAT), E.SUCCESS);
    this.#checkInode(path);
    g.call("fd_close", fd);
  }

  round(): void {
    const g = this.#g;
    for (const path of ["x/dir/secret", "x/dir", "x/dir/..", "x/dir/../dir/secret", "x/dir/."]) {
      this.#open(path);
    }
    const status = g.call("path_filestat_get", PREOPEN, 1, ...g.put("x/dir/secret"), At.STAT);
    if (status === E.SUCCESS) this.#checkInode("path_filestat_get");
    const change = (name: string, path: string) =>
      this.#count(name, g.call(name, PREOPEN, ...g.put(path)));
    change("path_create_directory", "x/dir/made");
    change("path_remove_directory", "x/dir/made");
    const to = g.put("x/dir/copy", At.OTHER_PATH);
    g.call("path_link", PREOPEN, 0, ...g.put("x/dir/secret"), PREOPEN, ...to);
    change("path_unlink_file", "x/dir/copy");
    const fd = g.open("x/dir/written", { flags: OFlag.CREATE, rights: Rights.WRITE });
    if (fd >= 0) {
      g.write(fd, "by the guest");
      g.call("fd_close", fd);
    }
    change("path_unlink_file", "x/dir/written");
    g.call("path_filestat_set_times", PREOPEN, 1, ...g.put("x/dir/secret"), 0n, 1n, 4);
  }
}

test("a process that renames and links meanwhile opens no way out", async () => {
  const g = folderGuest();
  const { outside, unchanged } = secretFolder();
  fs.mkdirSync(g.path("x/dir"), { recursive: true });
  fs.writeFileSync(g.path("x/dir/secret"), "inside");
  const inode = (path: string) => fs.statSync(path, { bigint: true }).ino;
  const inside = [g.path("x"), g.path("x/dir"), g.path("x/dir/secret")].map(inode);
  const racer = new Racer(g, new Set(inside));
  const child = spawn(process.execPath, ["-e", RENAMER, g.folder, outside, `${RACE_MS}`], {
    stdio: ["ignore", "pipe", "inherit", "ipc"],
  });
  let rounds = "";
  child.stdout?.on("data", (chunk) => {
    rounds += chunk;
  });
  await once(child, "message");
  const until = Date.now() + RACE_MS;
  while (Date.now() < until) racer.round();
  await once(child, "close");
  assert.ok(Number(rounds) > 100, `the adversary made ${rounds} rounds`);
  const opened = racer.seen["x/dir/secret SUCCESS"] ?? 0;
  const refused = racer.seen["x/dir/secret ENOTCAPABLE"] ?? 0;
  assert.ok(opened > 0, "never opened");
  assert.ok(refused > 0, `the race was never met: ${JSON.stringify(racer.seen)}`);
  assert.ok(unchanged(), `outside: ${fs.readdirSync(outside).join()}`);
});

if (hasFiles) test.run();
else console.log("wasi/escape skipped: no system calls on this platform");
