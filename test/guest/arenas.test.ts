/** Further arenas, in memory that the guest grew: the same answers on every engine, and reasons for what is refused. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { runGuest } from "wasm-uring";
import { enginesHere } from "../engines";
import { leakedSince, takeResources } from "../hostile/resources";
import { endOf, guestPath, textOf } from "./guests";

const test = suite("guest/arenas");

const EXPECTED = [
  "before: -9",
  "own: 64 64 64",
  "other's: -14 -14 -14 -14 -14 -14",
  "edge: 64 -14",
  "refused: -16 -16 -22 -22 -22 -22 -22 -14 -22 -22",
  "written: 1",
];

const REASONS = [
  "there is an arena of index 0 already",
  "there is an arena of index 1 already",
  "index 16 is not one from 1 to 15",
  "index 4294967295 is not one from 1 to 15",
  "is not made of whole pages",
  "is empty",
  "is not made of whole pages",
  "is not inside the memory",
  "it overlaps the arena of index 1",
  "it overlaps the SQE array",
];

for (const { label, engine, sqpoll } of await enginesHere()) {
  test(`${label}: three arenas`, async () => {
    const before = takeResources();
    const folder = mkdtempSync(join(tmpdir(), "wasm-uring-arenas-"));
    try {
      const path = join(folder, "data");
      writeFileSync(path, "0123456789abcdef".repeat(16));
      const files = { data: { path, access: "read-write" } } as const;
      const result = await runGuest(guestPath("arenas"), {
        ...{ engine, sqpoll, files, stdout: "capture" },
      });
      assert.is(endOf(result), "exit 0");
      assert.equal(textOf(result.stdout).trim().split("\n"), EXPECTED);
      assert.is(readFileSync(path, "utf8").slice(0, 2), "!1");
      assert.is(result.setupErrors.length, REASONS.length);
      result.setupErrors.forEach((sentence, index) => {
        assert.match(sentence, /^uring\.arena was refused: /);
        assert.ok(sentence.includes(REASONS[index] ?? "?"), `${index}: ${sentence}`);
      });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
    assert.equal(await leakedSince(before), []);
  });
}

test.run();
