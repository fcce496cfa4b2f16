/**
 * Grants of what may be granted, on the real kernel: what a slot says, what is created, what is
 * left behind when one of many fails. What may not be granted is in refused.test.ts.
 */
import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { FILE_SLOTS, GrantAccess, GrantKind } from "../../host/abi";
import { WasmUringError } from "../../host/errors";
import type { Syscalls } from "../../host/ffi/syscalls";
import { openGrants } from "../../host/grant/open";
import type { GrantRequest } from "../../host/grant/request";
import { fileOf, folder, onLinuxOf, openDescriptors, refusal, syscalls } from "./workplace";

const opening = suite("grant/open");

const READ_WRITE = GrantAccess.READ | GrantAccess.WRITE;

const onLinux = onLinuxOf(opening);

for (const table of syscalls === null ? [null] : [syscalls, null]) {
  const by = table === null ? "node:fs" : "system calls";

  opening(`files by path, by ${by}: slots in order, access, size`, () => {
    const files: Record<string, GrantRequest> = {
      input: { path: fileOf("input", "0123456789") },
      log: { path: fileOf("log", ""), access: "write" },
      "data é": { path: fileOf("data", "abc"), access: "read-write" },
    };
    const grants = openGrants(files, table);
    const common = { kind: GrantKind.FILE, direct: false, alignmentBytes: 1 };
    assert.equal(
      grants.slots.map(({ fd, ...slot }) => slot),
      [
        { slot: 0, name: "input", access: GrantAccess.READ, sizeBytes: 10, ...common },
        { slot: 1, name: "log", access: GrantAccess.WRITE, sizeBytes: 0, ...common },
        { slot: 2, name: "data é", access: READ_WRITE, sizeBytes: 3, ...common },
      ],
    );
    const [input] = grants.slots;
    assert.is(fs.readFileSync(input?.fd ?? -1, "utf8"), "0123456789");
    assert.equal(structuredClone(grants.slots), grants.slots);
    grants.close();
    grants.close();
    assert.throws(() => fs.fstatSync(input?.fd ?? -1), /EBADF/);
  });

  opening(`by ${by}: a missing file is created to be written, an existing one kept`, () => {
    const path = join(folder, `new-${by.slice(0, 4)}`);
    assert.match(refusal({ a: { path } }, table), /there is no such file \(ENOENT\)/);
    openGrants({ a: { path, access: "write" } }, table).close();
    assert.is(fs.statSync(path).size, 0);
    fs.writeFileSync(path, "kept");
    openGrants({ a: { path, access: "read-write" } }, table).close();
    assert.is(fs.readFileSync(path, "utf8"), "kept");
  });

  opening(`by ${by}: what was created is removed when a later grant fails`, () => {
    const path = join(folder, `undone-${by.slice(0, 4)}`);
    const message = refusal({ a: { path, access: "write" }, b: { path: "/nowhere/b" } }, table);
    assert.match(message, /granting "b" \(\/nowhere\/b, read\)/);
    assert.not.ok(fs.existsSync(path));
    const kept = fileOf("kept", "");
    refusal({ a: { path: kept, access: "write" }, b: { path: "/nowhere/b" } }, table);
    assert.ok(fs.existsSync(kept));
  });

  opening(`by ${by}: paths that cannot be opened are told why`, () => {
    const dangling = join(folder, `dangling-${by.slice(0, 4)}`);
    fs.symlinkSync(join(folder, "nothing-there"), dangling);
    assert.match(refusal({ a: { path: folder } }, table), /it is a directory/);
    assert.match(
      refusal({ a: { path: "/nowhere/a", access: "write" } }, table),
      /folder to create it in/,
    );
    assert.match(
      refusal({ a: { path: `${fileOf("plain")}/a` } }, table),
      /not a directory|no such file/,
    );
    assert.match(refusal({ a: { path: dangling } }, table), /no such file/);
    assert.match(
      refusal({ a: { path: dangling, access: "write" } }, table),
      /symbolic link to a file/,
    );
    assert.not.ok(fs.existsSync(join(folder, "nothing-there")));
    assert.match(refusal({ a: { path: "x".repeat(5000) } }, table), /too long/);
    assert.match(refusal({ a: { path: join(folder, "a:rwx") } }, table), /mistyped ending/);
  });
}

opening("requests of the wrong shape are refused before anything is opened", () => {
  const path = join(folder, "never-created");
  const access = "write";
  const shapes: [files: unknown, why: RegExp][] = [
    [{ ok: { path, access }, a: {} }, /one of "path" and "fd"/],
    [{ ok: { path, access }, a: { path, fd: 1 } }, /not both/],
    [{ ok: { path, access }, a: { path: "" } }, /not empty/],
    [{ ok: { path, access }, a: { path: "a\0b" } }, /without a NUL/],
    [{ ok: { path, access }, a: { path, acces: "read" } }, /did you mean "access"\?/],
    [{ ok: { path, access }, a: { path, access: "rw" } }, /must be "read", "write"/],
    [{ ok: { path, access }, a: { path, direct: 1 } }, /"direct" must be true or false/],
    [{ ok: { path, access }, a: { fd: -1 } }, /"fd" must be/],
    [{ ok: { path, access }, a: { fd: 1.5 } }, /"fd" must be/],
    [{ ok: { path, access }, a: { fd: 1, direct: true } }, /opened with O_DIRECT/],
    [{ ok: { path, access }, a: path }, /not string/],
    [{ ok: { path, access }, a: null }, /not null/],
    [{ ok: { path, access }, "": { path } }, /name is empty/],
    [{ ok: { path, access }, "a\0": { path } }, /NUL/],
    [{ ok: { path, access }, ["é".repeat(128)]: { path } }, /256 bytes, at most 255/],
    [{ ok: { path, access }, "\ud800": { path } }, /not valid Unicode/],
    [null, /must be an object/],
    [[{ path }], /must be an object/],
  ];
  for (const [files, why] of shapes) {
    try {
      Reflect.apply(openGrants, undefined, [files, syscalls]);
      assert.unreachable(`granted: ${JSON.stringify(files)}`);
    } catch (error) {
      assert.ok(error instanceof WasmUringError && error.code === "ERR_BAD_GRANT", String(error));
      assert.match(error.message, why);
    }
  }
  assert.not.ok(fs.existsSync(path));
});

