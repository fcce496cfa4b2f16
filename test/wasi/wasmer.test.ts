/**
 * @wasmer/wasi as the provider of streams, arguments, environment, clock and exit code: what a program sees is the same
 * as with ours, and what the package would do wrong does not reach it.
 */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { suite } from "uvu";
import { type GuestOptions, type GuestResult, runGuest, WasmUringError } from "wasm-uring";
import { GuestMemory } from "../../host/memory/guest-memory";
import { WasmerStdio } from "../../host/wasi/wasmer";

const test = suite("wasi/wasmer");
const PROVIDERS = ["direct", "@wasmer/wasi"] as const;
const TALKS = "build/guests/talks.wasm";
const ENDS = "build/guests/ends.wasm";
const KV = "build/guests/kv.wasm";

function run(source: string, options: GuestOptions): Promise<GuestResult> {
  return runGuest(source, { stdout: "capture", stderr: "capture", deadlineMs: 30_000, ...options });
}

function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

test("arguments, environment, streams and exit codes are the same by both", async () => {
  const runs: readonly [string, GuestOptions][] = [
    [TALKS, { args: ["talks", "one", "two words", ""], env: { KEY: "value" }, stdin: "input" }],
    [ENDS, { args: ["ends", "exit", "7"] }],
    [ENDS, { args: ["ends", "exit", "0"] }],
  ];
  for (const [guest, options] of runs) {
    const [ours, theirs] = await Promise.all(
      PROVIDERS.map((stdioProvider) => run(guest, { ...options, stdioProvider })),
    );
    assert.ok(ours !== undefined && theirs !== undefined);
    assert.deepEqual(theirs.outcome, ours.outcome, guest);
    assert.equal(text(theirs.stdout), text(ours.stdout), guest);
    assert.equal(text(theirs.stderr), text(ours.stderr), guest);
  }
});

test("a trap is a trap, and what was written before it is there", async () => {
  const result = await run(ENDS, { args: ["ends", "trap"], stdioProvider: "@wasmer/wasi" });
  assert.equal(result.outcome.kind, "trap");
  assert.equal(result.exitCode, 134);
});

test("the limit of captured output holds", async () => {
  for (const stdioProvider of PROVIDERS) {
    const options = { args: ["talks", "one"], outputLimitBytes: 3, stdioProvider };
    const result = await run(TALKS, options);
    assert.ok(result.stdout.length <= 3, `${stdioProvider}: ${result.stdout.length} bytes`);
    assert.ok(result.stderr.length <= 3, `${stdioProvider}: ${result.stderr.length} bytes`);
  }
});

test("a guest that spins is ended by its deadline", async () => {
  const options = { args: ["ends", "spin"], deadlineMs: 200 };
  const result = await run(ENDS, { ...options, stdioProvider: "@wasmer/wasi" });
  assert.equal(result.outcome.kind, "deadline");
});

test("a program in C with its own ring prints and reads by the package", async () => {
  if (!existsSync(KV)) return console.log("skipped: guests in C are not built here");
  const result = await run(KV, { stdioProvider: "@wasmer/wasi", stdin: "get a\n" });
  assert.deepEqual(result.outcome, { kind: "exit", exitCode: 2 });
  assert.match(text(result.stderr), /no grant named "log"/);
});

test("streams that are passed through, and imported memories, are refused", async () => {
  const refused = async (source: string, options: GuestOptions, why: RegExp) => {
    await assert.rejects(
      runGuest(source, { ...options, stdioProvider: "@wasmer/wasi" }),
      (error) => {
        assert.ok(error instanceof WasmUringError);
        assert.match(error.message, why);
        return true;
      },
    );
  };
  await refused(TALKS, { stdout: "inherit", stderr: "capture" }, /stdout is passed through/);
  await refused(TALKS, { stdin: 0, stdout: "ignore", stderr: "ignore" }, /stdin is passed through/);
  const silent = { stdout: "capture", stderr: "capture" } as const;
  await refused("build/guests/plain-shared.wasm", silent, /imports its memory/);
});

test("a number that was renumbered away is the package's no longer", () => {
  const calls: string[] = [];
  const theirs = { fd_write: () => calls.push("theirs") && 0, fd_read: () => 0 };
  class Fake {
    getImports = () => ({ wasi_snapshot_preview1: theirs });
    instantiate = (instance: WebAssembly.Instance) => instance;
    start = () => 0;
    setStdinBuffer = () => undefined;
    getStdoutBuffer = () => new Uint8Array();
    getStderrBuffer = () => new Uint8Array();
    free = () => undefined;
  }
  const guest = new GuestMemory(new WebAssembly.Memory({ initial: 1 }));
  const stdio = new WasmerStdio(
    { init: () => Promise.resolve(), WASI: Fake },
    {
      module: new WebAssembly.Module(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0)),
      memory: () => guest,
      args: [],
      env: {},
      stdin: new Uint8Array(),
      captured: { 1: true, 2: true },
      limitBytes: 100,
      capture: () => undefined,
    },
  );
  const ours = { fd_write: () => calls.push("ours") && 0, fd_renumber: () => 0, fd_close: () => 0 };
  const { fd_write: write, fd_renumber: renumber } = stdio.functions(ours);
  write?.(1, 0, 0, 0);
  renumber?.(1, 5);
  write?.(1, 0, 0, 0);
  assert.deepEqual(calls, ["theirs", "ours"]);
});

test.run();
