/**
 * The conformance guests: each case on this thread by the class WASI, on a thread of its own by
 * runGuest, and under node:wasi as the oracle. Where node:wasi does something else, the case stands
 * in the table of differences with the reason, and a table that is out of date fails.
 */
import { existsSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { loadSyscalls } from "../../host/ffi";
import { DIFFERENCES, ENDLESS, VARYING } from "./conformance-differences";
import { askOracle, findOracle, servedAsOracle } from "./conformance-oracle";
import { PROGRAMS, runInWorker, runSynchronously } from "./conformance-run";

/** What ends otherwise than with 0. */
const EXIT_CODES: Readonly<Record<string, number>> = {
  "wasi-clock-poll/ends_with_42": 42,
  "wasi-clock-poll/ends_with_255": 255,
  "wasi-clock-poll/ends_by_trap": 134,
};
const CASES_MIN = 120;

function expectedOf(key: string): string {
  return `exit ${EXIT_CODES[key] ?? 0}`;
}

function casesOf(program: string): string[] {
  const { exitCode, output } = runSynchronously(program, null);
  assert.is(exitCode, 0, output);
  return output.trim().split("\n");
}

function runSuite(): void {
  const built = PROGRAMS.filter((program) => existsSync(`build/guests/${program}.wasm`));
  const absent = PROGRAMS.filter((program) => !built.includes(program));
  if (absent.length > 0) {
    console.log(`wasi/conformance skipped in part: ${absent.join(", ")} not built (needs clang)`);
  }
  const keys = built.flatMap((program) => casesOf(program).map((name) => `${program}/${name}`));
  const test = suite("wasi/conformance");
  for (const key of keys) {
    const [program = "", name = ""] = key.split("/");
    test(key, async () => {
      const here = runSynchronously(program, name);
      assert.is(`exit ${here.exitCode}`, expectedOf(key), `${key}, class WASI:\n${here.output}`);
      const there = await runInWorker(program, name);
      assert.is(`exit ${there.exitCode}`, expectedOf(key), `${key}, worker:\n${there.output}`);
    });
  }
  if (absent.length === 0) {
    test("there are as many cases as there were", () => {
      assert.ok(keys.length >= CASES_MIN, `${keys.length} cases`);
    });
  }
  addOracle(test, keys);
  test.run();
}

function addOracle(test: ReturnType<typeof suite>, keys: readonly string[]): void {
  const node = findOracle();
  if (node === null) {
    console.log(
      "wasi/conformance: oracle skipped: no Node 24 or later (WASI_ORACLE_NODE names one)",
    );
    return;
  }
  test("node:wasi agrees, but for what is listed", () => {
    const answers = askOracle(node, keys, ENDLESS);
    const isDifferent = (key: string) => {
      const answer = answers.get(key);
      return `exit ${answer?.exitCode}` !== expectedOf(key);
    };
    const unlisted = keys.filter((key) => isDifferent(key) && !(key in DIFFERENCES));
    const said = unlisted.map((key) => `${key}: ${answers.get(key)?.output}`);
    assert.equal(said, [], "node:wasi differs, and the table does not say why");
    const settled = keys.filter((key) => key in DIFFERENCES && !isDifferent(key));
    const stale = settled.filter((key) => !VARYING.has(key));
    assert.equal(stale, [], "node:wasi does not differ any more: out of the table");
    const unknown = Object.keys(DIFFERENCES).filter((key) => !keys.includes(key));
    if (keys.length >= CASES_MIN) assert.equal(unknown, [], "no such case: out of the table");
  });
}

if (!(await servedAsOracle())) {
  if (loadSyscalls().syscalls !== null) runSuite();
  else console.log("wasi/conformance skipped: no system calls on this platform");
}
