/**
 * The example `hostile` gets nowhere, and what it is told does not depend on the engine but where
 * the design says so: opcodes newer than the kernel (EINVAL by the kernel, EACCES by the engines
 * that judge in the host) and the note.
 */
import assert from "node:assert/strict";
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import { type GuestOptions, runGuest } from "wasm-uring";
import { type EngineHere, enginesHere } from "../engines";
import { outputOf, temporaryFolder } from "./example";

const test = suite("examples/hostile");
const folder = temporaryFolder();
const path = join(folder, "input");

/** The rows, without the note and with the one difference taken out. */
function comparable(output: string): string {
  const rows = output.split("\n").filter((row) => !row.startsWith("note: "));
  return rows
    .map((row) => (/^opcode (3[4-9]|[4-9]\d) /.test(row) ? row.replace(/EINVAL$/, "EACCES") : row))
    .join("\n");
}

function assertRefused(output: string, label: string): void {
  const rows = output.trimEnd().split("\n");
  const summary = rows.at(-1) ?? "";
  const counts =
    /^(\d+) attempts: (\d+) refused, (\d+) harmless, 0 escaped; 2 control .+, 0 failed;/.exec(
      summary,
    );
  assert.ok(counts, `${label}: ${summary}`);
  const [attempts = 0, refused = 0, harmless = 0] = counts.slice(1).map(Number);
  assert.equal(refused + harmless, attempts);
  assert.ok(refused > 130, `${refused} refused`);
  // Header, rows, controls, note, summary: what is claimed was printed.
  assert.equal(rows.length, 1 + attempts + 2 + 1 + 1);
  assert.equal(rows.filter((row) => / {2}(E[A-Z0-9]+|\d+ bytes)/.test(row)).length, attempts + 2);
}

test("every attempt is refused, alike on every engine", async () => {
  copyFileSync("package.json", path);
  const outputs = new Map<string, string>();
  for (const engine of await enginesHere()) {
    const output = await outputOf("hostile", engine, { input: { path } });
    assertRefused(output, engine.label);
    outputs.set(engine.label, comparable(output));
  }
  const [first] = outputs.values();
  for (const [label, output] of outputs) assert.equal(output, first, label);
  assert.ok(readFileSync(path).equals(readFileSync("package.json")));
});

test("the engines that judge in the host do not follow attr_ptr", async () => {
  for (const engine of await enginesHere()) {
    const output = await outputOf("hostile", engine, { input: { path: "package.json" } });
    const note = output.split("\n").find((row) => row.startsWith("note: attr_ptr")) ?? "";
    if (engine.engine === "mapped") console.log(`(${engine.label}) ${note}`);
    else assert.match(note, /^note: attr_ptr is not followed/, engine.label);
  }
});

async function hostileWith(engine: EngineHere, options: GuestOptions): Promise<string> {
  const { outcome, stdout } = await runGuest("build/guests/hostile.wasm", {
    ...options,
    engine: engine.engine,
    sqpoll: engine.sqpoll,
    stdout: "capture",
    deadlineMs: 30_000,
  });
  assert.deepEqual(outcome, { kind: "exit", exitCode: 0 }, engine.label);
  return new TextDecoder().decode(stdout);
}

test("a policy that may write, with a grant that may not", async () => {
  writeFileSync(path, "x".repeat(10_000));
  for (const engine of await enginesHere()) {
    const output = await hostileWith(engine, { files: { input: { path } }, policy: "file-write" });
    assert.match(output, /^write to a grant that is read-only .* EBADF$/m);
    assert.equal(readFileSync(path, "utf8"), "x".repeat(10_000));
  }
});

test("an empty file, and the policy for streams", async () => {
  writeFileSync(path, "");
  for (const engine of await enginesHere()) {
    assertRefused(await hostileWith(engine, { files: { input: { path } } }), engine.label);
    await hostileWith(engine, { files: { input: { path } }, policy: "stream" });
  }
});

test.run();
