/** The paths that this host serves itself, as the tests of this folder visit them, and a disk to be served. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
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
