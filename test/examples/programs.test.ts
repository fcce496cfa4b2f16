/** The examples as a user runs them: each host program, and the command line. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import { temporaryFolder } from "./example";

const test = suite("examples, as programs");
const folder = temporaryFolder();
const input = join(folder, "input");
writeFileSync(input, "a needle, a needle and a haystack\n");

function run(program: string, ...args: string[]) {
  return spawnSync(process.execPath, [program, ...args], { encoding: "utf8", timeout: 60_000 });
}

const host = (name: string) => `build/examples/${name}/host.js`;

test("hello", () => {
  const { stdout, status, stderr } = run(host("hello"), input);
  assert.equal(status, 0, stderr);
  assert.match(stdout, /put 34 bytes into my memory:\na needle, a needle and a haystack\n/);
});

test("scan: the count alone, by host and by command line", () => {
  assert.equal(run(host("scan"), input, "needle").stdout, "2\n");
  const guest = ["build/guests/scan.wasm", "--", "needle"];
  const { stdout, status, stderr } = run(
    "dist/cli.js",
    "run",
    "--file",
    `input=${input}`,
    ...guest,
  );
  assert.equal(status, 0, stderr);
  assert.equal(stdout, "2\n");
});

test("copy", () => {
  const target = join(folder, "target");
  const { status, stderr } = run(host("copy"), input, target);
  assert.equal(status, 0, stderr);
  assert.ok(readFileSync(target).equals(readFileSync(input)));
});

test("checksum", () => {
  const { stdout, status } = run(host("checksum"), input);
  assert.equal(status, 0);
  assert.match(stdout, /^[0-9a-f]{16} {2}/);
});

test("disk", () => {
  const { stdout, status, stderr } = run(host("disk"), "--depth", "8");
  assert.equal(status, 0, stderr);
  assert.match(stdout, /^vdpa-sim +same +\d+ ms {2}served by device thread/m);
});

test("hostile", () => {
  const { stdout, status, stderr } = run(host("hostile"), input);
  assert.equal(status, 0, stderr);
  assert.match(stdout, /--- emulated engine\n.* 0 escaped/s);
});

test("a file that is not there: one sentence, exit code 2", () => {
  for (const name of ["hello", "checksum", "hostile"]) {
    const { status, stdout, stderr } = run(host(name), join(folder, "absent"));
    assert.equal(status, 2, name);
    assert.match(stderr, /absent/);
    assert.doesNotMatch(stderr + stdout, /\n\s+at /);
  }
});

test.run();
