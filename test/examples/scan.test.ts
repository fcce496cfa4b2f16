/**
 * The example `scan` counts what grep counts, on every engine, whatever lies across block borders.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { suite } from "uvu";
import { enginesHere } from "../engines";
import { outputOf, runExample, temporaryFolder } from "./example";

const test = suite("examples/scan");
const folder = temporaryFolder();
const path = join(folder, "input");
const KIB = 1024;
const PROPERTY_RUNS = 40;

/** Matches from left to right that do not overlap. */
function countMatches(text: string, pattern: string): number {
  let count = 0;
  for (let at = text.indexOf(pattern); at >= 0; at = text.indexOf(pattern, at + pattern.length))
    count++;
  return count;
}

/** null where there is no grep. */
function grep(pattern: string): number | null {
  const env = { ...process.env, LC_ALL: "C" };
  const { stdout, error } = spawnSync("grep", ["-a", "-F", "-o", "-e", pattern, path], {
    env,
    maxBuffer: 1 << 28,
  });
  if (error !== undefined) return null;
  return stdout.reduce((lines, byte) => lines + (byte === 10 ? 1 : 0), 0);
}

async function scan(pattern: string, blocks: readonly string[] = []): Promise<number[]> {
  const counts: number[] = [];
  for (const engine of await enginesHere()) {
    const output = await outputOf("scan", engine, { input: { path } }, [pattern, ...blocks]);
    assert.match(output, /^\d+\n$/);
    counts.push(Number(output));
  }
  return counts;
}

/** Text with lines, in which "needle" lies across every border of `step` bytes. */
function textAcrossBorders(lengthBytes: number, step: number): string {
  const line = "the quick brown fox jumps over the lazy dog; aaaa bbbb aaaa\n";
  const text = Buffer.from(line.repeat(Math.ceil(lengthBytes / line.length))).subarray(
    0,
    lengthBytes,
  );
  for (let at = step; at < lengthBytes; at += step)
    text.write("needle", at - 1 - ((at / step) % 6), "latin1");
  return text.toString("latin1");
}

test("counts as grep does, matches across block borders included", async () => {
  const text = textAcrossBorders(300 * KIB + 17, 4 * KIB);
  writeFileSync(path, text, "latin1");
  for (const pattern of ["needle", "a", "aa", "the", " ", "fox jumps over", "absent", "edleneed"]) {
    const expected = countMatches(text, pattern);
    const byGrep = grep(pattern);
    if (byGrep === null) console.log("skipped: no grep to compare with");
    else assert.equal(byGrep, expected, `grep, pattern "${pattern}"`);
    const more = pattern === "needle" ? [[], ["1", "1"]] : [];
    for (const blocks of [["4", "4"], ...more]) {
      for (const count of await scan(pattern, blocks))
        assert.equal(count, expected, `pattern "${pattern}"`);
    }
  }
});

test("files that are empty, shorter than the pattern, exactly the pattern", async () => {
  for (const [text, pattern, expected] of [
    ["", "a", 0],
    ["ab", "abc", 0],
    ["abc", "abc", 1],
    ["abcabc", "abc", 2],
    ["aaaaa", "aa", 2],
    ["abc", "", 0],
  ] as const) {
    writeFileSync(path, text);
    for (const count of await scan(pattern))
      assert.equal(count, expected, `"${pattern}" in "${text}"`);
  }
});

test("a pattern longer than a block", async () => {
  const pattern = "xyzzy".repeat(1000);
  const almost = `${pattern.slice(0, -1)}\n`;
  const text = ["x".repeat(777), pattern, "y".repeat(3333), pattern, almost, pattern].join("");
  writeFileSync(path, text);
  for (const blocks of [["8", "1"], ["3", "4"], []]) {
    for (const count of await scan(pattern, blocks)) assert.equal(count, 3);
  }
});

test("any text of few letters, any pattern, blocks of 1 KiB", async () => {
  const [first] = await enginesHere();
  assert.ok(first);
  const letters = (most: number, least: number) =>
    fc.string({ unit: fc.constantFrom("a", "b", "\n"), minLength: least, maxLength: most });
  const cases = fc.record({
    period: letters(9, 1),
    noise: fc.array(fc.tuple(fc.nat(5 * KIB), fc.constantFrom("a", "b", "\n")), { maxLength: 20 }),
    lengthBytes: fc.integer({ min: 1, max: 5 * KIB }),
    start: fc.nat(8),
    patternLength: fc.integer({ min: 1, max: 40 }),
    depth: fc.constantFrom("1", "2", "32"),
  });
  await fc.assert(
    fc.asyncProperty(cases, async ({ period, noise, lengthBytes, start, patternLength, depth }) => {
      const bytes = [
        ...period.repeat(Math.ceil(lengthBytes / period.length)).slice(0, lengthBytes),
      ];
      for (const [at, letter] of noise) if (at < lengthBytes) bytes[at] = letter;
      const text = bytes.join("");
      const pattern = period.repeat(48).slice(start, start + patternLength);
      writeFileSync(path, text);
      const output = await outputOf("scan", first, { input: { path } }, [pattern, depth, "1"]);
      assert.equal(Number(output), countMatches(text, pattern));
    }),
    { numRuns: PROPERTY_RUNS },
  );
});

test("bad arguments are one sentence and exit code 2", async () => {
  const [first] = await enginesHere();
  assert.ok(first);
  for (const args of [[], ["a", "0"], ["a", "x"], ["a", "1", "5000"]]) {
    const { result, stderr } = await runExample("scan", first, { input: { path } }, args);
    assert.equal(result.exitCode, 2);
    assert.match(stderr, /^scan: [^\n]+\n$/);
  }
});

test.run();
