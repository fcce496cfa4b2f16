/**
 * Directories and sockets by WASI in a whole guest: used, refused, waited on without blocking its
 * owner, and closed however it ends.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { createGuest, type GuestOptions, runGuest, WasmUringError } from "wasm-uring";
import { loadSyscalls } from "../../host/ffi";
import { endOf, guestPath, textOf } from "./guests";

const test = suite("guest/preopens");
const GUEST = guestPath("files");
const folder = mkdtempSync(join(tmpdir(), "wasm-uring-preopens-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
writeFileSync(join(folder, "input"), "some content\n".repeat(1000));
const openOnHost = () => readdirSync("/proc/self/fd").length;

const run = (words: string[], options: GuestOptions = {}) =>
  runGuest(GUEST, {
    args: ["files", ...words],
    preopens: { "/": folder },
    stdout: "capture",
    ...options,
  });

test("a guest copies a file", async () => {
  const before = openOnHost();
  assert.is(endOf(await run(["copy", "input", "output"])), "exit 0");
  assert.is(readFileSync(join(folder, "output"), "utf8"), "some content\n".repeat(1000));
  assert.is(openOnHost(), before);
});

test("a read-only directory is that", async () => {
  const EPERM = 63;
  const preopens = { "/": { path: folder, readOnly: true } };
  assert.is(endOf(await run(["copy", "input", "never"], { preopens })), `exit ${EPERM}`);
  assert.is(endOf(await run(["probe", "input"], { preopens })), `exit ${EPERM}`);
  assert.not.ok(readdirSync(folder).includes("never"));
});

test("without a preopen there is no descriptor 3", async () => {
  assert.is(endOf(await run(["probe", "input"], { preopens: {} })), "exit 8");
});

test("a guest that spins with files open leaves none", async () => {
  const before = openOnHost();
  const result = await run(["hold", "input"], { deadlineMs: 300 });
  assert.is(result.outcome.kind, "deadline");
  assert.is(textOf(result.stdout), "ready\n");
  assert.is(openOnHost(), before);
});

test("a guest that sleeps is ended, and its owner's loop goes on meanwhile", async () => {
  let turns = 0;
  const timer = setInterval(() => turns++, 10);
  const result = await run(["sleep"], { deadlineMs: 300 });
  clearInterval(timer);
  assert.is(result.outcome.kind, "deadline");
  assert.is(textOf(result.stdout), "ready\n");
  assert.ok(turns > 10, `${turns} turns`);
});

test("a guest that waits for a connection is ended", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((done) => server.once("listening", done));
  const handle: unknown = Reflect.get(server, "_handle");
  const fd = Number(typeof handle === "object" && handle !== null && Reflect.get(handle, "fd"));
  const before = openOnHost();
  const result = await run(["accept"], { deadlineMs: 300, sockets: [fd] });
  assert.is(result.outcome.kind, "deadline");
  assert.is(openOnHost(), before);
  server.close();
});

test("a signal ends the guest alone", async () => {
  assert.is(endOf(await run(["raise", "9"])), "exit 137");
  assert.is(endOf(await run(["raise", "16"])), "exit 100");
});

const REFUSED: readonly (readonly [name: string, options: object, expected: RegExp])[] = [
  ["a missing directory", { preopens: { "/": join(folder, "no") } }, /does not exist/],
  ["a file", { preopens: { "/": join(folder, "input") } }, /is not a directory/],
  ["overlapping paths", { preopens: { "/a": folder, "/a/b": folder } }, /overlap/],
  ["a misspelt key", { preopens: { "/": { path: folder, readonly: true } } }, /preopens/],
  ["a socket that is none", { sockets: [9999] }, /socket 9999/],
  ["a limit below what it has", { openFilesMax: 2 }, /openFilesMax 2/],
];

for (const [name, options, expected] of REFUSED) {
  test(`refused before it starts: ${name}`, async () => {
    const before = openOnHost();
    const files = { input: { path: join(folder, "input") } };
    let refusal: unknown;
    await createGuest(GUEST, { files, ...options } as GuestOptions).catch((error) => {
      refusal = error;
    });
    assert.instance(refusal, WasmUringError);
    assert.match(String(refusal), expected);
    assert.is(openOnHost(), before);
  });
}

const { syscalls, reason } = loadSyscalls();
if (syscalls !== null) test.run();
else console.log(`guest/preopens skipped: ${reason}`);
