/**
 * No path stands in for another: where io_uring is denied, as in a container, a device that asks for it is refused with a
 * sentence that names it, and the others go on serving. And what is asked of a polling thread is what it does: no kick
 * while it is awake, sleep when nothing comes.
 */
import { spawnSync } from "node:child_process";
import { closeSync, openSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type DeviceRequest, type GuestResult, runGuest } from "wasm-uring";
import { Errno } from "../../host/abi";
import { endOf, guestPath, textOf } from "../guest/guests";
import { makeDisk } from "./paths";

const test = suite("datapath/no-fallback");

const CAPACITY = 1 << 20;
const GUEST = guestPath("disk-ends");
const disk = makeDisk(CAPACITY);
process.on("exit", () => disk.remove());

/** What the denying program answers when it may not install its filter. */
const NO_FILTER = 3;

function run(program: string, words: readonly string[]) {
  return spawnSync(program, words, { encoding: "utf8", timeout: 60_000 });
}

/** The program that denies io_uring to what it runs, or why there is none. */
function buildDenier(): { program: string } | { missing: string } {
  const program = join(disk.folder, "deny-io-uring");
  const built = run("cc", ["-O1", "-o", program, resolve("test/fixtures/deny-io-uring.c")]);
  if (built.status !== 0) return { missing: `cc: ${built.stderr ?? built.error?.message}` };
  const tried = run(program, ["EPERM", "true"]);
  if (tried.status === NO_FILTER) return { missing: tried.stderr.trim() };
  assert.is(tried.status, 0, tried.stderr);
  return { program };
}

const denier = buildDenier();
if ("missing" in denier) console.log(`skipped: io_uring cannot be denied here: ${denier.missing}`);
else {
  const runDenied = (words: string) => {
    const device = `disk=${disk.file},${words}`;
    const cli = ["dist/cli.js", "run", "--json", "--device", device, GUEST, "flushed"];
    return run(denier.program, ["EPERM", process.execPath, ...cli]);
  };
  for (const words of ["path=virtio-blk", "path=virtio-blk,iothread", "path=vhost-blk"]) {
    test(`${words}: io_uring is refused, the other back ends serve`, () => {
      const refused = runDenied(`${words},aio=io_uring`);
      assert.is(refused.status, 2, refused.stderr);
      const path = words.split(",")[0]?.slice("path=".length);
      assert.ok(refused.stderr.includes(`device "disk" by ${path}`), refused.stderr);
      assert.match(refused.stderr, /io_uring/);
      for (const aio of ["native", "threads"]) {
        const served = runDenied(`${words},aio=${aio}`);
        assert.is(served.status, 0, served.stderr);
        const [report] = JSON.parse(served.stdout).devices;
        assert.is(report.aio, aio);
        assert.is(report.path, path);
        assert.ok(report.requests > 0);
      }
    });
  }
}

async function play(request: DeviceRequest, ...words: string[]): Promise<GuestResult> {
  const result = await runGuest(GUEST, {
    devices: { disk: request },
    args: ["disk-ends", ...words],
    stdout: "capture",
    stderr: "capture",
    deadlineMs: 20_000,
  });
  assert.is(endOf(result), "exit 0", textOf(result.stderr));
  return result;
}

const vhost = (pollUs: number): DeviceRequest => ({ path: "vhost-blk", file: disk.file, pollUs });

test("vhost-blk: no kick while the thread is awake", async () => {
  const [awake] = (await play(vhost(1_000_000), "flushed")).devices;
  assert.ok(awake !== undefined && awake.requests !== null);
  assert.ok(awake.requests > 250, `${awake.requests} requests`);
  // The first one: the thread says that it needs no others when it has seen it.
  assert.ok(awake.kicks <= 1, `${awake.kicks} kicks`);
});

test("vhost-blk: kicks again when the thread sleeps", async () => {
  const [asleep] = (await play(vhost(0), "flushed")).devices;
  assert.ok(asleep !== undefined && asleep.kicks > 10, `${asleep?.kicks} kicks`);
});

test("vhost-blk: the thread sleeps when nothing comes for pollUs", async () => {
  const idleMs = 400;
  const sleeping = await play(vhost(100), "idle", String(idleMs));
  const polling = await play(vhost(1_000_000), "idle", String(idleMs));
  // The one spun all the time that the other slept; both started in the same way.
  const apartMs = (polling.cpuUs - sleeping.cpuUs) / 1000;
  assert.ok(apartMs > idleMs / 4, `${apartMs} ms of CPU time apart`);
});

test("virtio-blk: a wait with nothing in flight ends when its time is over", async () => {
  const request: DeviceRequest = { path: "virtio-blk", file: disk.file };
  const began = performance.now();
  const result = await play(request, "idle", "200");
  assert.match(textOf(result.stdout), `waited ${-Errno.ETIME}`);
  assert.ok(performance.now() - began >= 200);
});

test("several devices, each by its own path", async () => {
  const other = join(disk.folder, "other");
  closeSync(openSync(other, "w"));
  writeFileSync(other, Buffer.alloc(CAPACITY));
  const others: DeviceRequest[] = [
    { path: "virtio-blk", file: other, aio: "threads" },
    { path: "virtio-blk", file: other, aio: "native", iothread: true },
    { path: "vhost-blk", file: other },
    { path: "vdpa-sim", capacityBytes: CAPACITY },
  ];
  for (const second of others) {
    const result = await runGuest(GUEST, {
      devices: { other: second, disk: { path: "virtio-blk", file: disk.file, readOnly: true } },
      args: ["disk-ends", "twice"],
      stderr: "capture",
    });
    assert.is(endOf(result), "exit 0", textOf(result.stderr));
    assert.equal(
      result.devices.map(({ name, path, requests }) => `${name} ${path} ${requests}`),
      [`other ${second.path} 5`, "disk virtio-blk 4"],
    );
  }
});

test.run();
