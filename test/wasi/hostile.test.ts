/**
 * A hostile guest with a folder: any function with any parameters answers with an errno, takes no
 * more of the host than its bounds, and leaves everything outside the folder as it was.
 */
import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { WasiErrno } from "../../host/wasi/errno";
import { At, type FolderGuest, folderGuest, hasFiles, temporaryFolder } from "./folder";

const test = suite("wasi/hostile");

/** Those that end the guest throw, and one takes as much disk as it is told to. */
const ELSEWHERE = ["proc_exit", "proc_raise", "fd_allocate"];

/** What a guest lays down for its paths. */
const PATHS = ["file", "folder", "link", "folder/../file", "../x", "/etc", "folder/", ".", "new"];

/** Places that mean something, numbers that mean nothing, and both as the wrong type. */
const parameter = fc.oneof(
  { arbitrary: fc.nat(8), weight: 4 },
  { arbitrary: fc.constantFrom(...Object.values(At)), weight: 4 },
  { arbitrary: fc.nat(40), weight: 2 },
  { arbitrary: fc.bigInt({ min: 0n, max: 66n }), weight: 2 },
  fc.integer(),
  fc.constantFrom(-1, 0x7fffffff, Number.NaN, 65536, 4 * 65536 - 1, 4 * 65536),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
);

function populated(shared: boolean): FolderGuest {
  const g = folderGuest({ shared });
  mkdirSync(g.path("folder"));
  writeFileSync(g.path("file"), "content");
  symlinkSync("file", g.path("link"));
  return g;
}

for (const shared of [false, true]) {
  test(`property: no function throws or answers with anything but an errno (shared: ${shared})`, () => {
    const g = populated(shared);
    const outside = join(g.folder, "..");
    const names = Object.keys(g.functions).filter((name) => !ELSEWHERE.includes(name));
    // Its waits end at once; that they do is tested where they are.
    const waits = ["poll_oneoff", "fd_read", "sock_recv", "sock_accept"];
    fc.assert(
      fc.property(
        fc.constantFrom(...names),
        fc.constantFrom(...PATHS),
        fc.array(parameter, { maxLength: 9 }),
        (name, path, parameters) => {
          g.put(path);
          g.put(path, At.OTHER_PATH);
          g.vectors([
            [At.DATA, 10],
            [At.DATA + 20, 10],
          ]);
          g.stopped = waits.includes(name);
          const result = g.call(name, ...parameters);
          return typeof result === "number" && WasiErrno[result] !== undefined;
        },
      ),
      { numRuns: 6000 },
    );
    assert.equal(readdirSync(outside), ["guest"]);
  });
}

test("a guest that fills its table and reads everything takes a bounded part of the host", () => {
  const g = folderGuest({ pages: 64 });
  const name = "n".repeat(200);
  for (let count = 0; count < 500; count++) writeFileSync(g.path(`${name}${count}`), "");
  g.call("fd_readdir", 3, At.DATA, 65_536, 0n, At.RESULT);
  const usedBefore = process.memoryUsage();
  for (let round = 0; round < 3; round++) {
    while (g.open(".") > 0);
    for (let fd = 4; fd < 1024; fd++) {
      assert.is(g.call("fd_readdir", fd, At.DATA, 65_536, 0n, At.RESULT), WasiErrno.SUCCESS);
    }
    for (let fd = 4; fd < 1024; fd++) g.call("fd_close", fd);
  }
  const used = process.memoryUsage();
  const moreBytes =
    used.external + used.arrayBuffers - usedBefore.external - usedBefore.arrayBuffers;
  assert.ok(moreBytes < 4 << 20, `${moreBytes} bytes more`);
});

test("two guests in one process do not share anything", () => {
  const [one, other] = [populated(false), populated(false)];
  writeFileSync(other.path("file"), "the other's");
  const fds = [one.open("file"), other.open("file")] as const;
  assert.is(fds[0], fds[1]);
  assert.is(one.read(fds[0], 100), "content");
  assert.is(other.read(fds[1], 100), "the other's");
  one.opened.close();
  assert.is(other.call("fd_seek", fds[1], 0n, 0, At.RESULT), WasiErrno.SUCCESS);
  assert.is(other.read(fds[1], 3), "the");
  assert.not.equal(temporaryFolder(), one.folder);
});

if (hasFiles) test.run();
else console.log("wasi/hostile skipped: no system calls on this platform");
