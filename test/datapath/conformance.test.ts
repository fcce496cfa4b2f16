/**
 * Every data path and back end of this host by the shared suite. Each is asked for by name: what cannot be tried here is
 * said aloud, and nothing stands in for it.
 */
import { closeSync, constants, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DeviceReport, DeviceRequest } from "wasm-uring";
import { type EngineHere, enginesHere } from "../engines";
import { conformance, type DataPath } from "./conformance";
import { startDaemon, whyNoDaemon } from "./vhost-user-blk/storage-daemon";

const CAPACITY = 512 * 512;
const BLOCK_BYTES_DIRECT = 4096;

type Request = (file: string, readOnly: boolean) => DeviceRequest;

function pathOf(name: string, servedBy: DeviceReport["servedBy"], request: Request): DataPath {
  const close = async () => {};
  const open = async (file: string, readOnly: boolean) => ({
    request: request(file, readOnly),
    close,
  });
  return { name, servedBy, usesFile: true, open };
}

/** Why files here cannot be opened with O_DIRECT, or null. */
function directMissing(): string | null {
  const file = join(tmpdir(), `wasm-uring-direct-${process.pid}`);
  writeFileSync(file, "");
  try {
    closeSync(openSync(file, constants.O_RDONLY | constants.O_DIRECT));
    return null;
  } catch (error) {
    return `${tmpdir()} has no O_DIRECT: ${error instanceof Error ? error.message : error}`;
  } finally {
    rmSync(file);
  }
}

function passthrough({ label, engine, sqpoll }: EngineHere, direct: boolean): DataPath {
  const name = `passthrough, ${label}${direct ? ", direct" : ""}`;
  const request: Request = (file, readOnly) => ({ path: "passthrough", file, readOnly, direct });
  return { ...pathOf(name, "ring", request), options: { engine, sqpoll } };
}

function virtioBlk(aio: "threads" | "native" | "io_uring", iothread: boolean, direct: boolean) {
  const name = `virtio-blk, ${aio}${iothread ? ", iothread" : ""}${direct ? ", direct" : ""}`;
  const servedBy = iothread ? "device thread" : "guest thread";
  return pathOf(name, servedBy, (file, readOnly) => ({
    path: "virtio-blk",
    ...{ file, readOnly, aio, iothread, direct },
  }));
}

function vhostBlk(aio: "threads" | "native" | "io_uring", pollUs: number): DataPath {
  return pathOf(`vhost-blk, ${aio}, poll ${pollUs} µs`, "device thread", (file, readOnly) => ({
    path: "vhost-blk",
    ...{ file, readOnly, aio, pollUs },
  }));
}

function vdpaSim(pollUs: number): DataPath {
  const request: Request = (_, readOnly) => ({
    path: "vdpa-sim",
    capacityBytes: CAPACITY,
    ...{ readOnly, pollUs },
  });
  return { ...pathOf(`vdpa-sim, poll ${pollUs} µs`, "device thread", request), usesFile: false };
}

/** A daemon for each disk, over a raw file. */
function vhostUserBlk(): DataPath {
  const open = async (file: string, readOnly: boolean) => {
    const socket = `${file}.socket`;
    const blockdev = `driver=file,filename=${file},discard=unmap`;
    const daemon = await startDaemon({ blockdev, socket, writable: !readOnly });
    const request: DeviceRequest = { path: "vhost-user-blk", socket };
    return { request, close: daemon.kill };
  };
  const name = "vhost-user-blk, qemu-storage-daemon";
  const missing = () => whyNoDaemon() || null;
  return { name, servedBy: "daemon", usesFile: true, open, missing };
}

function directly(path: DataPath): DataPath {
  return { ...path, missing: directMissing, blockBytes: BLOCK_BYTES_DIRECT };
}

const engines = await enginesHere();

const paths: readonly DataPath[] = [
  ...engines.map((engine) => passthrough(engine, false)),
  ...engines.map((engine) => directly(passthrough(engine, true))),
  virtioBlk("threads", false, false),
  virtioBlk("threads", true, false),
  virtioBlk("native", false, false),
  virtioBlk("native", true, false),
  virtioBlk("io_uring", false, false),
  virtioBlk("io_uring", true, false),
  directly(virtioBlk("threads", false, true)),
  directly(virtioBlk("native", false, true)),
  directly(virtioBlk("io_uring", false, true)),
  vhostBlk("threads", 0),
  vhostBlk("native", 0),
  vhostBlk("io_uring", 50),
  vdpaSim(0),
  vdpaSim(50),
  vhostUserBlk(),
];

for (const path of paths) conformance(path);
