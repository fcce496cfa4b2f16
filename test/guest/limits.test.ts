/**
 * Guests where io_uring is denied by a seccomp filter (Docker's default), and under the 8 MiB of locked memory that
 * ordinary users have.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { runConfined, type Told } from "./confined";

const limits = suite("guest/limits");

const SELF = fileURLToPath(import.meta.url);
const MEMLOCK_BYTES = 8 << 20;

const folder = mkdtempSync(join(tmpdir(), "wasm-uring-limits-"));
const input = join(folder, "input");
const content = Buffer.alloc(10_000, "some bytes ");
writeFileSync(input, content);
const expected = `${content.length} ${content.reduce((sum, byte) => sum + byte, 0)}\n`;

// Of the children as well, which run this file from the top.
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

/** Runs this very file as a child; a string is why it could not run. */
function runChild(command: readonly string[], words: readonly string[], file = ""): Told | string {
  const [program = "", ...rest] = [...command, process.execPath, SELF, "child", ...words];
  const env = { ...process.env, ...(file === "" ? {} : { GUEST_INPUT: file }) };
  const child = spawnSync(program, rest, { encoding: "utf8", env });
  if (child.error !== undefined) return child.error.message;
  const line = child.stdout.trim().split("\n").pop() ?? "";
  if (!line.startsWith("{")) return `${child.stderr.trim() || `status ${child.status}`}`;
  return JSON.parse(line);
}

limits(
  "io_uring denied by seccomp: auto is emulated, with the reason, and the result is the same",
  () => {
    const told = runChild([], ["denied", "auto", "plain"], input);
    if (typeof told === "string") return console.log(`skipped: ${told}`);
    assert.is(told.end, "exit 0");
    assert.is(told.engine, "emulated");
    assert.match(told.reason ?? "", "EPERM");
    assert.is(told.stdout, expected);
  },
);

for (const engine of ["mapped", "mirrored"]) {
  limits(`io_uring denied by seccomp: ${engine}, asked for by name, is refused`, () => {
    const told = runChild([], ["denied", engine, "plain"], input);
    if (typeof told === "string") return console.log(`skipped: ${told}`);
    assert.match(told.end, "ERR_ENGINE_UNAVAILABLE");
    assert.is(told.exitCode, 2);
  });
}

/** Runs a program with 8 MiB of locked memory and without the capability that overrides the limit. */
function underMemlock(): string[] {
  const limit = ["prlimit", `--memlock=${MEMLOCK_BYTES}:${MEMLOCK_BYTES}`];
  const dropped = ["setpriv", "--bounding-set=-ipc_lock", "--inh-caps=-ipc_lock"];
  return process.getuid?.() === 0 ? [...limit, ...dropped] : limit;
}

for (const engine of ["mapped", "mirrored"]) {
  limits(`${engine}: 16 MiB of arena under an 8 MiB limit is an error that names the limit`, () => {
    const told = runChild(underMemlock(), ["limited", engine, "setup-twice", "arena", "16"]);
    if (typeof told === "string") return console.log(`skipped: ${told}`);
    if (told.end.includes("ERR_ENGINE_UNAVAILABLE")) return console.log(`skipped: ${told.end}`);
    assert.match(told.end, "ERR_MEMLOCK");
    assert.match(told.end, "RLIMIT_MEMLOCK");
    assert.match(told.end, `${MEMLOCK_BYTES}`);
    assert.is(told.exitCode, 2);
  });

  limits(`${engine}: 2 MiB of arena under an 8 MiB limit`, () => {
    const told = runChild(underMemlock(), ["limited", engine, "setup-twice", "arena", "2"]);
    if (typeof told === "string") return console.log(`skipped: ${told}`);
    if (told.end.includes("ERR_ENGINE_UNAVAILABLE")) return console.log(`skipped: ${told.end}`);
    assert.is(told.end, "exit 0");
    assert.is(told.stdout, "0\n");
  });
}

limits("emulated: locked memory does not matter", () => {
  const told = runChild(underMemlock(), ["limited", "emulated", "setup-twice", "arena", "16"]);
  if (typeof told === "string") return console.log(`skipped: ${told}`);
  assert.is(told.stdout, "0\n");
});

if (process.argv[2] === "child") await runConfined(process.argv.slice(3));
else limits.run();
