/**
 * What a process holds of the kernel: descriptors, pinned pages, mappings, threads. Taken before and after an attack,
 * the two must agree; the kernel frees a closed ring on a worker of its own, so the comparison is given some time.
 */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

export interface Resources {
  /** Open descriptors, by what they lead to. */
  descriptors: string[];
  /** Pages pinned by registered buffers, and locked ones, KiB. */
  pinnedKiB: number;
  lockedKiB: number;
  mappings: number;
  /** Mappings of rings, which keep them alive. */
  ringMappings: number;
  /** Mappings at guest addresses: 4 GiB to 8 GiB. Nothing of a guest's may stay there. */
  atGuestAddresses: string[];
  threads: number;
}

function statusNumber(status: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(status)?.[1] ?? 0);
}

function descriptors(): string[] {
  const found: string[] = [];
  for (const fd of readdirSync("/proc/self/fd")) {
    try {
      found.push(readlinkSync(`/proc/self/fd/${fd}`));
    } catch {
      // The descriptor of the listing itself.
    }
  }
  return found.sort();
}

export function takeResources(): Resources {
  const status = readFileSync("/proc/self/status", "utf8");
  const maps = readFileSync("/proc/self/maps", "utf8").trim().split("\n");
  return {
    descriptors: descriptors(),
    pinnedKiB: statusNumber(status, "VmPin"),
    lockedKiB: statusNumber(status, "VmLck"),
    mappings: maps.length,
    ringMappings: maps.filter((line) => line.includes("[io_uring]")).length,
    atGuestAddresses: maps.filter((line) => /^1[0-9a-f]{8}-/.test(line)),
    threads: statusNumber(status, "Threads"),
  };
}

/** Memories that nobody uses any more are unmapped only when they are collected. */
function collectGarbage(): void {
  setFlagsFromString("--expose-gc");
  const collect: unknown = runInNewContext("gc");
  if (typeof collect === "function") collect();
}

/**
 * V8 reserves and releases address space as it likes, more so in newer versions, and koffi keeps two call stacks of each
 * thread that ever loaded it: only a growth far beyond that is somebody's leak.
 */
const MAPPINGS_SLACK = 100;
const MAPPINGS_PER_GUEST = 40;
/** libuv starts its pool's threads when they are first needed. */
const THREADS_SLACK = 4;
const SETTLE_MS = 3000;

function leaks(before: Resources, after: Resources, guests: number): string[] {
  const found: string[] = [];
  if (after.pinnedKiB > before.pinnedKiB)
    found.push(`pinned ${before.pinnedKiB} -> ${after.pinnedKiB} KiB`);
  if (after.lockedKiB > before.lockedKiB)
    found.push(`locked ${before.lockedKiB} -> ${after.lockedKiB} KiB`);
  if (after.descriptors.length > before.descriptors.length) {
    const left = [...before.descriptors];
    const extra = after.descriptors.filter((name) => {
      const at = left.indexOf(name);
      if (at >= 0) left.splice(at, 1);
      return at < 0;
    });
    found.push(`descriptors left open: ${extra.join(", ")}`);
  }
  if (after.threads > before.threads + THREADS_SLACK) {
    found.push(`threads ${before.threads} -> ${after.threads}`);
  }
  if (after.mappings > before.mappings + MAPPINGS_SLACK + guests * MAPPINGS_PER_GUEST) {
    found.push(`mappings ${before.mappings} -> ${after.mappings}`);
  }
  if (after.ringMappings > before.ringMappings) {
    found.push(`mappings of rings ${before.ringMappings} -> ${after.ringMappings}`);
  }
  if (after.atGuestAddresses.length > before.atGuestAddresses.length) {
    found.push(`mapped at guest addresses: ${after.atGuestAddresses.join("; ")}`);
  }
  return found;
}

/**
 * What is held now and was not before, in words; empty when all is back.
 *
 * @param guests how many guests ran on threads of their own meanwhile
 */
export async function leakedSince(before: Resources, guests = 0): Promise<string[]> {
  const end = performance.now() + SETTLE_MS;
  for (;;) {
    const found = leaks(before, takeResources(), guests);
    if (found.length === 0 || performance.now() > end) return found;
    collectGarbage();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
