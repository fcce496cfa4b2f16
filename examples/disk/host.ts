/**
 * The guest `disk` on every data path, one after the other: what it prints must be the same on each.
 * `node build/examples/disk/host.js [--depth N] [--direct]`
 */
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type DeviceRequest, runGuest, WasmUringError } from "wasm-uring";

const CAPACITY_BYTES = 16 << 20;

const USAGE = "usage: host.js [--depth N] [--direct], N from 1 to 256";

function readOptions(): { depth: string; direct: boolean } {
  try {
    const { values } = parseArgs({
      options: {
        depth: { type: "string", default: "32" },
        direct: { type: "boolean", default: false },
      },
    });
    if (/^[1-9]\d{0,2}$/.test(values.depth) && Number(values.depth) <= 256) return values;
  } catch {
    // An option that there is not: the same answer.
  }
  console.error(USAGE);
  process.exit(2);
}

const { depth, direct } = readOptions();

const folder = mkdtempSync(join(tmpdir(), "wasm-uring-disk-"));
const file = join(folder, "disk");

/** Only the device differs from line to line. */
const devices: Readonly<Record<string, DeviceRequest>> = {
  passthrough: { path: "passthrough", file, direct },
  "virtio-blk, io_uring": { path: "virtio-blk", aio: "io_uring", file, direct },
  "virtio-blk, native": { path: "virtio-blk", aio: "native", file, direct },
  "virtio-blk, threads": { path: "virtio-blk", aio: "threads", file, direct },
  "virtio-blk, iothread": { path: "virtio-blk", iothread: true, file, direct },
  "vhost-blk": { path: "vhost-blk", file, direct },
  "vdpa-sim": { path: "vdpa-sim", capacityBytes: CAPACITY_BYTES },
};

let first: string | null = null;
try {
  for (const [name, disk] of Object.entries(devices)) {
    writeFileSync(file, "");
    truncateSync(file, CAPACITY_BYTES);
    const result = await runGuest(new URL("../../guests/disk.wasm", import.meta.url), {
      devices: { disk },
      args: ["disk", "--depth", depth],
      stdout: "capture",
    });
    const text = new TextDecoder().decode(result.stdout);
    const { outcome } = result;
    if (outcome.kind === "host-failure") throw outcome.error;
    if (first === null) console.log(text.trim());
    first ??= text;
    const verdict = result.exitCode !== 0 ? "failed" : text === first ? "same" : "different";
    const [report] = result.devices;
    console.log(
      `${name.padEnd(22)} ${verdict}  ${result.elapsedMs.toFixed(0).padStart(5)} ms  ` +
        `served by ${report?.servedBy}, ${report?.kicks} kicks, ${report?.interrupts} interrupts`,
    );
    if (verdict !== "same") process.exitCode = 1;
  }
} catch (error) {
  if (!(error instanceof WasmUringError)) throw error;
  console.error(error.message);
  process.exitCode = 2;
} finally {
  rmSync(folder, { recursive: true });
}
