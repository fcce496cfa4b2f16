/**
 * The example `copy` copies byte for byte, on every engine, whatever the size and whatever the
 * target was before.
 */
import assert from "node:assert/strict";
import { readFileSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import { WasmUringError } from "wasm-uring";
import { type EngineHere, enginesHere } from "../engines";
import { outputOf, runExample, temporaryFolder } from "./example";

const test = suite("examples/copy");
const folder = temporaryFolder();
const source = join(folder, "source");
const target = join(folder, "target");
const BLOCK_BYTES = 128 << 10;
const LARGE_BYTES = 100 << 20;
const SIZES = [0, 1, 4095, 4096, 4097, BLOCK_BYTES, BLOCK_BYTES + 1, 20 * BLOCK_BYTES - 7];

/** Bytes that differ from block to block: a block in the wrong place is seen. */
function contentOf(lengthBytes: number): Buffer {
  const words = new Uint32Array(Math.ceil(lengthBytes / 4));
  let state = 0x2545f491;
  for (let index = 0; index < words.length; index++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    words[index] = state;
  }
  return Buffer.from(words.buffer).subarray(0, lengthBytes);
}

async function copy(engine: EngineHere, content: Buffer, direct: boolean): Promise<void> {
  const output = await outputOf("copy", engine, {
    input: { path: source, direct },
    output: { path: target, access: "write", direct },
  });
  assert.equal(output, `copied ${content.length} bytes\n`);
  assert.ok(readFileSync(target).equals(content), `${content.length} bytes on ${engine.label}`);
}

async function copyAll(direct: boolean): Promise<void> {
  for (const size of SIZES) {
    const content = contentOf(size);
    writeFileSync(source, content);
    for (const engine of await enginesHere()) {
      rmSync(target, { force: true });
      await copy(engine, content, direct);
      // Over a longer file: what is beyond must go.
      writeFileSync(target, Buffer.alloc(size + 9999, 0x41));
      await copy(engine, content, direct);
    }
  }
}

test("byte-identical, small sizes, new and longer targets", () => copyAll(false));

test("byte-identical by O_DIRECT", async () => {
  try {
    await copyAll(true);
  } catch (error) {
    if (!(error instanceof WasmUringError) || error.code !== "ERR_BAD_GRANT") throw error;
    console.log(`skipped: no O_DIRECT in ${folder}: ${error.message}`);
  }
});

test("byte-identical, 100 MB", async () => {
  const { bavail, bsize } = statfsSync(folder);
  if (bavail * bsize < 3 * LARGE_BYTES) {
    console.log(`skipped: only ${bavail * bsize} bytes are free in ${folder}`);
    return;
  }
  const content = contentOf(LARGE_BYTES);
  writeFileSync(source, content);
  for (const engine of await enginesHere()) await copy(engine, content, false);
  rmSync(target);
});

test("a target that is not granted for writing", async () => {
  writeFileSync(source, "x");
  writeFileSync(target, "untouched");
  for (const engine of await enginesHere()) {
    const { result, stderr } = await runExample("copy", engine, {
      input: { path: source, access: "read-write" },
      output: { path: target, access: "read" },
    });
    assert.equal(result.exitCode, 1);
    assert.equal(stderr, "copy: writing output: EBADF\n");
    assert.equal(readFileSync(target, "utf8"), "untouched");
  }
});

test.run();
