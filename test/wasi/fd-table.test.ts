/** The table of descriptors: numbers, limits, renumbering, preopens, and nothing left open. */
import { readdirSync, writeFileSync } from "node:fs";
import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { WasiErrno } from "../../host/wasi/errno";
import { At, folderGuest, hasFiles, OFlag, PREOPEN, Rights } from "./folder";

const test = suite("wasi/fd-table");
const openOnHost = () => readdirSync("/proc/self/fd").length;

test("the lowest free number is given out", () => {
  const g = folderGuest();
  writeFileSync(g.path("file"), "x");
  assert.equal([g.open("file"), g.open("file"), g.open("file")], [4, 5, 6]);
  assert.is(g.call("fd_close", 4), WasiErrno.SUCCESS);
  assert.is(g.call("fd_close", 4), WasiErrno.EBADF);
  assert.is(g.call("fd_close", 0), WasiErrno.SUCCESS);
  assert.equal([g.open("file"), g.open("file"), g.open("file")], [0, 4, 7]);
});

test("no more than the limit, and nothing is left open by what was refused", () => {
  const g = folderGuest({ requests: { openFilesMax: 6 } });
  writeFileSync(g.path("file"), "x");
  assert.equal([g.open("file"), g.open("file")], [4, 5]);
  const before = openOnHost();
  assert.is(g.open("file"), -WasiErrno.EMFILE);
  assert.is(g.open("new", { flags: OFlag.CREATE, rights: Rights.WRITE }), -WasiErrno.EMFILE);
  assert.is(openOnHost(), before);
  assert.not.ok(readdirSync(g.folder).includes("new"));
  g.call("fd_close", 4);
  assert.is(g.open("file"), 4);
});

test("renumbering closes the one and moves the other", () => {
  const g = folderGuest();
  writeFileSync(g.path("a"), "aaa");
  writeFileSync(g.path("b"), "bbb");
  const [a, b] = [g.open("a"), g.open("b")];
  const before = openOnHost();
  assert.is(g.call("fd_renumber", a, b), WasiErrno.SUCCESS);
  assert.is(openOnHost(), before - 1);
  assert.is(g.read(b, 3), "aaa");
  assert.is(g.read(a, 3), "E:EBADF");
  assert.is(g.call("fd_renumber", b, a), WasiErrno.EBADF);
  assert.is(g.call("fd_renumber", a, b), WasiErrno.EBADF);
  assert.is(g.call("fd_renumber", b, b), WasiErrno.SUCCESS);
  assert.is(g.call("fd_renumber", b, -1), WasiErrno.EBADF);
  assert.is(g.open("b"), a);
});

test("renumbering over a stream or a preopen is the guest's own affair", () => {
  const g = folderGuest();
  const fd = g.open("out", { flags: OFlag.CREATE, rights: Rights.BOTH });
  assert.is(g.call("fd_renumber", fd, 1), WasiErrno.SUCCESS);
  assert.is(g.write(1, "to the file"), WasiErrno.SUCCESS);
  assert.is(g.call("fd_renumber", 2, PREOPEN), WasiErrno.SUCCESS);
  assert.is(g.open("out"), -WasiErrno.ENOTDIR);
  assert.is(g.call("fd_prestat_get", PREOPEN, At.RESULT), WasiErrno.EBADF);
});

test("a preopen tells its name", () => {
  const g = folderGuest();
  assert.is(g.call("fd_prestat_get", PREOPEN, At.RESULT), WasiErrno.SUCCESS);
  assert.equal([g.result, g.guest.view.getUint32(At.RESULT + 4, true)], [0, 1]);
  assert.is(g.call("fd_prestat_dir_name", PREOPEN, At.DATA, 0), WasiErrno.ENAMETOOLONG);
  g.guest.bytes[At.DATA + 1] = 0xaa;
  assert.is(g.call("fd_prestat_dir_name", PREOPEN, At.DATA, 10), WasiErrno.SUCCESS);
  assert.equal([g.text(1), g.guest.bytes[At.DATA + 1]], ["/", 0xaa]);
  assert.is(g.call("fd_prestat_get", 4, At.RESULT), WasiErrno.EBADF);
  assert.is(g.call("fd_prestat_get", PREOPEN, -4), WasiErrno.EFAULT);
  assert.is(g.call("fd_prestat_dir_name", PREOPEN, -1, 10), WasiErrno.EFAULT);
});

test("what a guest leaves open is closed, its grants too", () => {
  const before = openOnHost();
  const g = folderGuest();
  writeFileSync(g.path("file"), "x");
  for (let count = 0; count < 100; count++) g.open("file");
  g.call("fd_close", PREOPEN);
  g.call("fd_close", 50);
  g.opened.close();
  g.opened.close();
  assert.is(openOnHost(), before);
});

/** One step of a guest that plays with its numbers. */
const step = fc.record({
  what: fc.constantFrom("open", "close", "renumber"),
  one: fc.nat(12),
  other: fc.nat(12),
});

test("property: after any opening, closing and renumbering the host has as many files as the guest", () => {
  const g = folderGuest({ requests: { openFilesMax: 10 } });
  writeFileSync(g.path("file"), "x");
  const before = openOnHost();
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      for (const { what, one, other } of steps) {
        if (what === "open") g.open("file");
        else if (one < 4 || other < 4) continue;
        else if (what === "close") g.call("fd_close", one);
        else g.call("fd_renumber", one, other);
      }
      let open = 0;
      for (let fd = 4; fd < 12; fd++) {
        if (g.call("fd_fdstat_get", fd, At.STAT) === WasiErrno.SUCCESS) open++;
      }
      assert.is(openOnHost(), before + open);
      for (let fd = 4; fd < 12; fd++) g.call("fd_close", fd);
      assert.is(openOnHost(), before);
    }),
    { numRuns: 50 },
  );
});

if (hasFiles) test.run();
else console.log("wasi/fd-table skipped: no system calls on this platform");
