/** The paths that this host serves itself, as the tests of this folder visit them, and a disk to be served. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DeviceRequest } from "wasm-uring";

export interface ServedPath {
  name: string;
  /** The device on this file. */
  request(file: string): DeviceRequest;
  /** Whether a thread of its own serves it. */
  hasThread: boolean;
  /** Whether what is written reaches the file. */
  usesFile: boolean;
}

export const AIO = ["io_uring", "native", "threads"] as const;

export const SERVED_PATHS: readonly ServedPath[] = [
  ...AIO.flatMap((aio): ServedPath[] => [
    {
      name: `virtio-blk, ${aio}`,
      request: (file) => ({ path: "virtio-blk", file, aio }),
      hasThread: false,
      usesFile: true,
    },
    {
      name: `virtio-blk, ${aio}, iothread`,
      request: (file) => ({ path: "virtio-blk", file, aio, iothread: true }),
      hasThread: true,
      usesFile: true,
    },
    {
      name: `vhost-blk, ${aio}`,
      request: (file) => ({ path: "vhost-blk", file, aio }),
      hasThread: true,
      usesFile: true,
    },
  ]),
  {
    name: "vdpa-sim",
    request: () => ({ path: "vdpa-sim", capacityBytes: 1 << 20 }),
    hasThread: true,
    usesFile: false,
  },
];

export interface DiskFolder {
  folder: string;
  file: string;
  remove(): void;
}

export function makeDisk(capacityBytes: number): DiskFolder {
  const folder = mkdtempSync(join(tmpdir(), "wasm-uring-disk-"));
  const file = join(folder, "disk");
  writeFileSync(file, Buffer.alloc(capacityBytes));
  return { folder, file, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/** Threads that a guest on this path has: its own, the device's, the pool's. */
export function threadsOf({ name, hasThread }: ServedPath): number {
  return 1 + (hasThread ? 1 : 0) + (name.includes("threads") ? 8 : 0);
}

/** Mappings of windows in this process: two of each as long as guest and device live. */
export function windowMappings(): number {
  return readFileSync("/proc/self/maps", "utf8").split("wasm-uring-window").length - 1;
}
