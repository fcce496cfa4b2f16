/**
 * `wasm-uring bench` from outside: each path and engine for a fifth of a second, the shape of the
 * JSON, and bad input. No figure is judged here: a test has no business with speed.
 */
import { closeSync, constants, openSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { runCli, temporaryFolder } from "./command";

const FILE_BYTES = 1 << 20;

const bench = suite("cli/bench");
const folder = temporaryFolder();
const file = join(folder, "data");

function run(words: readonly string[], env: Record<string, string> = {}) {
  const target = words.includes("--file") ? [] : ["--file", file];
  const all = ["bench", ...target, "--runtime", "0.2", "--ramp-time", "0", ...words];
  return runCli(all, { env });
}

async function measure(...words: string[]) {
  const { exitCode, stdout, stderr } = await run(["--json", ...words]);
  assert.is(exitCode, 0, stderr);
  assert.is(stderr, "", "nothing on stderr of a pipe");
  assert.is(stdout.trim().split("\n").length, 1, "one line");
  const result = JSON.parse(stdout);
  for (const name of ["iops", "bytesPerSecond", "ios", "bytes", "cpuUsPerIo"]) {
    assert.ok(result[name] > 0, `${name} is ${result[name]}`);
  }
  const { p50, p90, p99, p999, max } = result.latencyUs;
  assert.ok(
    0 < p50 && p50 <= p90 && p90 <= p99 && p99 <= p999 && p999 <= max,
    JSON.stringify(result.latencyUs),
  );
  assert.ok(result.elapsedMs >= 190, `${result.elapsedMs} ms`);
  assert.is(result.errors, 0);
  assert.is(result.bytes, result.ios * result.bs);
  return result;
}

/** Why a path cannot run here; empty when it can. */
async function whyNot(...words: string[]): Promise<string> {
  const { exitCode, stderr } = await run(words);
  return exitCode === 0 ? "" : stderr.trim();
}

bench.before(() => writeFileSync(file, Buffer.alloc(FILE_BYTES, "wasm-uring")));

bench("passthrough tells all that a figure needs", async () => {
  const result = await measure("--iodepth", "8");
  assert.is(result.path, "passthrough");
  assert.ok(["mapped", "mirrored", "emulated"].includes(result.engine), result.engine);
  assert.is(result.rw, "randread");
  assert.is(result.bs, 4096);
  assert.is(result.iodepth, 8);
  assert.is(result.fileBytes, FILE_BYTES);
  assert.is(result.direct, false);
  assert.ok(result.enterCalls > 0);
  assert.ok(result.enterCallsPerIo > 0 && result.enterCallsPerIo < 1.1);
  assert.ok(result.kernel.length > 0);
  assert.is(result.node, process.version);
});

for (const engine of ["mapped", "mirrored", "emulated"]) {
  bench(`the ${engine} engine, by name`, async () => {
    const reason = await whyNot("--engine", engine);
    if (reason !== "" && engine !== "emulated") {
      console.log(`SKIPPED: ${engine}: ${reason}`);
      return;
    }
    const result = await measure("--engine", engine, "--iodepth", "4");
    assert.is(result.engine, engine);
  });
}

bench("SQPOLL needs next to no enter calls", async () => {
  const reason = await whyNot("--sqpoll");
  if (reason !== "") {
    console.log(`SKIPPED: SQPOLL: ${reason}`);
    return;
  }
  const result = await measure("--sqpoll=40", "--iodepth", "16");
  assert.is(result.sqpollIdleMs, 40);
  assert.ok(result.setupFlags.includes("SQPOLL"));
  assert.ok(result.enterCalls < result.ios, `${result.enterCalls} calls, ${result.ios} operations`);
});

for (const path of ["fs-sync", "fs-promises", "node-wasi"]) {
  bench(`what one would use instead: ${path}`, async () => {
    const result = await measure("--path", path, "--iodepth", "4");
    assert.is(result.path, path);
    assert.is(result.engine, null);
    assert.is(result.enterCalls, 0);
    assert.is(result.inFlight, path === "fs-promises" ? 4 : 1);
  });
}

bench("the native twin, in both modes", async () => {
  const reason = await whyNot("--path", "native");
  if (reason !== "") {
    console.log(`SKIPPED: native: ${reason}`);
    return;
  }
  assert.is((await measure("--path", "native", "--iodepth", "4")).inFlight, 4);
  const polled = await measure("--path", "native", "--sqpoll");
  assert.ok(polled.setupFlags.includes("SQPOLL"));
});

bench("writes, in order and anywhere, by every path that writes", async () => {
  for (const path of ["passthrough", "fs-sync", "fs-promises", "node-wasi"]) {
    for (const rw of ["write", "randwrite"]) {
      writeFileSync(file, Buffer.alloc(FILE_BYTES));
      assert.is((await measure("--path", path, "--rw", rw, "--bs", "64k")).rw, rw);
      const content = readFileSync(file);
      assert.is(content.length, FILE_BYTES, `${path} ${rw} changed the file's size`);
      assert.ok(
        content.some((byte) => byte !== 0),
        `${path} ${rw} wrote nothing`,
      );
    }
  }
});

bench("reads leave the file as it was", async () => {
  const before = Buffer.alloc(FILE_BYTES, "untouched ");
  writeFileSync(file, before);
  await measure("--rw", "read", "--bs", "512", "--iodepth", "64");
  assert.equal(readFileSync(file), before);
});

bench("O_DIRECT", async () => {
  try {
    closeSync(openSync(file, constants.O_RDONLY | constants.O_DIRECT));
  } catch (cause) {
    console.log(`SKIPPED: O_DIRECT on ${folder}: ${cause}`);
    return;
  }
  for (const path of ["passthrough", "fs-sync", "fs-promises", "node-wasi"]) {
    assert.is((await measure("--direct", "--path", path, "--iodepth", "2")).direct, true);
  }
});

bench("a table for people", async () => {
  const { exitCode, stdout, stderr } = await run([]);
  assert.is(exitCode, 0, stderr);
  assert.match(stdout, /^passthrough \(\w+\): randread, 4 KiB, depth 1, page cache\n/);
  for (const row of ["operations", "throughput", "latency", "CPU", "enter calls"])
    assert.match(stdout, row);
});

const BAD_INPUT: readonly (readonly [words: string[], expected: RegExp])[] = [
  [["--bs", "4x"], /--bs "4x"/],
  [["--bs", "0"], /--bs "0"/],
  [["--iodepth", "0"], /--iodepth "0"/],
  [["--iodepth", "32769"], /--iodepth "32769"/],
  [["--iodepth", "32768", "--bs", "1m"], /buffers would take/],
  [["--rw", "trim"], /--rw "trim"/],
  [["--runtime", "0"], /--runtime "0"/],
  [["--runtime", "1e3"], /--runtime "1e3"/],
  [["--ramp-time", "x"], /--ramp-time "x"/],
  [["--path", "spdk"], /--path "spdk"/],
  [["--engine", "warp"], /--engine "warp"/],
  [["--sqpoll=0"], /--sqpoll "0"/],
  [["--sqpoll", "--path", "fs-sync"], /no ring/],
  [["--sqpoll", "--engine", "emulated"], /sqpoll/i],
  [["--engine", "mapped", "--path", "native"], /only passthrough has engines/],
  [["--direct", "--bs", "1000"], /multiple of 512/],
  [["--bs", "2m"], /less than one block/],
  [["--file", "/nonexistent/file"], /there is no such file/],
  [["--file", tmpdir()], /directory/],
  [["--file", tmpdir(), "--rw", "write"], /directory/],
  [["--file", "/dev/null"], /neither a regular file nor a block device/],
  [["extra"], /too many arguments/],
];

for (const [words, expected] of BAD_INPUT) {
  bench(`bad input: ${words.join(" ")}`, async () => {
    const { exitCode, stdout, stderr } = await run(words);
    assert.is(exitCode, 2, stderr);
    assert.is(stdout, "");
    assert.match(stderr, expected);
    assert.is(stderr.trim().split("\n").length, 1, "one sentence");
  });
}

bench("no compiler is said clearly", async () => {
  const env = { CC: "no-such-compiler", TMPDIR: folder };
  const { exitCode, stderr } = await run(["--path", "native"], env);
  assert.is(exitCode, 2);
  assert.match(
    stderr,
    process.platform === "linux" ? /no C compiler "no-such-compiler"/ : /needs Linux/,
  );
});

bench("without a file, nothing is overwritten", async () => {
  const { exitCode, stderr } = await runCli(["bench", "--rw", "write"]);
  assert.is(exitCode, 2);
  assert.match(stderr, /without --file/);
});

bench.run();
