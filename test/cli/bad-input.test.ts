/**
 * Bad input: one clear sentence on stderr, exit code 2, nothing on stdout and nothing left behind.
 */
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { runCli, temporaryFolder } from "./command";
import { assemble } from "./modules";

const test = suite("cli/bad-input");
const folder = temporaryFolder();
const at = (name: string) => join(folder, name);
const hello = assemble(folder, "hello");
mkdirSync(at("directory"));
writeFileSync(at("text.txt"), "this is not WebAssembly\n");
writeFileSync(at("cut.wasm"), Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 99));
writeFileSync(at("empty.wasm"), "");
writeFileSync(at("bad-policy.json"), '{"opcodes": ["READV"]}');

/** What is typed, and what the sentence must name. */
const CASES: readonly (readonly [words: readonly string[], named: readonly (string | RegExp)[]])[] =
  [
    [
      ["run", at("text.txt")],
      ["text.txt", "not a WebAssembly binary"],
    ],
    [
      ["run", at("empty.wasm")],
      ["empty.wasm", "not a WebAssembly binary"],
    ],
    [
      ["run", at("cut.wasm")],
      ["cut.wasm", "does not compile"],
    ],
    [
      ["run", at("missing.wasm")],
      ["missing.wasm", "ENOENT"],
    ],
    [
      ["run", at("directory")],
      ["directory", "EISDIR"],
    ],
    [["run", assemble(folder, "unknownImport")], ["env.frobnicate"]],
    [["run", assemble(folder, "noStart")], ["_start"]],
    [
      ["run", assemble(folder, "smallMemory")],
      ["memory of at most", "too small for its ring"],
    ],
    [
      ["run", "--file", `input=${at("missing.txt")}`, hello],
      ["missing.txt", "ENOENT"],
    ],
    [["run", "--file", `input=${at("directory")}`, hello], ["directory"]],
    [["run", "--file", "input=/proc/self/mem:rw", hello], ["/proc/self/mem"]],
    [
      ["run", "--file", "input", hello],
      ['--file "input"', "NAME=PATH"],
    ],
    [["run", "--file", "=x", hello], ["no name"]],
    [["run", "--file", "input=", hello], ["no path"]],
    [["run", "--file", `a=${hello}`, "--file", `a=${hello}`, hello], ["granted before"]],
    [
      ["run", "--policy", "file-raed", hello],
      ["file-raed", "file-read"],
    ],
    [["run", "--policy", "{nonsense", hello], ["not JSON"]],
    [["run", "--policy", '{"opcodes": []}', hello], ["opcodes"]],
    [["run", "--policy", '["READV"]', hello], ["READV"]],
    [["run", "--policy", `@${at("bad-policy.json")}`, hello], ["READV"]],
    [
      ["run", "--policy", `@${at("missing.json")}`, hello],
      ["missing.json", "ENOENT"],
    ],
    ...["0", "3", "2147483648", "65536", "abc", "-1", "1e3", "64.0", "0x40", ""].map(
      (entries) =>
        [
          ["run", `--entries=${entries}`, hello],
          [`"${entries}"`, "power of two"],
        ] as const,
    ),
    ...["0", "-5", "soon", "2147483648", "1.5"].map(
      (time) =>
        [
          ["run", "--deadline", time, hello],
          [`"${time}"`, "milliseconds"],
        ] as const,
    ),
    ...["0", "x", "99999999"].map(
      (idle) =>
        [
          ["run", `--sqpoll=${idle}`, hello],
          [`"${idle}"`, "milliseconds"],
        ] as const,
    ),
    [
      ["run", "--sqpoll", "--engine", "emulated", hello],
      ["sqpoll", "emulated"],
    ],
    [
      ["run", "--engine", "fast", hello],
      ["fast", "mirrored"],
    ],
    [["run", "--env", "WASM_URING_NOT_SET", hello], ["WASM_URING_NOT_SET"]],
    [["run", "--env", "=x", hello], ["no name"]],
    [
      ["run", "--frobnicate", hello],
      ["--frobnicate", "--help"],
    ],
    [["run", "--statz", hello], ["--stats"]],
    [["run"], ["guest.wasm"]],
    [["run", "--file"], ["argument missing"]],
    [
      ["rnu", hello],
      ["rnu", "run"],
    ],
    [["probe", "extra"], ["too many arguments"]],
    [["probe", "--frobnicate"], ["--frobnicate"]],
  ];

for (const [words, named] of CASES) {
  const shown = words.map((word) => word.replace(`${folder}/`, "")).join(" ");
  test(shown, async () => {
    const before = readdirSync(folder);
    const { exitCode, stdout, stderr } = await runCli(words);
    assert.is(exitCode, 2, stderr);
    assert.is(stdout, "");
    assert.match(stderr, /^wasm-uring: [^\n]+\n$/, "not one line");
    assert.not.match(stderr, /\.(js|ts):\d+/, "a stack trace");
    for (const part of named) assert.match(stderr, part);
    assert.equal(readdirSync(folder), before, "something was left behind");
  });
}

test("a file that a writable grant would create is not there after a failure", async () => {
  const words = ["run", "--file", `output=${at("created.txt")}:rw`, "--file", `x=${at("no.txt")}`];
  const { exitCode } = await runCli([...words, hello]);
  assert.is(exitCode, 2);
  assert.not(readdirSync(folder).includes("created.txt"));
});

test("WASM_URING_DEBUG=1 shows the stack", async () => {
  const words = ["run", at("missing.wasm")];
  const { exitCode, stderr } = await runCli(words, { env: { WASM_URING_DEBUG: "1" } });
  assert.is(exitCode, 2);
  assert.ok(stderr.trim().split("\n").length > 2);
});

test("no command at all: the usage, and 2", async () => {
  const { exitCode, stdout, stderr } = await runCli([]);
  assert.is(exitCode, 2);
  assert.is(stdout, "");
  assert.match(stderr, "Usage: wasm-uring");
});

test.run();
