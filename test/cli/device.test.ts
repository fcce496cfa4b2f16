/** Block devices on the command line: `run --device`, and `bench` by the virtqueue paths. */
import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { makeDisk } from "../datapath/paths";
import { type Running, startDaemon, whyNoDaemon } from "../datapath/vhost-user-blk/storage-daemon";

const test = suite("cli/device");

const disk = makeDisk(1 << 20);
process.on("exit", () => disk.remove());
const LOAD = "build/guests/load.wasm";
const SHORT = ["--runtime", "0.05", "--ramp-time", "0"];

function cli(...words: string[]) {
  return spawnSync(process.execPath, ["dist/cli.js", ...words], {
    encoding: "utf8",
    timeout: 60_000,
  });
}

test("run --json says which path served", () => {
  const device = `data=${disk.file},path=vhost-blk,aio=native,poll-us=10,ro`;
  const { status, stdout, stderr } = cli("run", "--json", "--device", device, LOAD, ...SHORT);
  assert.is(status, 0, stderr);
  const [report] = JSON.parse(stdout).devices;
  const { requests, kicks, interrupts, ...rest } = report;
  assert.equal(rest, {
    name: "data",
    ...{ path: "vhost-blk", aio: "native", servedBy: "device thread" },
    ...{ capacityBytes: 1 << 20, errors: 0, failure: null },
  });
  assert.ok(requests > 0 && kicks > 0 && interrupts >= 0);
});

test("run --stats has a line for each device", () => {
  const devices = ["--device", `data=${disk.file}`, "--device", "more=1m,path=vdpa-sim"];
  const { status, stderr } = cli("run", "--stats", ...devices, LOAD, ...SHORT);
  assert.is(status, 0, stderr);
  assert.match(
    stderr,
    /^device +data: virtio-blk, io_uring, served by the guest thread; \d+ requests; \d+ kicks/m,
  );
  assert.match(stderr, /^device +more: vdpa-sim, ram, served by the device thread; 0 requests/m);
});

test("one name is one device", () => {
  const { status, stderr } = cli("run", "--device", "a=1m,path=vdpa-sim", "--device", "a=b", LOAD);
  assert.is(status, 2);
  assert.match(stderr, /there is a device "a" already/);
});

const BENCHES: readonly (readonly [path: string, words: readonly string[], served: string])[] = [
  ["virtio-blk", [], "guest thread"],
  ["virtio-blk", ["--aio", "native", "--direct"], "guest thread"],
  ["virtio-blk", ["--aio", "threads", "--iothread", "--rw", "randwrite"], "device thread"],
  ["vhost-blk", ["--aio", "io_uring", "--poll-us", "20", "--rw", "write"], "device thread"],
  ["vdpa-sim", ["--poll-us", "0", "--rw", "read"], "device thread"],
];

function aioOf(path: string, words: readonly string[]): string | undefined {
  if (path === "vdpa-sim") return "ram";
  const at = words.indexOf("--aio");
  return at < 0 ? "io_uring" : words[at + 1];
}

for (const [path, words, served] of BENCHES) {
  test(`bench --path ${path} ${words.join(" ")}`, () => {
    const load = ["--file", disk.file, "--iodepth", "4", ...SHORT, "--json"];
    const { status, stdout, stderr } = cli("bench", "--path", path, ...words, ...load);
    if (words.includes("--direct") && /no O_DIRECT/.test(stderr)) {
      console.log(`skipped: ${stderr.trim()}`);
      return;
    }
    assert.is(status, 0, stderr);
    const result = JSON.parse(stdout);
    assert.is(result.path, path);
    assert.is(result.servedBy, served);
    assert.is(result.aio, aioOf(path, words));
    assert.ok(result.ios > 0 && result.kicks > 0);
    assert.is(result.errors, 0);
    assert.is(result.engine, null, "no ring stood in");
  });
}

const REFUSED: readonly (readonly [words: readonly string[], sentence: RegExp])[] = [
  [["--path", "passthrough", "--aio", "native"], /--aio with --path passthrough: it is for/],
  [["--path", "vhost-blk", "--iothread"], /--iothread with --path vhost-blk: it is for virtio-blk/],
  [["--path", "virtio-blk", "--poll-us", "5"], /--poll-us with --path virtio-blk/],
  [["--path", "vhost-blk", "--poll-us", "5ms"], /--poll-us "5ms"/],
  [["--path", "virtio-blk", "--aio", "uring"], /--aio "uring": there is no such value/],
  [["--path", "vdpa-sim", "--direct"], /--direct with --path vdpa-sim: its disk is memory/],
  [["--path", "virtio-blk", "--sqpoll"], /--sqpoll with --path virtio-blk/],
  [["--path", "virtio-blk", "--engine", "mapped"], /--engine with --path virtio-blk/],
  [["--path", "vhost-user-blk"], /--file with --path vhost-user-blk: it takes --socket/],
  [["--path", "virtio-blk", "--socket", "s"], /--socket with --path virtio-blk: it takes --file/],
];

for (const [words, sentence] of REFUSED) {
  test(`refused: bench ${words.join(" ")}`, () => {
    const { status, stdout, stderr } = cli("bench", "--file", disk.file, ...words);
    assert.is(status, 2, stdout);
    assert.match(stderr, sentence);
  });
}

test("bench --path vhost-user-blk", async () => {
  const socket = join(disk.folder, "s");
  const nobody = cli("bench", "--path", "vhost-user-blk", "--socket", socket);
  assert.is(nobody.status, 2);
  assert.match(nobody.stderr, /vhost-user-blk|socket/);
  const absent = whyNoDaemon();
  if (absent !== "") {
    console.log(`skipped: ${absent}`);
    return;
  }
  let daemon: Running | null = null;
  try {
    daemon = await startDaemon({ blockdev: `driver=file,filename=${disk.file}`, socket });
    const words = ["--path", "vhost-user-blk", "--socket", socket, ...SHORT, "--json"];
    const { status, stdout, stderr } = cli("bench", ...words);
    assert.is(status, 0, stderr);
    const result = JSON.parse(stdout);
    assert.is(result.servedBy, "daemon");
    assert.is(result.fileBytes, 1 << 20);
    assert.ok(result.ios > 0);
  } finally {
    await daemon?.kill();
    rmSync(socket, { force: true });
  }
});

test.run();
