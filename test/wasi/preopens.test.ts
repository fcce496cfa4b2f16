/** What an embedder grants by WASI: opened or refused in one sentence, and never half. */
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Errno } from "../../host/abi";
import { WasmUringError } from "../../host/errors";
import { type FileRequests, nativeCalls, openFileGrants } from "../../host/wasi";
import { hasFiles, temporaryFolder } from "./folder";

const test = suite("wasi/preopens");
const openOnHost = () => readdirSync("/proc/self/fd").length;

/** The sentence of a refusal, after which nothing is open. */
function refused(requests: Partial<FileRequests>, native = nativeCalls()): WasmUringError {
  const before = openOnHost();
  try {
    openFileGrants({ preopens: {}, sockets: [], ...requests }, native).close();
  } catch (error) {
    if (!(error instanceof WasmUringError)) throw error;
    assert.is(openOnHost(), before);
    assert.not.match(error.message, "\n");
    return error;
  }
  throw new Error(`not refused: ${JSON.stringify(requests)}`);
}

test("directories in their order, read-only ones marked", () => {
  const folder = temporaryFolder();
  mkdirSync(join(folder, "b"));
  const before = openOnHost();
  const preopens = { "/a": folder, b: { path: join(folder, "b"), readOnly: true } };
  const { grants, close } = openFileGrants({ preopens, sockets: [] }, nativeCalls());
  assert.equal(
    grants.preopens.map(({ guestPath, readOnly }) => [guestPath, readOnly]),
    [
      ["/a", false],
      ["b", true],
    ],
  );
  assert.is(openOnHost(), before + 2);
  close();
  close();
  assert.is(openOnHost(), before);
});

test("what is no directory", () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, "file"), "");
  const good = { "/good": folder };
  const refusal = (path: string) => refused({ preopens: { ...good, "/data": path } }).message;
  assert.match(
    refusal(join(folder, "missing")),
    /preopen "\/data" of ".*missing": .*does not exist/,
  );
  assert.match(refusal(join(folder, "file")), /it is not a directory/);
  assert.match(refusal(""), /a host path is not empty/);
});

test("guest paths that overlap, in any spelling", () => {
  const folder = temporaryFolder();
  for (const [one, other] of [
    ["/data", "/data/"],
    ["/data", "//data/."],
    ["/data", "/data/sub"],
    ["/", "/tmp"],
    [".", "sub"],
    ["sub/", "./sub"],
  ] as const) {
    const { message, code } = refused({ preopens: { [one]: folder, [other]: folder } });
    assert.is(code, "ERR_BAD_OPTION");
    assert.match(message, "overlap");
  }
  const preopens = { "/data": folder, "/database": folder, data: folder, "/d/ata": folder };
  openFileGrants({ preopens, sockets: [] }, nativeCalls()).close();
});

test("guest paths that are none", () => {
  const folder = temporaryFolder();
  for (const path of ["", "a\0b", "..", "/a/../b"]) {
    assert.match(refused({ preopens: { [path]: folder } }).message, "a guest path");
  }
});

test("a limit that leaves no room for what is granted", () => {
  const preopens = { "/a": temporaryFolder() };
  for (const openFilesMax of [3, 0, -1, 1.5, Number.NaN, 2 ** 21]) {
    assert.match(refused({ preopens, openFilesMax }).message, "openFilesMax");
  }
  openFileGrants({ preopens, sockets: [], openFilesMax: 4 }, nativeCalls()).close();
});

test("without openat2 there are no preopens, and no weaker check", () => {
  for (const errno of [Errno.ENOSYS, Errno.EPERM]) {
    const native = nativeCalls();
    const paths = { ...native.paths, beneath: () => -errno };
    const { code, message } = refused({ preopens: { "/": "/tmp" } }, { ...native, paths });
    assert.is(code, "ERR_SYSCALL");
    assert.match(message, /openat2 is not available .*nothing else keeps a guest in it/);
  }
});

test("where there are no system calls, only standard streams", () => {
  assert.match(
    (() => {
      try {
        openFileGrants({ preopens: { "/": "/tmp" }, sockets: [] }, null);
      } catch (error) {
        return error instanceof WasmUringError ? error.message : "";
      }
      return "";
    })(),
    "needs Linux",
  );
  const { grants } = openFileGrants({ preopens: {}, sockets: [] }, null);
  assert.equal(grants.preopens, []);
});

if (hasFiles) test.run();
else console.log("wasi/preopens skipped: no system calls on this platform");
