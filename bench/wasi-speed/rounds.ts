/**
 * Our WASI against node:wasi: the same guest in C, the same Node, a process of its own for each
 * measurement, rounds interleaved in turning order, and the ratio taken within each round.
 */
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { type Spread, spread } from "../../host/cli/figure/spread";

/** Of build/bench/, whichever program of it this is bundled into. */
const HERE = new URL("./", import.meta.url).pathname;
const RUN = `${HERE}${HERE.endsWith("/wasi-speed/") ? "" : "wasi-speed/"}run.js`;
const PROVIDERS = ["ours", "node"] as const;
type Provider = (typeof PROVIDERS)[number];

export const OPERATIONS = [
  ...["pread-512", "pread-4k", "pread-64k", "read", "write", "lseek"],
  ...["open-close", "stat", "fstat", "readdir", "clock"],
];
const DATA_BYTES = 16 << 20;
const ENTRIES = 10_000;
/** Up to Node 22, node:wasi can crash in large writes when V8 calls it without a frame. */
const FAST_CALLS_ARE_SOUND_FROM = 24;

export interface WasiSpeed {
  operation: string;
  /** Nanoseconds of one operation. */
  oursNs: Spread;
  nodeNs: Spread;
  /** node:wasi's time divided by ours, round by round: above 1 we are faster. */
  faster: Spread;
}

export interface WasiSpeedSettings {
  rounds: number;
  secondsEach: number;
  operations: readonly string[];
  folder: string;
  progress: (text: string) => void;
}

/** The options of Node that both run with. */
export function nodeOptions(): string[] {
  const major = Number(process.versions.node.split(".")[0]);
  const fast = major >= FAST_CALLS_ARE_SOUND_FROM;
  return ["--no-warnings", ...(fast ? [] : ["--no-turbo-fast-api-calls"])];
}

/** A folder with what the guest needs; `remove` it afterwards. */
export function makeSpeedFolder(): { folder: string; remove: () => void } {
  const folder = mkdtempSync(join(tmpdir(), "wasm-uring-wasi-speed-"));
  writeFileSync(join(folder, "data.bin"), Buffer.alloc(DATA_BYTES, 7));
  mkdirSync(join(folder, "many"));
  for (let entry = 0; entry < ENTRIES; entry++) {
    writeFileSync(join(folder, "many", `entry-${entry}`), "");
  }
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

async function measureOnce(
  provider: Provider,
  operation: string,
  { folder, secondsEach }: WasiSpeedSettings,
): Promise<number> {
  const words = [RUN, provider, folder, String(secondsEach), operation];
  const { stderr } = await promisify(execFile)(process.execPath, [...nodeOptions(), ...words]);
  const ns = Number(stderr.trim().split(" ")[1]);
  if (!(ns > 0))
    throw new Error(`${provider} ${operation}: no figure in ${JSON.stringify(stderr)}`);
  return ns;
}

async function measureOperation(
  operation: string,
  settings: WasiSpeedSettings,
): Promise<WasiSpeed> {
  const found: Record<Provider, number[]> = { ours: [], node: [] };
  for (let round = 0; round < settings.rounds; round++) {
    const order = round % 2 === 0 ? PROVIDERS : [...PROVIDERS].reverse();
    for (const provider of order) {
      settings.progress(`${operation}, ${provider}, round ${round + 1} of ${settings.rounds}`);
      found[provider].push(await measureOnce(provider, operation, settings));
    }
  }
  const ratios = found.ours.map((ours, round) => (found.node[round] ?? Number.NaN) / ours);
  return {
    operation,
    oursNs: spread(found.ours),
    nodeNs: spread(found.node),
    faster: spread(ratios),
  };
}

export async function measureWasiSpeed(settings: WasiSpeedSettings): Promise<WasiSpeed[]> {
  const all: WasiSpeed[] = [];
  for (const operation of settings.operations) {
    all.push(await measureOperation(operation, settings));
  }
  settings.progress("");
  return all;
}
