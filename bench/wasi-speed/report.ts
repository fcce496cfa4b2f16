/**
 * The WASI part of `npm run bench`: every operation under node:wasi and under ours, and what the
 * optional provider of the captured streams costs against our own.
 */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { promisify } from "node:util";
import Table from "cli-table3";
import { type Spread, showSpread, spread } from "../../host/cli/figure/spread";
import type { ProviderCost } from "./provider";
import {
  makeSpeedFolder,
  measureWasiSpeed,
  nodeOptions,
  OPERATIONS,
  type WasiSpeed,
} from "./rounds";

/** Of build/bench/, whichever program of it this is bundled into. */
const HERE = new URL("./", import.meta.url).pathname;
const PROVIDER = `${HERE}${HERE.endsWith("/wasi-speed/") ? "" : "wasi-speed/"}provider.js`;
const GUEST = new URL(
  HERE.endsWith("/wasi-speed/") ? "../../guests/wasi-speed.wasm" : "../guests/wasi-speed.wasm",
  import.meta.url,
);
const PROVIDERS = ["direct", "@wasmer/wasi"] as const;
/** Captured output is kept: little time, so that it is little. */
const PROVIDER_SECONDS = "0.02";

export interface WasiSettings {
  rounds: number;
  secondsEach: number;
  operations?: readonly string[];
  progress: (text: string) => void;
}

export interface WasiReport {
  nodeOptions: readonly string[];
  speeds: readonly WasiSpeed[];
  providers: readonly { provider: string; cost: Record<keyof ProviderCost, Spread> }[];
}

function print(title: string, head: string[], rows: readonly string[][]): void {
  const table = new Table({ head, style: { head: [], border: [], compact: true } });
  for (const row of rows) table.push(row);
  process.stdout.write(`\n${title}\n${table.toString()}\n`);
}

async function measureProvider(provider: string, folder: string): Promise<ProviderCost> {
  const words = ["--no-warnings", PROVIDER, provider, folder, PROVIDER_SECONDS];
  const { stdout } = await promisify(execFile)(process.execPath, words);
  return JSON.parse(stdout);
}

async function measureProviders(
  folder: string,
  { rounds, progress }: WasiSettings,
): Promise<WasiReport["providers"]> {
  const found = PROVIDERS.map((): ProviderCost[] => []);
  for (let round = 0; round < rounds; round++) {
    for (const [index, provider] of PROVIDERS.entries()) {
      progress(`streams by ${provider}, round ${round + 1} of ${rounds}`);
      found[index]?.push(await measureProvider(provider, folder));
    }
  }
  progress("");
  return PROVIDERS.map((provider, index) => {
    const costs = found[index] ?? [];
    const of = (name: keyof ProviderCost) => spread(costs.map((cost) => cost[name]));
    const names = ["lifeMs", "memoryBytes", "clockNs", "writeNs"] as const;
    const [lifeMs, memoryBytes, clockNs, writeNs] = [
      of(names[0]),
      of(names[1]),
      of(names[2]),
      of(names[3]),
    ];
    return { provider, cost: { lifeMs, memoryBytes, clockNs, writeNs } };
  });
}

function printSpeeds(speeds: readonly WasiSpeed[], { rounds, secondsEach }: WasiSettings): void {
  const rows = speeds.map(({ operation, nodeNs, oursNs, faster }) => [
    operation,
    showSpread(nodeNs, 0),
    showSpread(oursNs, 0),
    showSpread(faster, 2),
  ]);
  const options = nodeOptions().filter((option) => option !== "--no-warnings");
  const how = options.length > 0 ? `, both with ${options.join(" ")}` : "";
  const title = `WASI calls of a guest in C, ns, ${rounds} rounds of ${secondsEach} s${how}`;
  print(title, ["operation", "node:wasi", "ours", "node:wasi / ours"], rows);
}

function printProviders(providers: WasiReport["providers"]): void {
  const mebibytes = ({ median, min, max }: Spread) => {
    const show = (bytes: number) => (bytes / 2 ** 20).toFixed(0);
    return `${show(median)} (${show(min)}–${show(max)})`;
  };
  const rows = providers.map(({ provider, cost }) => [
    provider,
    showSpread(cost.lifeMs, 1),
    mebibytes(cost.memoryBytes),
    showSpread(cost.clockNs, 0),
    showSpread(cost.writeNs, 0),
  ]);
  const head = [
    "stdioProvider",
    "a guest's life, ms",
    "memory, MiB",
    "clock, ns",
    "write of 64 B, ns",
  ];
  print("Captured streams: ours, and @wasmer/wasi", head, rows);
}

/** null, and said aloud, where the guest could not be built. */
export async function measureWasi(settings: WasiSettings): Promise<WasiReport | null> {
  const { operations = OPERATIONS } = settings;
  if (!existsSync(GUEST)) {
    process.stdout.write("\nWASI calls skipped: the guest in C is not built (needs clang)\n");
    return null;
  }
  const { folder, remove } = makeSpeedFolder();
  try {
    const speeds = await measureWasiSpeed({ ...settings, operations, folder });
    printSpeeds(speeds, settings);
    const providers = await measureProviders(folder, settings);
    printProviders(providers);
    return { nodeOptions: nodeOptions(), speeds, providers };
  } finally {
    remove();
  }
}
