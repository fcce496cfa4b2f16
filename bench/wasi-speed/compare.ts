/**
 * The WASI part of `npm run bench`: a table of every operation under node:wasi and under ours, and
 * build/bench/wasi-speed.json.
 *
 *   node build/bench/wasi-speed/compare.js [--rounds N] [--seconds S] [--only OPERATION]...
 */
import { writeFileSync } from "node:fs";
import { cpus, loadavg, release } from "node:os";
import Table from "cli-table3";
import { Command } from "commander";
import { showSpread } from "../../host/cli/figure/spread";
import { makeSpeedFolder, measureWasiSpeed, nodeOptions, OPERATIONS } from "./rounds";

const REPORT = new URL("../wasi-speed.json", import.meta.url).pathname;

interface Flags {
  rounds: string;
  seconds: string;
  only?: string[];
}

function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
}

async function main(flags: Flags): Promise<void> {
  const machine = {
    date: new Date().toISOString(),
    kernel: release(),
    node: process.version,
    nodeOptions: nodeOptions(),
    cpu: `${cpus().length} × ${cpus()[0]?.model.trim() ?? "unknown"}`,
    loadBefore: loadavg()[0],
  };
  const { folder, remove } = makeSpeedFolder();
  try {
    const rounds = Number(flags.rounds);
    const secondsEach = Number(flags.seconds);
    const operations = flags.only ?? OPERATIONS;
    const speeds = await measureWasiSpeed({ rounds, secondsEach, operations, folder, progress });
    const head = ["operation", "node:wasi ns", "ours ns", "ours is faster by"];
    const table = new Table({ head, style: { head: [], border: [], compact: true } });
    for (const { operation, nodeNs, oursNs, faster } of speeds) {
      table.push([operation, showSpread(nodeNs, 0), showSpread(oursNs, 0), showSpread(faster, 2)]);
    }
    const what = `${rounds} rounds of ${secondsEach} s, median (min–max)`;
    process.stdout.write(
      `${machine.cpu}, Linux ${machine.kernel}, Node ${machine.node}; ${what}\n`,
    );
    process.stdout.write(`${table.toString()}\n`);
    writeFileSync(REPORT, `${JSON.stringify({ machine, speeds }, null, 2)}\n`);
    process.stdout.write(`written to ${REPORT}\n`);
  } finally {
    remove();
  }
}

await new Command("compare")
  .option("--rounds <n>", "interleaved rounds", "5")
  .option("--seconds <s>", "measured time of each", "0.3")
  .option("--only <operation...>", `only these: ${OPERATIONS.join(", ")}`)
  .action(main)
  .parseAsync();
