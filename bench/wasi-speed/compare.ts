/**
 * The WASI part of `npm run bench` alone; writes build/bench/wasi-speed.json.
 *
 *   node build/bench/wasi-speed/compare.js [--rounds N] [--seconds S] [--only OPERATION]...
 */
import { writeFileSync } from "node:fs";
import { cpus, loadavg, release } from "node:os";
import { Command } from "commander";
import { measureWasi } from "./report";
import { OPERATIONS } from "./rounds";

const REPORT = new URL("../wasi-speed.json", import.meta.url).pathname;

interface Flags {
  rounds: string;
  seconds: string;
  only?: string[];
}

function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
}

async function main({ rounds, seconds, only }: Flags): Promise<void> {
  const machine = {
    date: new Date().toISOString(),
    kernel: release(),
    node: process.version,
    cpu: `${cpus().length} × ${cpus()[0]?.model.trim() ?? "unknown"}`,
    loadBefore: loadavg()[0],
  };
  const { cpu, kernel, node } = machine;
  process.stdout.write(`${cpu}, Linux ${kernel}, Node ${node}; median (min–max)\n`);
  const operations = only ?? OPERATIONS;
  const settings = { rounds: Number(rounds), secondsEach: Number(seconds), operations, progress };
  const report = await measureWasi(settings);
  writeFileSync(REPORT, `${JSON.stringify({ machine, ...report }, null, 2)}\n`);
  process.stdout.write(`\nwritten to ${REPORT}\n`);
}

await new Command("compare")
  .option("--rounds <n>", "interleaved rounds", "7")
  .option("--seconds <s>", "measured time of each", "0.3")
  .option("--only <operation...>", `only these: ${OPERATIONS.join(", ")}`)
  .action(main)
  .parseAsync();
