/**
 * Every complete program of the documentation is taken out of it, compiled and run: what a reader copies works. They
 * find the package as an installed one would be found, in node_modules.
 */
import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { programsOf } from "./blocks";

const programs = suite("docs/programs");

const CLI = resolve("dist/cli.js");
const ASC = resolve("node_modules/assemblyscript/bin/asc.js");
const TIMEOUT_MS = 60_000;
const folder = mkdtempSync(join(tmpdir(), "wasm-uring-docs-"));
const DATA = join(folder, "data.txt");

function run(
  command: string,
  ...words: string[]
): { status: number | null; output: string; errors: string } {
  const { status, stdout, stderr, error } = spawnSync(command, words, {
    cwd: folder,
    encoding: "utf8",
    timeout: TIMEOUT_MS,
  });
  return { status, output: stdout ?? "", errors: error === undefined ? stderr : error.message };
}

/** Runs and expects success. */
function succeed(command: string, ...words: string[]): string {
  const { status, output, errors } = run(command, ...words);
  assert.is(status, 0, `${command} ${words.join(" ")}: ${errors}`);
  return output;
}

function runGuest(engine: string, guest: string, ...words: string[]): string {
  return succeed(
    process.execPath,
    CLI,
    "run",
    "--engine",
    engine,
    "--file",
    "input=data.txt",
    guest,
    ...words,
  );
}

function extract(page: string): string[] {
  const found = programsOf(resolve(page));
  for (const [name, text] of found) writeFileSync(join(folder, name), text);
  return [...found.keys()];
}

/** Once a name: it is the slowest part. */
function compileAssemblyScript(name: string): void {
  if (existsSync(join(folder, `${name}.wasm`))) return;
  const options = ["-O3", "--runtime", "stub", "--enable", "threads"];
  succeed(process.execPath, ASC, `${name}.ts`, "-o", `${name}.wasm`, ...options);
}

programs.before(() => {
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(process.cwd(), join(folder, "node_modules", "wasm-uring"));
  writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true, type: "module" }));
  // Of no whole number of blocks, so that the last read is short.
  const lines = Array.from(
    { length: 30_011 },
    (_, index) => `${index} lines of text, more or less\n`,
  );
  writeFileSync(DATA, lines.join(""));
});

programs.after(() => rmSync(folder, { recursive: true, force: true }));

programs(
  "guests.md: every guest compiles and does what the page says, on every kind of engine",
  () => {
    assert.equal(extract("docs/guests.md"), ["first.ts", "sum.ts", "lines.ts", "woken.ts"]);
    for (const name of ["first", "sum", "lines", "woken"]) compileAssemblyScript(name);
    const data = readFileSync(DATA);
    const sum = data.reduce((total, byte) => total + byte, 0);
    const lines = data.reduce((total, byte) => total + (byte === 10 ? 1 : 0), 0);
    for (const engine of ["auto", "emulated"]) {
      assert.is(runGuest(engine, "first.wasm"), `64 bytes: ${data.subarray(0, 64)}\n`);
      assert.is(runGuest(engine, "lines.wasm"), `${lines}\n`);
      assert.is(runGuest(engine, "woken.wasm"), `${sum}\n`);
      for (const depth of ["1", "32"]) assert.is(runGuest(engine, "sum.wasm", depth), `${sum}\n`);
    }
  },
);

programs("devices.md: one guest gives the same sum on every path", () => {
  assert.equal(extract("docs/devices.md"), ["disk-sum.ts"]);
  compileAssemblyScript("disk-sum");
  const image = new Uint8Array(1 << 20).map((_, index) => (index * 7) % 251);
  writeFileSync(join(folder, "disk.img"), image);
  const sum = image.reduce((total, byte) => total + byte, 0);
  const given = [
    ["--device", "disk=disk.img,path=passthrough"],
    ["--device", "disk=disk.img,path=virtio-blk,aio=native"],
    ["--file", "disk=disk.img"],
  ];
  for (const words of given) {
    assert.is(succeed(process.execPath, CLI, "run", ...words, "disk-sum.wasm"), `${sum}\n`);
  }
});

programs("embedding.md: every program runs", () => {
  assert.equal(extract("docs/embedding.md"), [
    ...["embed.mjs", "two-steps.mjs", "hot-plug.mjs", "probe.mjs"],
  ]);
  extract("docs/guests.md");
  compileAssemblyScript("first");
  assert.match(
    succeed(process.execPath, "embed.mjs"),
    /^64 bytes: [\s\S]*kind: 'exit', exitCode: 0/,
  );
  const twoSteps = succeed(process.execPath, "two-steps.mjs");
  assert.match(twoSteps, /^exit code 0 on (mirrored|emulated), 1 submitted$/m);
  assert.match(succeed(process.execPath, "hot-plug.mjs"), /^exit 64 bytes: /);
  assert.match(succeed(process.execPath, "probe.mjs"), /^0 escapes$/m);
});

programs("abi.md: the guest in C compiles and counts right", () => {
  assert.equal(extract("docs/abi.md"), ["lines.c"]);
  const page = readFileSync("docs/abi.md", "utf8");
  const [, command = ""] = /^(clang --target=wasm32 .*lines\.c)$/m.exec(page) ?? [];
  const [compiler = "", ...words] = command.split(" ");
  writeFileSync(join(folder, "empty.c"), "void nothing(void) {}\n");
  const trial = words.map((word) => word.replace(/^lines\./, "empty."));
  const { status, errors } = run(compiler, ...trial);
  if (status !== 0)
    return console.log(`skipped: no clang for wasm32 (${errors.trim().split("\n")[0]})`);
  succeed(compiler, ...words, "-Wall", "-Wextra", "-Werror");
  const lines = readFileSync(DATA).reduce((total, byte) => total + (byte === 10 ? 1 : 0), 0);
  for (const engine of ["auto", "mirrored", "emulated"]) {
    // An engine that is not to be had here ends with code 2 and says so.
    const {
      status: code,
      output,
      errors: why,
    } = run(
      process.execPath,
      ...[CLI, "run", "--engine", engine, "--file", "input=data.txt", "lines.wasm"],
    );
    if (code === 2 && engine === "mirrored") console.log(`skipped ${engine}: ${why.trim()}`);
    else assert.is(output, `${lines}\n`, why);
  }
});

programs.run();
