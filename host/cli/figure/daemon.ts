/**
 * A qemu-storage-daemon that serves the measured file by vhost-user-blk: somebody else's back end,
 * started for the figure and stopped with it, its CPU time known.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { WasmUringError } from "../../errors";
import type { CacheName } from "./systems";

const PROGRAM = "qemu-storage-daemon";
const START_TRIES = 100;
const START_STEP_MS = 50;
const STOP_PATIENCE_MS = 3000;

export interface Daemon {
  socket: string;
  /** CPU time of each of its threads so far, ns by thread. */
  cpuNs(): Map<string, number>;
  stop(): Promise<void>;
}

/** CPU time between two looks; of a thread that ended meanwhile, nothing. */
export function cpuBetween(before: Map<string, number>, after: Map<string, number>): number {
  let sum = 0;
  for (const [thread, ns] of after) sum += ns - (before.get(thread) ?? 0);
  return sum;
}

function threadTimes(pid: number): Map<string, number> {
  const folder = `/proc/${pid}/task`;
  const times = new Map<string, number>();
  for (const thread of readdirSync(folder)) {
    try {
      const [ns = "0"] = readFileSync(join(folder, thread, "schedstat"), "latin1").split(" ");
      times.set(thread, Number(ns));
    } catch {
      // It ended between the two calls.
    }
  }
  return times;
}

function failure(why: string, cause?: unknown): WasmUringError {
  return new WasmUringError("ERR_TOOL_MISSING", {
    what: `starting ${PROGRAM}`,
    why,
    whatToDo: "install it (on Debian: apt install qemu-system-common), or measure without it",
    cause,
  });
}

function argumentsOf(file: string, cache: CacheName, socket: string): string[] {
  const direct = cache === "direct" ? "on" : "off";
  return [
    "--blockdev",
    // Two daemons open the same file, one for each way of caching: no locks.
    `driver=file,node-name=disk,filename=${file.replaceAll(",", ",,")},aio=io_uring,` +
      `cache.direct=${direct},locking=off,discard=unmap`,
    ...["--object", "iothread,id=server"],
    "--export",
    "type=vhost-user-blk,id=export,node-name=disk,writable=on,iothread=server," +
      `addr.type=unix,addr.path=${socket.replaceAll(",", ",,")}`,
  ];
}

/** Until the socket is there; what the daemon says when it ends instead. */
async function waitForSocket(child: ChildProcess, socket: string, said: () => string) {
  for (let attempt = 0; attempt < START_TRIES; attempt++) {
    if (existsSync(socket)) return;
    if (child.exitCode !== null) throw failure(said() || `it ended with ${child.exitCode}`);
    await sleep(START_STEP_MS);
  }
  throw failure(`there is no socket after ${(START_TRIES * START_STEP_MS) / 1000} s`);
}

/** @throws WasmUringError ERR_TOOL_MISSING, with the daemon's own words */
export async function startDaemon(file: string, cache: CacheName): Promise<Daemon> {
  // A socket's path has room for 107 characters: not every folder will do.
  const folder = mkdtempSync(join(tmpdir(), "wasm-uring-daemon-"));
  const socket = join(folder, "vhost.socket");
  const child = spawn(PROGRAM, argumentsOf(file, cache, socket), {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const kill = () => void child.kill("SIGKILL");
  const clear = () => {
    kill();
    rmSync(folder, { recursive: true, force: true });
    process.off("exit", clear);
  };
  process.on("exit", clear);
  let words = "";
  child.stderr?.on("data", (chunk: Buffer) => {
    words += chunk.toString("utf8");
  });
  try {
    await once(child, "spawn");
    await waitForSocket(child, socket, () => words.trim());
  } catch (cause) {
    clear();
    const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
    throw code === "ENOENT" ? failure("it is not installed", cause) : cause;
  }
  const pid = child.pid ?? 0;
  return {
    socket,
    cpuNs: () => threadTimes(pid),
    stop: async () => {
      if (child.exitCode === null && child.signalCode === null) {
        const ended = once(child, "exit");
        child.kill("SIGTERM");
        const patience = setTimeout(kill, STOP_PATIENCE_MS);
        await ended;
        clearTimeout(patience);
      }
      clear();
    },
  };
}
