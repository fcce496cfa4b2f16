/** Options that are misspelt, of the wrong kind or contradict each other: refused before a file is opened or made. */
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { createGuest, type GuestOptions, WasmUringError } from "wasm-uring";

const test = suite("guest/options");
const HELLO = "build/guests/hello.wasm";
const folder = mkdtempSync(join(tmpdir(), "wasm-uring-options-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

const target = join(folder, "new");
const vets = { opcodes: ["READ_FIXED"], vetHiddenFields: true };

/** JSON-like values, as a program without types would pass them. */
const BAD: readonly (readonly [name: string, options: object, expected: RegExp])[] = [
  [
    "a misspelt name",
    { deadlinems: 5 },
    /deadlinems: there is no such option.*did you mean deadlineMs/,
  ],
  ["a Map of files", { files: new Map([["input", { path: HELLO }]]) }, /files: must be an object/],
  ["a list of files", { files: [{ path: HELLO }] }, /files: must be an object/],
  ["a Map as environment", { env: new Map([["a", "b"]]) }, /env: must be an object/],
  [
    "half a personality",
    { personalities: { a: { uid: 1 } } },
    /personalities\.a\.gid: it is missing/,
  ],
  ["no devices", { devices: null }, /option devices: it must be an object/],
  ["a stream word", { stdout: "captuer" }, /stdout/],
  ["a number as arguments", { args: 5 }, /args/],
  ["a zero byte in an argument", { args: ["a\0b"] }, /args\.0.*zero byte/],
  ["a variable's name", { env: { "a=b": "c" } }, /env/],
  ["no grant", { files: { input: null } }, /files\.input/],
  ["a signal that is none", { signal: 5 }, /signal/],
  ["workers without a cap", { ioWorkersMax: [0, 0] }, /ioWorkersMax \[0,0\]/],
  ["one cap", { ioWorkersMax: [2] }, /ioWorkersMax/],
  ["a number as caps", { ioWorkersMax: 2 }, /ioWorkersMax/],
  ["vetting on mapped", { policy: vets, engine: "mapped" }, /vetHiddenFields with the mapped/],
  ["vetting under SQPOLL", { policy: vets, sqpoll: true }, /vetHiddenFields with sqpoll/],
  ["SQPOLL on emulated", { sqpoll: true, engine: "emulated" }, /sqpoll with the emulated engine/],
  [
    "a writable grant that nothing can write",
    { policy: "file-read", files: { output: { path: target, access: "write" } } },
    /grant "output" for writing with policy "file-read"/,
  ],
];

for (const [name, options, expected] of BAD) {
  test(name, async () => {
    const descriptors = readdirSync("/proc/self/fd").length;
    const files = { output: { path: target, access: "write" } };
    let refusal: unknown;
    await createGuest(HELLO, { files, ...options } as GuestOptions).catch((error) => {
      refusal = error;
    });
    assert.instance(refusal, WasmUringError);
    assert.match(String(refusal), expected);
    assert.not(existsSync(target), "a file was left behind");
    assert.is(readdirSync("/proc/self/fd").length, descriptors);
  });
}

test.run();
