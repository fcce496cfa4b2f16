/**
 * A guest's own driver against qemu-storage-daemon, from end to end: random scripts compared with a model, by any
 * features; a daemon that is killed under a busy guest, a guest that is ended under a busy daemon, and a wrong socket.
 */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type GuestOptions, runGuest } from "wasm-uring";
import { endOf, guestPath, textOf } from "../../guest/guests";
import { leakedSince, takeResources } from "../../hostile/resources";
import { DiskModel, parseTraits, SECTOR } from "../disk-model";
import { checkAnswers, ScriptWriter, type Step, stepsOn } from "../script";
import {
  makeFolder,
  qemuImage,
  type Running,
  sayAbsent,
  startDaemon,
  whyNoDaemon,
} from "./storage-daemon";

const guest = suite("datapath/vhost-user-blk/guest");
const absent = whyNoDaemon();
if (absent !== "") sayAbsent(absent);

const CAPACITY = 512 * SECTOR;
const SCRIPT_GUEST = guestPath("disk-script");
/** Features of virtio that one run does without: event index, indirect descriptors, both. */
const WITHOUT = ["0", "29", "28", "28,29"];
const LATE_MS_MAX = 3000;

interface Place {
  raw: string;
  socket: string;
  folder: string;
  daemon: Running;
}

async function withDaemon(body: (place: Place) => Promise<void>): Promise<void> {
  const folder = makeFolder();
  const raw = join(folder, "raw");
  const socket = join(folder, "s");
  writeFileSync(raw, Buffer.alloc(CAPACITY));
  const daemon = await startDaemon({ blockdev: `driver=file,filename=${raw}`, socket });
  try {
    await body({ raw, socket, folder, daemon });
  } finally {
    await daemon.kill();
    rmSync(folder, { recursive: true, force: true });
  }
}

function test(name: string, body: (place: Place) => Promise<void>): void {
  if (absent === "") guest(name, () => withDaemon(body));
}

function optionsOf(socket: string, script: string, words: readonly string[] = []): GuestOptions {
  return {
    devices: { disk: { path: "vhost-user-blk", socket } },
    args: ["disk-script", "--depth", "8", "--buffer", "16384", ...words],
    stdin: script,
    stdout: "capture",
    stderr: "capture",
  };
}

/** Runs a script and compares every answer, and the whole disk at the end; leaves the model as the disk is. */
async function play(
  socket: string,
  steps: Step[],
  bytes: Uint8Array,
  without: string,
): Promise<void> {
  const first = await runGuest(SCRIPT_GUEST, optionsOf(socket, ""));
  const model = new DiskModel(parseTraits(textOf(first.stdout).trim()), bytes);
  const writer = new ScriptWriter(model);
  for (const step of steps) writer.step(step);
  writer.readAll(16384);
  const words = ["--without", without];
  const result = await runGuest(SCRIPT_GUEST, optionsOf(socket, writer.text, words));
  assert.is(endOf(result), "exit 0", textOf(result.stderr));
  checkAnswers(textOf(result.stdout).trim().split("\n").slice(1), writer.expected);
}

test("random scripts agree with the model, whatever features are agreed on", async ({
  raw,
  socket,
}) => {
  let run = 0;
  await fc.assert(
    fc.asyncProperty(stepsOn(CAPACITY), async (steps) => {
      const without = WITHOUT[run++ % WITHOUT.length] ?? "";
      await play(socket, steps, new Uint8Array(readFileSync(raw)), without);
    }),
    { numRuns: 12, endOnFailure: true, includeErrorInReport: true },
  );
});

test("the same on a qcow2 image, which then holds what the model holds", async ({ folder }) => {
  const image = join(folder, "image");
  qemuImage("create", "-q", "-f", "qcow2", image, `${CAPACITY}`);
  const socket = join(folder, "q");
  const more = ["--blockdev", `driver=file,filename=${image},node-name=file`];
  const daemon = await startDaemon({ blockdev: "driver=qcow2,file=file", socket, more });
  try {
    const writes = fc.sample(stepsOn(CAPACITY), { numRuns: 1, seed: 7 })[0] ?? [];
    // What was discarded nobody knows, and what was not flushed is lost when a daemon is killed: this one keeps an
    // image's tables in its own memory.
    const steps = writes.filter(({ kind }) => kind !== "discard");
    steps.push({ kind: "waitForAll" }, { kind: "flush" });
    const model = new Uint8Array(CAPACITY);
    await play(socket, steps, model, "0");
    await daemon.kill();
    const converted = join(folder, "converted");
    qemuImage("convert", "-f", "qcow2", "-O", "raw", image, converted);
    assert.is(Buffer.compare(readFileSync(converted), model), 0);
  } finally {
    await daemon.kill();
  }
});

/** More reads than can be done in the time of a test. */
const endless = (): string => "r 0 4096\n".repeat(400_000);

test("killed under a busy guest: it is told EIO, its owner why, and nothing stays", async (place) => {
  const before = takeResources();
  const running = runGuest(SCRIPT_GUEST, optionsOf(place.socket, endless()));
  await new Promise((resolve) => setTimeout(resolve, 700));
  await place.daemon.kill();
  const began = performance.now();
  const result = await running;
  assert.ok(performance.now() - began < LATE_MS_MAX, "in time");
  assert.is(endOf(result), "exit 3");
  assert.match(textOf(result.stderr), /submitAndWait: EIO/);
  assert.match(result.devices[0]?.failure ?? "", /it closed the connection while it served/);
  assert.equal(await leakedSince(before), []);
});

test("ended under a busy daemon: in time, nothing stays, and the daemon serves the next", async ({
  socket,
}) => {
  const before = takeResources();
  const result = await runGuest(SCRIPT_GUEST, { ...optionsOf(socket, endless()), deadlineMs: 700 });
  assert.is(endOf(result), "deadline");
  assert.ok(result.elapsedMs < 700 + LATE_MS_MAX);
  assert.equal(await leakedSince(before), []);
  const next = await runGuest(SCRIPT_GUEST, optionsOf(socket, "w 0 512 5\nf\na\nr 0 512\n"));
  assert.is(endOf(next), "exit 0");
  assert.is(next.devices[0]?.servedBy, "daemon");
});

test("two guests of one daemon: the second is told that it has one", async ({ socket }) => {
  const first = runGuest(SCRIPT_GUEST, { ...optionsOf(socket, endless()), deadlineMs: 4500 });
  await new Promise((resolve) => setTimeout(resolve, 700));
  const second = await runGuest(SCRIPT_GUEST, optionsOf(socket, ""));
  assert.match(
    endOf(second),
    /^host-failure ERR_DEVICE: .* it serves one guest at a time and has one/,
  );
  assert.is(endOf(await first), "deadline");
});

guest("a wrong socket is an error before the guest starts", async () => {
  const result = await runGuest(SCRIPT_GUEST, optionsOf("/nowhere/socket", ""));
  assert.match(
    endOf(result),
    /^host-failure ERR_DEVICE: device "\w+" by vhost-user-blk: .*there is no such socket/,
  );
  assert.is(textOf(result.stdout), "");
});

guest.run();
