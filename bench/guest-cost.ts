/**
 * What a guest costs before it does anything: the time from its set-up request to the answer, and
 * the host's memory for an idle guest beside its own pages and beside a thread.
 */
import { execFile } from "node:child_process";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { Worker } from "node:worker_threads";
import { runGuest } from "wasm-uring";
import { type Spread, spread } from "../host/cli/figure/spread";

const run = promisify(execFile);
const GUEST = new URL("../guests/load.wasm", import.meta.url);
/** Arena, rings and SQEs of a guest at depth 1: a page each. */
const OWN_PAGES_BYTES = 3 * 4096;
const SETTLE_MS = 700;
const WAIT_TRIES = 200;

export interface GuestCost {
  guests: number;
  /** From uring.setup's call to its return, µs. */
  setupUs: Spread;
  /**
   * From createGuest to the end of a guest that runs for a millisecond, thread and compilation
   * included, ms.
   */
  wholeLifeMs: Spread;
  /**
   * Resident memory of one more guest beside its own pages, less that of one more bare worker
   * thread, bytes.
   */
  idleGuestBytes: number;
  /** Resident memory of one more bare worker thread, bytes. */
  bareThreadBytes: number;
}

const options = (file: string, words: readonly string[]) => ({
  files: { data: { path: file } },
  args: ["load", ...words],
  stdout: "ignore" as const,
});

async function measureSetup(
  file: string,
  guests: number,
): Promise<{ setup: number[]; life: number[] }> {
  const setup: number[] = [];
  const life: number[] = [];
  for (let index = 0; index < guests; index++) {
    const began = performance.now();
    const result = await runGuest(GUEST, options(file, ["--runtime", "0.001"]));
    life.push(performance.now() - began);
    if (result.ring !== null) setup.push(result.ring.setupUs);
  }
  return { setup, life };
}

function openRings(): number {
  const links = readdirSync("/proc/self/fd").map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return "";
    }
  });
  return links.filter((link) => link === "anon_inode:[io_uring]").length;
}

/** Resident anonymous memory: what is this process's own, without files and what it shares with its other threads. */
function anonymousBytes(): number {
  const text = readFileSync("/proc/self/smaps_rollup", "latin1");
  return Number(/^Anonymous:\s+(\d+) kB$/m.exec(text)?.[1] ?? 0) * 1024;
}

/** Anonymous bytes of one more of what `start` starts, by the growth over `count` of them. */
async function growth(count: number, start: () => void, ready: () => boolean): Promise<number> {
  const before = anonymousBytes();
  for (let index = 0; index < count; index++) start();
  for (let attempt = 0; attempt < WAIT_TRIES && !ready(); attempt++) await sleep(50);
  await sleep(SETTLE_MS);
  return (anonymousBytes() - before) / count;
}

/** The child's part: `ratios.js --idle guests|threads COUNT FILE` prints bytes and ends. */
export async function measureIdle(kind: string, count: number, file: string): Promise<never> {
  const aborter = new AbortController();
  const words = ["--runtime", "0.001", "--hold"];
  const startGuest = () =>
    void runGuest(GUEST, { ...options(file, words), signal: aborter.signal });
  const startThread = () => void new Worker("setInterval(() => {}, 1e6)", { eval: true, env: {} });
  // One of a kind first: what is loaded once for the process is no cost of a guest.
  await growth(
    1,
    kind === "guests" ? startGuest : startThread,
    () => kind === "threads" || openRings() === 1,
  );
  const bytes =
    kind === "guests"
      ? await growth(count, startGuest, () => openRings() === count + 1)
      : await growth(count, startThread, () => true);
  process.stdout.write(`${Math.round(bytes)}\n`);
  process.exit(0);
}

async function idleBytes(kind: string, count: number, file: string): Promise<number> {
  const self = process.argv[1] ?? "";
  const { stdout } = await run(process.execPath, [self, "--idle", kind, String(count), file]);
  return Number(stdout);
}

export async function measureGuestCost(file: string, guests: number): Promise<GuestCost> {
  const { setup, life } = await measureSetup(file, guests);
  const guestBytes = await idleBytes("guests", guests, file);
  const bareThreadBytes = await idleBytes("threads", guests, file);
  return {
    guests,
    setupUs: spread(setup),
    wholeLifeMs: spread(life),
    idleGuestBytes: guestBytes - bareThreadBytes - OWN_PAGES_BYTES,
    bareThreadBytes,
  };
}
