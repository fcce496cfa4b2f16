/** The back ends under test, each over a fresh disk, on the page cache and past it. */
import {
  closeSync,
  constants,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { linuxSyscalls } from "../../../host/ffi";
import {
  type AioName,
  type BlockBackend,
  openBackend,
  openRamDisk,
  startThreadPool,
  type ThreadPool,
} from "../../../host/virtio/aio";

export const WORKER_FILE = pathToFileURL("dist/aio-worker.cjs");

export interface Disk {
  backend: BlockBackend;
  /** The disk's file, -1 for the RAM disk. */
  fd: number;
  /** Everything of it, by other means; null where there are none. */
  content(): Uint8Array | null;
  close(): Promise<void>;
}

export interface Kind {
  name: string;
  /** What the addresses and lengths of segments must be multiples of. */
  alignment: number;
  open(capacityBytes: number, depth: number): Promise<Disk>;
  /** Over a descriptor of the caller's. */
  openOver(fd: number, depth: number): Promise<Disk>;
}

async function startPool(aio: AioName): Promise<ThreadPool | undefined> {
  if (aio !== "threads") return undefined;
  return await startThreadPool({
    threads: 3,
    syscalls: linuxSyscalls(),
    workerFile: WORKER_FILE,
  });
}

async function openOver(aio: AioName, fd: number, depth: number): Promise<Disk> {
  const pool = await startPool(aio);
  const backend = openBackend(aio, {
    fd,
    depth,
    syscalls: linuxSyscalls(),
    ...(pool === undefined ? {} : { pool: pool.shared }),
  });
  const close = async () => {
    backend.close();
    await pool?.close();
  };
  return { backend, fd, content: () => null, close };
}

/** A new file in a folder of its own; -1 with O_DIRECT where the file system refuses it. */
export function makeFile(folderOf: string, capacityBytes: number, flags = 0) {
  const folder = mkdtempSync(join(folderOf, "wasm-uring-aio-"));
  const path = join(folder, "disk");
  const remove = () => rmSync(folder, { recursive: true, force: true });
  const fd = openSync(path, constants.O_RDWR | constants.O_CREAT | flags, 0o600);
  ftruncateSync(fd, capacityBytes);
  return { fd, path, remove };
}

function fileKind(aio: AioName, title: string, folder: string, flags: number): Kind {
  return {
    name: `${aio} ${title}`,
    alignment: (flags & constants.O_DIRECT) !== 0 ? 512 : 1,
    openOver: (fd, depth) => openOver(aio, fd, depth),
    async open(capacityBytes, depth) {
      const file = makeFile(folder, capacityBytes, flags);
      const disk = await openOver(aio, file.fd, depth);
      return {
        ...disk,
        content: () => readFileSync(file.path),
        close: async () => {
          await disk.close();
          closeSync(file.fd);
          file.remove();
        },
      };
    },
  };
}

const ramKind: Kind = {
  name: "ram",
  alignment: 1,
  openOver: () => Promise.reject(new Error("a RAM disk has no file")),
  open: (capacityBytes, depth) => {
    const backend = openRamDisk({ capacityBytes, depth, syscalls: linuxSyscalls() });
    return Promise.resolve({
      backend,
      fd: -1,
      content: () => null,
      close: async () => backend.close(),
    });
  },
};

export const AIO_NAMES: readonly AioName[] = ["io_uring", "native", "threads"];

/** Why O_DIRECT cannot be used in this folder; empty when it can. */
export function directRefusal(folder: string): string {
  try {
    const file = makeFile(folder, 512, constants.O_DIRECT);
    closeSync(file.fd);
    file.remove();
    return "";
  } catch (error) {
    return String(error);
  }
}

/** Every back end over files of the temporary folder, of shared memory (no ZERO_RANGE there), past the page cache. */
export function everyKind(): Kind[] {
  const refusal = directRefusal(tmpdir());
  if (refusal !== "") console.log(`skipped: O_DIRECT in ${tmpdir()}: ${refusal}`);
  return [
    ...AIO_NAMES.flatMap((aio) => [
      fileKind(aio, "on the page cache", tmpdir(), 0),
      fileKind(aio, "on tmpfs", "/dev/shm", 0),
      ...(refusal === "" ? [fileKind(aio, "with O_DIRECT", tmpdir(), constants.O_DIRECT)] : []),
    ]),
    ramKind,
  ];
}

/** The back ends over ordinary files. */
export function fileKinds(): Kind[] {
  return AIO_NAMES.map((aio) => fileKind(aio, "on the page cache", tmpdir(), 0));
}
