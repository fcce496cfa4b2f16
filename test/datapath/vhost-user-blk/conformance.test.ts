/**
 * qemu-storage-daemon by the suite that every data path passes: over a raw file, by its own thread as well, and over a
 * second daemon's NBD export of the file.
 */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import { conformance, type DataPath } from "../conformance";
import {
  freePort,
  makeFolder,
  type Running,
  sayAbsent,
  startDaemon,
  startNbdDaemon,
  whyNoDaemon,
} from "./storage-daemon";

type Start = (file: string, folder: string, readOnly: boolean) => Promise<Running[]>;

const absent = whyNoDaemon();
const missing = () =>
  absent === "" ? null : `${absent}; apt install qemu-system-common qemu-utils`;

function daemonPath(name: string, start: Start): DataPath {
  const open: DataPath["open"] = async (file, readOnly) => {
    const folder = makeFolder();
    const running = await start(file, folder, readOnly);
    const close = async () => {
      for (const { kill } of running) await kill();
      rmSync(folder, { recursive: true, force: true });
    };
    return { request: { path: "vhost-user-blk", socket: join(folder, "s") }, close };
  };
  const label = `vhost-user-blk, qemu-storage-daemon, ${name}`;
  return { name: label, servedBy: "daemon", usesFile: true, missing, open };
}

const raw = (more: readonly string[], exportOptions: string): Start => {
  return async (file, folder, readOnly) => {
    const blockdev = `driver=file,filename=${file},read-only=${readOnly ? "on" : "off"}`;
    const socket = join(folder, "s");
    return [await startDaemon({ blockdev, socket, writable: !readOnly, more, exportOptions })];
  };
};

const nbd: Start = async (file, folder, readOnly) => {
  const port = await freePort();
  const server = await startNbdDaemon(file, port, join(folder, "pid"));
  const address = `server.type=inet,server.host=127.0.0.1,server.port=${port}`;
  const blockdev = `driver=nbd,export=disk,${address}`;
  const socket = join(folder, "s");
  return [server, await startDaemon({ blockdev, socket, writable: !readOnly })];
};

const IOTHREAD = ["--object", "iothread,id=server"];
const paths: readonly DataPath[] = [
  daemonPath("raw", raw([], "")),
  daemonPath("raw, iothread", raw(IOTHREAD, ",iothread=server")),
  daemonPath("NBD", nbd),
];

// A file without any test counts as one that failed.
const present = suite("datapath/vhost-user-blk/conformance");
present(absent === "" ? "there is a daemon" : sayAbsent(absent), () => {});
present.run();
for (const path of paths) conformance(path);