opening("64 grants fit, 65 do not, and the 64th failing leaves nothing open", () => {
  const path = fileOf("many");
  const many = (count: number, last: string) =>
    Object.fromEntries(
      Array.from({ length: count }, (_, n) => [`f${n}`, { path: n === count - 1 ? last : path }]),
    );
  const grants = openGrants(many(FILE_SLOTS, path), syscalls);
  assert.is(grants.slots.length, FILE_SLOTS);
  grants.close();
  assert.match(refusal(many(FILE_SLOTS + 1, path)), /granting 65 files.*64 slots/);
  assert.match(refusal(many(FILE_SLOTS, "/nowhere")), /granting "f63"/);
});

onLinux("permission denied, as an ordinary user", () => {
  const path = fileOf("secret");
  fs.chmodSync(path, 0o600);
  fs.chmodSync(folder, 0o755);
  if (process.geteuid?.() !== 0) {
    fs.chmodSync(path, 0);
    assert.match(refusal({ a: { path } }), /permission denied \(EACCES\)/);
    return;
  }
  process.seteuid?.(65534);
  try {
    assert.match(refusal({ a: { path } }), /permission denied \(EACCES\)/);
    assert.match(
      refusal({ a: { path: join(folder, "new"), access: "write" } }),
      /permission denied/,
    );
  } finally {
    process.seteuid?.(0);
  }
});

onLinux("O_DIRECT: granted with its alignment, or refused with the reason", (table) => {
  for (const place of [folder, "/dev/shm"]) {
    if (!fs.existsSync(place)) continue;
    const path = join(place, `wasm-uring-direct-${process.pid}`);
    try {
      const grants = openGrants({ a: { path, access: "read-write", direct: true } }, table);
      const [slot] = grants.slots;
      assert.is(slot?.direct, true);
      assert.ok((slot?.alignmentBytes ?? 0) >= 4096);
      assert.ok((table.fcntlGetFlags(slot?.fd ?? -1) & fs.constants.O_DIRECT) !== 0);
      grants.close();
    } catch (error) {
      assert.match(String(error), /does not support direct I\/O \(EINVAL/);
      assert.not.ok(fs.existsSync(path));
      console.log(`no O_DIRECT in ${place}`);
    } finally {
      fs.rmSync(path, { force: true });
    }
  }
  assert.match(refusal({ a: { path: "/dev/null", direct: true } }), /for files and block devices/);
  assert.match(refusal({ a: { path: fileOf("d"), direct: true } }, null), /needs Linux and koffi/);
});

onLinux("every granted descriptor is close-on-exec", (table) => {
  const own = fs.openSync(fileOf("cloexec"), "r");
  const grants = openGrants({ a: { path: fileOf("cloexec") }, b: { fd: own } }, table);
  for (const { fd } of grants.slots) {
    const flags = /flags:\s*(\d+)/.exec(fs.readFileSync(`/proc/self/fdinfo/${fd}`, "utf8"))?.[1];
    assert.ok((Number.parseInt(flags ?? "0", 8) & 0o2000000) !== 0);
    assert.is(Number.parseInt(flags ?? "0", 8) & fs.constants.O_NONBLOCK, 0);
  }
  grants.close();
  fs.fstatSync(own);
  fs.closeSync(own);
});

onLinux("a FIFO by path does not hang the host", (table) => {
  const path = join(folder, "fifo");
  execFileSync("mkfifo", [path]);
  assert.match(refusal({ a: { path, access: "write" } }), /nobody has this FIFO open for reading/);
  const grants = openGrants({ r: { path }, w: { path, access: "write" } }, table);
  assert.equal(
    grants.slots.map(({ kind }) => kind),
    [GrantKind.PIPE, GrantKind.PIPE],
  );
  grants.close();
  assert.match(refusal({ a: { path } }, null), /not an ordinary file/);
});

onLinux("each system call of opening failing in turn leaves nothing behind", (table) => {
  const own = fs.openSync(fileOf("own"), "r");
  const fresh = join(folder, "fresh");
  const files = {
    a: { path: fresh, access: "write" },
    b: { fd: own },
    c: { path: fileOf("c") },
  } as const;
  for (const call of ["open", "dup", "fcntlGetFlags"] as const) {
    for (let nth = 0; ; nth++) {
      let calls = 0;
      const failing: Syscalls = {
        ...table,
        [call]: (...values: unknown[]): unknown =>
          calls++ === nth ? -24 : Reflect.apply(table[call], table, values),
      };
      if (calls > nth) break;
      const before = openDescriptors();
      try {
        openGrants(files, failing).close();
        fs.rmSync(fresh);
        assert.is(openDescriptors(), before);
        break;
      } catch (error) {
        assert.ok(error instanceof WasmUringError && error.code === "ERR_BAD_GRANT", String(error));
        assert.is(openDescriptors(), before);
        assert.not.ok(fs.existsSync(fresh));
      }
    }
  }
  fs.closeSync(own);
});

opening.run();
