/**
 * The memories and runtimes that guests come with: plain exported and shared imported memory, the runtimes stub, minimal
 * and incremental, growth after set-up, a second set-up; on every engine, with identical output.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type EngineName, type GuestOptions, runGuest } from "wasm-uring";
import { ringBytes, sqesBytes } from "../../host/ring/layout";
import { endOf, guestBytes, guestPath, textOf } from "./guests";

const memories = suite("guest/memories");

const ENGINES: readonly EngineName[] = ["mapped", "mirrored", "emulated"];
const BYTES = 100_000;

const folder = mkdtempSync(join(tmpdir(), "wasm-uring-memories-"));
const input = join(folder, "input");
const content = Buffer.alloc(BYTES, "not all the same. ");
writeFileSync(input, content);
const expected = `${BYTES} ${content.reduce((sum, byte) => sum + byte, 0)}\n`;

memories.after(() => rmSync(folder, { recursive: true }));

for (const engine of ENGINES) {
  for (const name of ["plain", "plain-minimal", "plain-incremental", "plain-shared"]) {
    memories(`${engine}: ${name}`, async () => {
      const options: GuestOptions = {
        files: { input: { path: input } },
        stdout: "capture",
        engine,
      };
      const result = await runGuest(guestPath(name), options);
      if (/ERR_ENGINE_UNAVAILABLE/.test(endOf(result)))
        return console.log(`skipped: ${endOf(result)}`);
      assert.is(endOf(result), "exit 0", result.setupErrors.join());
      assert.is(textOf(result.stdout), expected);
      assert.is(result.ring?.engine, engine);
    });
  }

  memories(`${engine}: a second set-up is EBUSY, with the reason`, async () => {
    const result = await runGuest(guestPath("setup-twice"), { stdout: "capture", engine });
    if (/ERR_ENGINE_UNAVAILABLE/.test(endOf(result)))
      return console.log(`skipped: ${endOf(result)}`);
    assert.is(textOf(result.stdout), "0\n-16\n");
    assert.match(result.setupErrors.join(), /second time/);
  });
}

memories("under SQPOLL", async () => {
  const options: GuestOptions = {
    files: { input: { path: input } },
    stdout: "capture",
    sqpoll: true,
  };
  const result = await runGuest(guestPath("plain"), options);
  if (/ERR_ENGINE_UNAVAILABLE/.test(endOf(result))) return console.log(`skipped: ${endOf(result)}`);
  assert.is(endOf(result), "exit 0");
  assert.is(textOf(result.stdout), expected);
  assert.is(result.ring?.mode, "sqpoll");
});

memories("a guest by its bytes and by its compiled module", async () => {
  const options: GuestOptions = { files: { input: { path: input } }, stdout: "capture" };
  const bytes = guestBytes("plain");
  const module = await WebAssembly.compile(new Uint8Array(bytes));
  for (const source of [bytes, module]) {
    assert.is(textOf((await runGuest(source, options)).stdout), expected);
  }
});

memories("the guest's ring-size arithmetic is the host's", async () => {
  const result = await runGuest(guestPath("ring-size"), { stdout: "capture" });
  const lines = textOf(result.stdout).trim().split("\n");
  assert.ok(lines.length > 100);
  for (const line of lines) {
    const [sq = 0, cq = 0, ring, sqes] = line.split(" ").map(Number);
    assert.equal([ring, sqes], [ringBytes(sq, cq), sqesBytes(sq)], line);
  }
});

memories.run();
