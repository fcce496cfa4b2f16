/**
 * The power is cut: a guest writes and flushes, says how far it is flushed, and its whole process is killed at some
 * moment. Whatever it said is in the file afterwards, on every path, whoever served it. The page cache outlives a
 * process, though not the power: so a guest that flushed everything is also seen to have left nothing there alone.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { dirtyPages, whyNoDirtyPages } from "./dirty-pages";
import { makeDisk, SERVED_PATHS } from "./paths";
import { startDaemon, whyNoDaemon } from "./vhost-user-blk/storage-daemon";

const test = suite("datapath/power-cut");

const CAPACITY = 16 << 20;
const BLOCK = 4096;
/** How long the guest may write before the cut, from its first flush on. */
const CUTS_MS = [0, 7, 30];
const PATIENCE_MS = 20_000;

const PROGRAM = `
import { runGuest } from "wasm-uring";
const device = JSON.parse(process.argv[1]);
const result = await runGuest("build/guests/disk-ends.wasm", {
  devices: { disk: device }, args: ["disk-ends", "flushed"],
});
if (result.outcome.kind !== "exit") console.error(result.outcome);
`;

interface Said {
  text: string;
}

function start(request: object): { child: ChildProcess; said: Said; ended: Promise<void> } {
  const child = spawn(
    process.execPath,
    ["--input-type=module", "-e", PROGRAM, JSON.stringify(request)],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  const said = { text: "" };
  child.stdout?.on("data", (bytes) => {
    said.text += bytes;
  });
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  return { child, said, ended };
}

/** Blocks that the guest said are flushed. */
function flushedBlocks({ text }: Said): number {
  return Number([...text.matchAll(/^flushed (\d+)$/gm)].at(-1)?.[1] ?? 0);
}

/** Cuts the power some time after the first flush; what was flushed by then. */
async function cut(request: object, afterMs: number): Promise<number> {
  const { child, said, ended } = start(request);
  const patience = setTimeout(() => child.kill("SIGKILL"), PATIENCE_MS);
  while (flushedBlocks(said) === 0 && child.exitCode === null && !child.killed) await sleep(1);
  await sleep(afterMs);
  child.kill("SIGKILL");
  await ended;
  clearTimeout(patience);
  return flushedBlocks(said);
}

const blind = whyNoDirtyPages();
if (blind !== "") console.log(`not checked whether flushed data is on the disk: ${blind}`);

/** Pages of the file that are not on the disk. */
function unstablePages(file: string): number {
  const fd = openSync(file, "r");
  try {
    return dirtyPages(fd, CAPACITY);
  } finally {
    closeSync(fd);
  }
}

/** Lets the guest write and flush its whole disk. Only then are pages told apart: a page may be a part of a larger one. */
async function checkWholeDisk(name: string, request: object, file: string): Promise<void> {
  const { child, said, ended } = start(request);
  const patience = setTimeout(() => child.kill("SIGKILL"), PATIENCE_MS);
  await ended;
  clearTimeout(patience);
  assert.is(flushedBlocks(said), CAPACITY / BLOCK, `${name}: the whole disk was flushed`);
  if (blind === "") assert.is(unstablePages(file), 0, `${name}: pages that are not on the disk`);
  assert.is(wholeBlocks(file), CAPACITY / BLOCK);
}

/** The first block that does not hold its number. */
function wholeBlocks(file: string): number {
  const content = readFileSync(file);
  const words = new Uint32Array(content.buffer, content.byteOffset, content.length / 4);
  const perBlock = BLOCK / 4;
  const wrong = words.findIndex((word, index) => word !== Math.floor(index / perBlock) + 1);
  return Math.floor((wrong < 0 ? words.length : wrong) / perBlock);
}

async function checkCuts(name: string, request: (file: string) => object): Promise<void> {
  for (const afterMs of CUTS_MS) {
    const disk = makeDisk(CAPACITY);
    try {
      const flushed = await cut(request(disk.file), afterMs);
      assert.ok(flushed > 0, `${name}: nothing was flushed`);
      const whole = wholeBlocks(disk.file);
      assert.ok(whole >= flushed, `${name}: ${flushed} blocks were flushed, ${whole} are there`);
    } finally {
      disk.remove();
    }
  }
  const disk = makeDisk(CAPACITY);
  try {
    await checkWholeDisk(name, request(disk.file), disk.file);
  } finally {
    disk.remove();
  }
}

test("passthrough", () => checkCuts("passthrough", (file) => ({ path: "passthrough", file })));

for (const path of SERVED_PATHS.filter(({ usesFile }) => usesFile)) {
  test(path.name, () => checkCuts(path.name, path.request));
}

const absent = whyNoDaemon();
if (absent !== "") console.log(`skipped: vhost-user-blk: ${absent}`);
else {
  test("vhost-user-blk, the daemon killed as well", async () => {
    for (const afterMs of CUTS_MS) {
      const disk = makeDisk(CAPACITY);
      const socket = join(disk.folder, "s");
      const blockdev = `driver=file,filename=${disk.file}`;
      const daemon = await startDaemon({ blockdev, socket });
      try {
        if (afterMs === 0) {
          const request = { path: "vhost-user-blk", socket };
          await checkWholeDisk("vhost-user-blk", request, disk.file);
          continue;
        }
        const flushed = await cut({ path: "vhost-user-blk", socket }, afterMs);
        await daemon.kill();
        assert.ok(flushed > 0, "nothing was flushed");
        assert.ok(wholeBlocks(disk.file) >= flushed);
      } finally {
        await daemon.kill();
        disk.remove();
      }
    }
  });
}

test.run();
