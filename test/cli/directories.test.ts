/** `wasm-uring run --dir`: HOST[::GUEST][:ro], and what is refused of it. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { loadSyscalls } from "../../host/ffi";
import { runCli, temporaryFolder } from "./command";

const test = suite("cli/directories");
const GUEST = "build/guests/files.wasm";
const EPERM = 63;
const folder = temporaryFolder();
writeFileSync(join(folder, "input"), "content");

const run = (dirs: string[], ...words: string[]) =>
  runCli(["run", ...dirs.flatMap((dir) => ["--dir", dir]), GUEST, ...words]);

test("a directory under its own name, and under another", async () => {
  assert.is((await run([folder], "copy", "input", "one")).exitCode, 0);
  assert.is((await run([`${folder}::/data`], "copy", "input", "two")).exitCode, 0);
  for (const name of ["one", "two"]) {
    assert.is(readFileSync(join(folder, name), "utf8"), "content");
  }
});

test("read-only", async () => {
  for (const dir of [`${folder}:ro`, `${folder}::/data:ro`]) {
    assert.is((await run([dir], "copy", "input", "never")).exitCode, EPERM);
  }
  assert.not.ok(existsSync(join(folder, "never")));
});

test("one clear sentence for what cannot be granted", async () => {
  mkdirSync(join(folder, "sub"));
  for (const [dirs, expected] of [
    [[join(folder, "missing")], /does not exist/],
    [[join(folder, "input")], /is not a directory/],
    [[`${folder}::/a`, `${folder}/sub::/a`], /the guest path "\/a" was given before/],
    [[`${folder}::/a`, `${folder}/sub::/a/b`], /overlap/],
    [["::/a"], /does not name a directory/],
    [[`${folder}::`], /does not name a directory/],
    [[""], /does not name a directory/],
  ] as const) {
    const { exitCode, stderr, stdout } = await run([...dirs], "copy", "input", "never");
    assert.is(exitCode, 2);
    assert.is(stdout, "");
    assert.match(stderr, expected);
    assert.is(stderr.trimEnd().split("\n").length, 1, stderr);
  }
});

const { syscalls, reason } = loadSyscalls();
if (syscalls !== null) test.run();
else console.log(`cli/directories skipped: ${reason}`);
