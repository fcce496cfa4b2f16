/**
 * The demo: a 256 MB file of real text is searched by an untrusted guest on a kernel ring in its
 * own memory, and by what one would write instead; then a guest that means ill tries to get out.
 * `npm run demo -- [--keep] [--size MB] [--pattern TEXT]`. Exit code 1 when the counts differ or an
 * attempt escaped.
 */
import { rmSync } from "node:fs";
import { parseArgs } from "node:util";
import color from "picocolors";
import { type RingReport, runGuest, WasmUringError } from "wasm-uring";
import { type Measured, parseRefusals, refusalTable, speedTable } from "./demo/tables";
import { makeText, type TextFile } from "./demo/text";
import { Unavailable, WAYS, type Way } from "./demo/ways";

const ROUNDS = 3;

function printTitle(title: string): void {
  console.log(`\n${color.bold(color.cyan(title))}`);
}

function printRing(ring: RingReport): void {
  console.log(`engine ${color.bold(ring.engine)}, ${ring.mode}: ${ring.reason}`);
  if (ring.setupFlags.length > 0) console.log(`  set-up flags ${ring.setupFlags.join(", ")}`);
  const { sqEntries, cqEntries } = ring.layout;
  const arena = `arena of ${ring.arenaLengthBytes >> 10} KiB`;
  console.log(
    `  ${sqEntries}/${cqEntries} SQ/CQ entries in guest memory, ${arena}, set up in ${ring.setupUs} µs`,
  );
  if (ring.engine === "emulated") {
    console.log(
      color.yellow(
        "  io_uring is not to be had here, so the host does the reading: this is no passthrough.",
      ),
    );
    console.log(color.yellow("  `npx wasm-uring probe` says why, and what can be done about it."));
  }
}

async function measure(way: Way, path: string, pattern: string, into: Measured): Promise<void> {
  if (into.unavailable !== null) return;
  try {
    into.runs.push(await way.run(path, pattern));
  } catch (error) {
    if (!(error instanceof Unavailable)) throw error;
    into.unavailable = error.message;
  }
}

/** Rounds are interleaved, so that what else the machine does hits all ways alike. */
async function compare(file: TextFile, pattern: string): Promise<boolean> {
  const results = WAYS.map(({ name }): Measured => ({ name, runs: [], unavailable: null }));
  for (let round = 0; round < ROUNDS; round++) {
    for (const [index, way] of WAYS.entries()) {
      const result = results[index];
      if (result !== undefined) await measure(way, file.path, pattern, result);
    }
  }
  for (const { runs } of results) {
    const ring = runs[0]?.ring;
    if (ring !== null && ring !== undefined) printRing(ring);
  }
  console.log(`\n${speedTable(results, file.sizeBytes)}`);
  console.log(
    color.dim(
      `from the page cache, 64 KiB a read; medians of ${ROUNDS} interleaved rounds\n` +
        "guest: 32 reads in flight; starting its thread and compiling it are not counted",
    ),
  );
  const counts = new Set(results.flatMap(({ runs }) => runs.map((run) => run.count)));
  if (counts.size === 1) return true;
  console.log(color.red(`the counts differ: ${[...counts].join(", ")}`));
  return false;
}

async function beHostile(path: string): Promise<boolean> {
  const { outcome, exitCode, stdout, ring } = await runGuest(
    new URL("../guests/hostile.wasm", import.meta.url),
    {
      files: { input: { path } },
      stdout: "capture",
      deadlineMs: 30_000,
    },
  );
  if (outcome.kind === "host-failure") throw outcome.error;
  const refusals = parseRefusals(new TextDecoder().decode(stdout));
  console.log(
    `engine ${color.bold(ring?.engine ?? "none")}; the guest holds one grant, to read ${path}\n`,
  );
  console.log(refusalTable(refusals));
  console.log();
  for (const line of refusals.closing)
    console.log(line.startsWith("note:") ? color.yellow(line) : color.bold(line));
  if (exitCode === 0) return true;
  console.log(color.red(`the hostile guest ended with exit code ${exitCode} (${outcome.kind})`));
  return false;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      keep: { type: "boolean", default: false },
      size: { type: "string", default: "256" },
      pattern: { type: "string", default: "memory" },
    },
  });
  const megabytes = Number(values.size);
  if (!Number.isInteger(megabytes) || megabytes < 1 || megabytes > 2047 || values.pattern === "") {
    console.error("usage: npm run demo -- [--keep] [--size 1..2047] [--pattern TEXT]");
    process.exitCode = 2;
    return;
  }
  printTitle(`1. Counting "${values.pattern}" in ${megabytes} MB of text`);
  const file = makeText(megabytes << 20);
  const source = `${file.sources} texts of ${file.sourceBytes >> 20} MB, repeated`;
  console.log(`${file.path}: ${source}${file.reused ? " (kept from before)" : ""}`);
  try {
    const alike = await compare(file, values.pattern);
    printTitle("2. A guest that tries to get out");
    const confined = await beHostile(file.path);
    process.exitCode = alike && confined ? 0 : 1;
  } finally {
    if (!values.keep) rmSync(file.path, { force: true });
  }
}

try {
  await main();
} catch (error) {
  console.error(error instanceof WasmUringError ? error.message : error);
  process.exitCode = 2;
}
