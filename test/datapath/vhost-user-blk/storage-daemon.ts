/**
 * qemu-storage-daemon as the tests start it: somebody else's vhost-user-blk back end, over a raw file, a qcow2 image or
 * another daemon's NBD export.
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const START_TIMEOUT_MS = 10_000;

/** Why there is no daemon here; empty when there is one. */
export function whyNoDaemon(): string {
  for (const program of ["qemu-storage-daemon", "qemu-img"]) {
    const { error } = spawnSync(program, ["--version"], { stdio: "ignore" });
    if (error !== undefined) return `${program} cannot be run (${error.message})`;
  }
  return "";
}

/** Says aloud that tests are skipped; the sentence. */
export function sayAbsent(reason: string): string {
  const sentence = `skipped: ${reason}; apt install qemu-system-common qemu-utils`;
  console.log(sentence);
  return sentence;
}

export interface Running {
  process: ChildProcess;
  /** SIGKILL, and waits until it is gone. */
  kill(): Promise<void>;
}

function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => child.once("exit", () => resolve()));
}

/** Starts a program and waits until the file `ready` exists, which was not there before. */
async function run(options: readonly string[], ready: string): Promise<Running> {
  rmSync(ready, { force: true });
  const child = spawn("qemu-storage-daemon", options, { stdio: ["ignore", "ignore", "pipe"] });
  let messages = "";
  child.stderr?.on("data", (text) => {
    messages += text;
  });
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (!existsSync(ready)) {
    const dead = child.exitCode !== null;
    if (!dead && Date.now() < deadline) {
      await sleep(10);
      continue;
    }
    child.kill("SIGKILL");
    throw new Error(`qemu-storage-daemon ${options.join(" ")}: ${messages}`);
  }
  const kill = async () => {
    child.kill("SIGKILL");
    await ended(child);
  };
  return { process: child, kill };
}

export interface ExportOptions {
  /** --blockdev, without the node's name "disk". */
  blockdev: string;
  socket: string;
  writable?: boolean;
  /** More options before --export. */
  more?: readonly string[];
  exportOptions?: string;
}

/** A daemon that serves one disk by vhost-user. */
export function startDaemon(options: ExportOptions): Promise<Running> {
  const { blockdev, socket, writable = true, more = [], exportOptions = "" } = options;
  const exported =
    `type=vhost-user-blk,id=export,addr.type=unix,addr.path=${socket},node-name=disk` +
    `,writable=${writable ? "on" : "off"}${exportOptions}`;
  const words = [...more, "--blockdev", `${blockdev},node-name=disk`, "--export", exported];
  return run(words, socket);
}

/** A daemon that serves a raw file by NBD on a port of the loopback. */
export function startNbdDaemon(file: string, port: number, pidFile: string): Promise<Running> {
  const server = `addr.type=inet,addr.host=127.0.0.1,addr.port=${port}`;
  const exported = "type=nbd,id=nbd,node-name=disk,name=disk,writable=on";
  const words = ["--blockdev", `driver=file,filename=${file},node-name=disk`];
  words.push("--nbd-server", server, "--export", exported, "--pidfile", pidFile);
  return run(words, pidFile);
}

/** A port of the loopback that nobody listens at. */
export function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}

export function qemuImage(...words: string[]): string {
  return execFileSync("qemu-img", words, { encoding: "utf8" });
}

/** A folder of its own for images and sockets; short, because a socket's path has at most 107 bytes. */
export function makeFolder(): string {
  return mkdtempSync(join(tmpdir(), "wu-vub-"));
}
