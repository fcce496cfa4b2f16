/**
 * The example `kv`, a key-value store in C: what it answered with "ok" is found again, whatever happened to it in between:
 * it was killed, or the log's end was torn.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import { type GuestResult, runGuest } from "wasm-uring";
import { enginesHere } from "../engines";
import { temporaryFolder } from "./example";

const test = suite("examples/kv");
const GUEST = "build/guests/kv.wasm";
const log = join(temporaryFolder(), "store.log");
const RECORD_OVERHEAD_BYTES = 12;

type Engine = "mapped" | "mirrored" | "emulated";

async function kv(commands: string, engine: Engine | "auto" = "auto"): Promise<string[]> {
  const result: GuestResult = await runGuest(GUEST, {
    files: { log: { path: log, access: "read-write" } },
    engine,
    stdin: commands,
    stdout: "capture",
    stderr: "capture",
    deadlineMs: 60_000,
  });
  const errors = new TextDecoder().decode(result.stderr);
  assert.deepEqual(result.outcome, { kind: "exit", exitCode: 0 }, errors);
  return new TextDecoder().decode(result.stdout).trimEnd().split("\n");
}

test.before.each(() => rmSync(log, { force: true }));

test("puts, gets, deletes and finds everything again, on every engine", async () => {
  for (const { engine, sqpoll } of await enginesHere()) {
    if (sqpoll) continue;
    rmSync(log, { force: true });
    const first = "put a 1\nput b two words\nget b\ndel a\nget a\nput empty\nget empty\n";
    const answers = ["ok", "ok", "two words", "ok", "none", "ok", ""];
    const printed = await kv(`${first}count\n`, engine);
    assert.deepEqual(printed.slice(0, -1), answers, engine);
    assert.deepEqual(await kv("get a\nget b\n", engine), ["none", "two words"], engine);
  }
});

test("a log of many blocks is read back whole, the newest value of each key", async () => {
  const puts = Array.from(
    { length: 30_000 },
    (_, n) => `put key${n % 20_000} value ${n} ${"x".repeat(n % 90)}`,
  );
  const answers = await kv(`${puts.join("\n")}\ncount\n`);
  assert.match(answers.at(-1) ?? "", /^20000 keys, /);
  const [old, fresh, count] = await kv("get key19999\nget key5\ncount\n");
  assert.equal(old, `value 19999 ${"x".repeat(19999 % 90)}`);
  assert.equal(fresh, `value 20005 ${"x".repeat(20005 % 90)}`);
  assert.match(count ?? "", /^20000 keys, /);
});

test("values as long as they may be cross blocks and batches", async () => {
  const long = "v".repeat(64 << 10);
  const puts = Array.from({ length: 12 }, (_, n) => `put k${n} ${long}`).join("\n");
  assert.equal((await kv(`${puts}\n`)).length, 12);
  const [value, tooLong] = await kv(`get k7\nput k ${long}v\n`);
  assert.equal(value, long);
  assert.match(tooLong ?? "", /too long/);
});

test("a torn tail is cut off, at every byte of the last record, and the store goes on", async () => {
  await kv("put first 1\nput last 12345\n");
  const whole = readFileSync(log);
  const lastBytes = RECORD_OVERHEAD_BYTES + "last".length + "12345".length;
  for (const cut of [1, 5, 9, lastBytes - 1]) {
    writeFileSync(log, whole);
    truncateSync(log, whole.length - cut);
    assert.deepEqual(await kv("get last\nget first\nput last again\n"), ["none", "1", "ok"]);
    assert.deepEqual(await kv("get last\n"), ["again"]);
  }
});

test("a record with a flipped bit and all behind it is not believed", async () => {
  await kv("put a 1\nput b 2\nput c 3\n");
  const bytes = readFileSync(log);
  const at = bytes.length / 3 + RECORD_OVERHEAD_BYTES;
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  writeFileSync(log, bytes);
  assert.deepEqual(await kv("get a\nget b\nget c\n"), ["1", "none", "none"]);
});

/** Feeds changes without end and kills the process after some answers; how many were answered. */
function killAfter(answers: number): Promise<number> {
  const child = spawn(process.execPath, ["dist/cli.js", "run", "--file", `log=${log}:rw`, GUEST], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  return new Promise((resolve, reject) => {
    let answered = 0;
    let sent = 0;
    const feed = () => {
      const lines = Array.from({ length: 50 }, () => `put key${sent} ${sent++}`).join("\n");
      child.stdin.write(`${lines}\nsync\n`);
    };
    child.stdin.on("error", () => {});
    child.stdout.on("data", (chunk: Buffer) => {
      answered += chunk.toString().split("ok\n").length - 1;
      if (answered >= answers) child.kill("SIGKILL");
      else feed();
    });
    child.once("error", reject);
    child.once("exit", () => resolve(answered));
    feed();
  });
}

test("killed at any moment, everything that was answered is there", async () => {
  for (const answers of [1, 120, 400]) {
    rmSync(log, { force: true });
    const answered = await killAfter(answers);
    assert.ok(answered >= answers);
    const gets = Array.from({ length: answered }, (_, n) => `get key${n}`).join("\n");
    const expected = Array.from({ length: answered }, (_, n) => String(n));
    assert.deepEqual(await kv(`${gets}\n`), expected);
  }
});

if (existsSync(GUEST)) test.run();
else console.log("skipped: guests in C are not built here (apt install clang lld wasi-libc)");
