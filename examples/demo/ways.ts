/**
 * The ways to count a pattern in a file that the demo compares: the guest on its ring, and what one
 * would write instead.
 */
import { spawn } from "node:child_process";
import { closeSync, openSync, readSync } from "node:fs";
import { open } from "node:fs/promises";
import { type RingReport, runGuest } from "wasm-uring";

const BLOCK_BYTES = 64 << 10;

/** One run of one way. */
export interface Run {
  count: number;
  /** Scanning alone: without the start of the thread, the compiler, the process. */
  elapsedMs: number;
  /** Reads of the file; null when unknown. */
  reads: number | null;
  /** System calls made for them by this process; null when unknown. */
  calls: number | null;
  ring: RingReport | null;
}

/** The way is not to be had here, and why. */
export class Unavailable extends Error {}

export interface Way {
  name: string;
  run(path: string, pattern: string): Promise<Run>;
}

async function scanByGuest(path: string, pattern: string, sqpoll: boolean): Promise<Run> {
  const result = await runGuest(new URL("../guests/scan.wasm", import.meta.url), {
    files: { input: { path } },
    args: ["scan", pattern],
    sqpoll,
    stdout: "capture",
  });
  const { outcome, ring, stats, elapsedMs } = result;
  if (outcome.kind === "host-failure" && outcome.error.code === "ERR_ENGINE_UNAVAILABLE") {
    throw new Unavailable(outcome.error.detail.why);
  }
  if (outcome.kind === "host-failure") throw outcome.error;
  if (result.exitCode !== 0)
    throw new Error(`the guest scan ended with ${JSON.stringify(outcome)}`);
  const count = Number(new TextDecoder().decode(result.stdout));
  const reads = stats?.submitted ?? null;
  // The emulated engine reads by one ordinary call each.
  const calls = ring?.engine === "emulated" ? reads : (stats?.enterSyscalls ?? null);
  return { count, elapsedMs, reads, calls, ring };
}

/**
 * Counts over blocks that come in order, as the guest does; a match may begin in one and end in the
 * next.
 */
class BlockCounter {
  count = 0;
  readonly #pattern: Buffer;
  #rest = Buffer.alloc(0);

  constructor(pattern: string) {
    this.#pattern = Buffer.from(pattern);
  }

  add(block: Buffer): void {
    const text = this.#rest.length === 0 ? block : Buffer.concat([this.#rest, block]);
    let next = 0;
    for (let at = text.indexOf(this.#pattern); at >= 0; at = text.indexOf(this.#pattern, next)) {
      this.count++;
      next = at + this.#pattern.length;
    }
    const undecided = Math.max(next, text.length - this.#pattern.length + 1);
    this.#rest = Buffer.from(text.subarray(undecided));
  }
}

async function scanBySync(path: string, pattern: string): Promise<Run> {
  const began = performance.now();
  const counter = new BlockCounter(pattern);
  const buffer = Buffer.allocUnsafe(BLOCK_BYTES);
  const file = openSync(path, "r");
  let reads = 0;
  try {
    for (let length = 1; length > 0; reads++) {
      length = readSync(file, buffer, 0, BLOCK_BYTES, null);
      counter.add(buffer.subarray(0, length));
    }
  } finally {
    closeSync(file);
  }
  return {
    count: counter.count,
    elapsedMs: performance.now() - began,
    reads,
    calls: reads,
    ring: null,
  };
}

async function scanByPromises(path: string, pattern: string): Promise<Run> {
  const began = performance.now();
  const counter = new BlockCounter(pattern);
  const buffer = Buffer.allocUnsafe(BLOCK_BYTES);
  const file = await open(path, "r");
  let reads = 0;
  try {
    for (let length = 1; length > 0; reads++) {
      length = (await file.read(buffer, 0, BLOCK_BYTES, null)).bytesRead;
      counter.add(buffer.subarray(0, length));
    }
  } finally {
    await file.close();
  }
  return {
    count: counter.count,
    elapsedMs: performance.now() - began,
    reads,
    calls: reads,
    ring: null,
  };
}

/** The judge: somebody else's count. */
async function scanByGrep(path: string, pattern: string): Promise<Run> {
  const began = performance.now();
  const env = { ...process.env, LC_ALL: "C" };
  const grep = spawn("grep", ["-a", "-F", "-o", "-e", pattern, path], {
    env,
    stdio: ["ignore", "pipe", "ignore"],
  });
  const failed = new Promise<never>((_, reject) => {
    grep.once("error", (error) => reject(new Unavailable(error.message)));
  });
  const counted = (async () => {
    let count = 0;
    for await (const chunk of grep.stdout) {
      const lines: Buffer = chunk;
      for (let at = lines.indexOf(10); at >= 0; at = lines.indexOf(10, at + 1)) count++;
    }
    return count;
  })();
  const count = await Promise.race([failed, counted]);
  return { count, elapsedMs: performance.now() - began, reads: null, calls: null, ring: null };
}

export const WAYS: readonly Way[] = [
  { name: "guest, enter", run: (path, pattern) => scanByGuest(path, pattern, false) },
  { name: "guest, SQPOLL", run: (path, pattern) => scanByGuest(path, pattern, true) },
  { name: "fs.readSync, Buffer.indexOf", run: scanBySync },
  { name: "fs promises, Buffer.indexOf", run: scanByPromises },
  { name: "grep -F -o (a process)", run: scanByGrep },
];
