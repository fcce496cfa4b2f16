/**
 * The example `checksum` prints what xxhsum prints: published vectors, an independent
 * implementation, the tool itself.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import { enginesHere } from "../engines";
import { outputOf, temporaryFolder } from "./example";

const test = suite("examples/checksum");
const path = join(temporaryFolder(), "input");

/** xxHash64, seed 0, of texts: as other implementations publish them. */
const VECTORS: readonly (readonly [text: string, hash: string])[] = [
  ["", "ef46db3751d8e999"],
  ["a", "d24ec4f1a98c6e5b"],
  ["abc", "44bc2cf5ad770999"],
  ["Nobody inspects the spammish repetition", "fbcea83c8a378bf1"],
];

const MASK = (1n << 64n) - 1n;
const P1 = 11400714785074694791n;
const P2 = 14029467366897019727n;
const P3 = 1609587929392839161n;
const P4 = 9650029242287828579n;
const P5 = 2870177450012600261n;
const rotate = (value: bigint, bits: bigint) => ((value << bits) | (value >> (64n - bits))) & MASK;
const lane = (accumulator: bigint, input: bigint) =>
  (rotate((accumulator + input * P2) & MASK, 31n) * P1) & MASK;

/** Straight from doc/xxhash_spec.md, all at once and slow. */
function slowXxHash64(bytes: Buffer): string {
  let at = 0;
  let hash = P5;
  if (bytes.length >= 32) {
    const lanes = [(P1 + P2) & MASK, P2, 0n, -P1 & MASK];
    for (; at + 32 <= bytes.length; at += 32) {
      lanes.forEach((value, index) => {
        lanes[index] = lane(value, bytes.readBigUInt64LE(at + 8 * index));
      });
    }
    hash =
      lanes.reduce(
        (sum, value, index) => sum + rotate(value, [1n, 7n, 12n, 18n][index] ?? 0n),
        0n,
      ) & MASK;
    for (const value of lanes) hash = ((hash ^ lane(0n, value)) * P1 + P4) & MASK;
  }
  hash = (hash + BigInt(bytes.length)) & MASK;
  for (; at + 8 <= bytes.length; at += 8) {
    hash = (rotate(hash ^ lane(0n, bytes.readBigUInt64LE(at)), 27n) * P1 + P4) & MASK;
  }
  if (at + 4 <= bytes.length) {
    hash = (rotate(hash ^ ((BigInt(bytes.readUInt32LE(at)) * P1) & MASK), 23n) * P2 + P3) & MASK;
    at += 4;
  }
  for (; at < bytes.length; at++) {
    hash = (rotate(hash ^ ((BigInt(bytes.readUInt8(at)) * P5) & MASK), 11n) * P1) & MASK;
  }
  hash = ((hash ^ (hash >> 33n)) * P2) & MASK;
  hash = ((hash ^ (hash >> 29n)) * P3) & MASK;
  return (hash ^ (hash >> 32n)).toString(16).padStart(16, "0");
}

/** null where the tool is not installed. */
function xxhsum(): string | null {
  const { stdout, error, status } = spawnSync("xxhsum", ["-H64", path], { encoding: "utf8" });
  return error === undefined && status === 0 ? stdout.slice(0, 16) : null;
}

async function assertHash(content: Buffer, expected: string): Promise<void> {
  writeFileSync(path, content);
  for (const engine of await enginesHere()) {
    const output = await outputOf("checksum", engine, { input: { path } });
    assert.equal(output, `${expected}\n`, `${content.length} bytes on ${engine.label}`);
  }
}

test("published vectors", async () => {
  for (const [text, hash] of VECTORS) {
    assert.equal(slowXxHash64(Buffer.from(text)), hash);
    await assertHash(Buffer.from(text), hash);
  }
});

test("every kind of end, and around block borders", async () => {
  const bytes = Buffer.from(
    Uint8Array.from({ length: 200_000 }, (_, index) => (index * index) >> 5),
  );
  for (const length of [
    1, 3, 4, 5, 7, 8, 12, 31, 32, 33, 63, 64, 4097, 65535, 65536, 65537, 131103, 200_000,
  ]) {
    await assertHash(bytes.subarray(0, length), slowXxHash64(bytes.subarray(0, length)));
  }
});

test("a file longer than all blocks in flight, and xxhsum", async () => {
  const bytes = Buffer.from(
    Uint8Array.from({ length: 3_000_001 }, (_, index) => (index * 2654435761) >>> 11),
  );
  await assertHash(bytes, slowXxHash64(bytes));
  const byTool = xxhsum();
  if (byTool === null)
    console.log("skipped: xxhsum is not installed; compared with the specification only");
  else assert.equal(byTool, slowXxHash64(bytes));
});

test.run();
