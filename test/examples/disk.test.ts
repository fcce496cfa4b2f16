/**
 * The example `disk` prints the same on every engine of the passthrough path and behind virtqueues; that each path does
 * what a disk must is in test/datapath.
 */
import assert from "node:assert/strict";
import { truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import { type DeviceRequest, type GuestOptions, runGuest } from "wasm-uring";
import { enginesHere } from "../engines";
import { temporaryFolder } from "./example";

const test = suite("examples/disk");
const folder = temporaryFolder();
const file = join(folder, "disk");
const CAPACITY_BYTES = 1 << 20;

async function outputOn(disk: DeviceRequest, options: GuestOptions, depth: number) {
  writeFileSync(file, "");
  truncateSync(file, CAPACITY_BYTES);
  const result = await runGuest("build/guests/disk.wasm", {
    ...options,
    devices: { disk },
    args: ["disk", "--depth", String(depth)],
    stdout: "capture",
    stderr: "capture",
  });
  const decoder = new TextDecoder();
  assert.deepEqual(
    result.outcome,
    { kind: "exit", exitCode: 0 },
    `${disk.path}: ${decoder.decode(result.stderr)}`,
  );
  return decoder.decode(result.stdout);
}

test("the same lines on every path", async () => {
  const outputs = new Set<string>();
  for (const { engine, sqpoll } of await enginesHere()) {
    for (const depth of [1, 32]) {
      outputs.add(await outputOn({ path: "passthrough", file }, { engine, sqpoll }, depth));
    }
  }
  outputs.add(await outputOn({ path: "virtio-blk", file }, {}, 32));
  outputs.add(await outputOn({ path: "vdpa-sim", capacityBytes: CAPACITY_BYTES }, {}, 7));
  assert.equal(outputs.size, 1, [...outputs].join("---\n"));
  const [output = ""] = outputs;
  assert.match(output, /^wrote and flushed 64 blocks\nread them: checksum [0-9a-f]+, wrong 0\n/);
});

test("a read-only disk is refused in a sentence", async () => {
  writeFileSync(file, Buffer.alloc(CAPACITY_BYTES));
  const result = await runGuest("build/guests/disk.wasm", {
    devices: { disk: { path: "passthrough", file, readOnly: true } },
    stderr: "capture",
  });
  assert.equal(result.exitCode, 1);
  assert.match(new TextDecoder().decode(result.stderr), /disk: block 0: EROFS/);
});

test.run();
