/**
 * `npm run bench`: how fast is a guest's ring against the same loop in C? Rounds of all systems
 * interleaved in one run, in turning order, and the ratio taken within each round: absolute numbers
 * drift with the machine, ratios less. Prints tables and writes build/bench/ratios.json.
 *
 *   node build/bench/ratios.js [--quick] [--rounds N] [--seconds S] [--depths 1,2,4] [--only PART]...
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus, loadavg, release, tmpdir } from "node:os";
import { dirname } from "node:path";
import Table from "cli-table3";
import { Command } from "commander";
import { type Spread, showSpread, spread } from "../host/cli/figure/spread";
import { makeTestFile, takesDirect } from "../host/cli/figure/test-file";
import { type GuestCost, measureGuestCost, measureIdle } from "./guest-cost";
import { measurePoint, type Point, type PointResult } from "./measure-point";
import { measureWasi } from "./wasi-speed/report";

const DEPTHS = [1, 2, 4, 8, 16, 32, 64, 128];
const REPORT = new URL("./ratios.json", import.meta.url).pathname;
const PARTS = ["ratios", "flags", "others", "guests", "wasi"];

interface Settings {
  rounds: number;
  seconds: number;
  depths: number[];
  guests: number;
  file: string;
  fileBytes: number;
  caches: boolean[];
}

/** One system at one depth, over all rounds. */
interface Series {
  label: string;
  point: Point;
  iops: Spread;
  cpuUsPerIo: number;
  enterCallsPerIo: number;
  /** Against the first series of its group, round by round. */
  ratio: Spread;
}

function cacheName(direct: boolean): string {
  return direct ? "O_DIRECT" : "page cache";
}

function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
}

/**
 * Measures a group of points in interleaved rounds; the first is what the others are divided by.
 */
async function measureGroup(
  settings: Settings,
  group: readonly { label: string; point: Point }[],
): Promise<Series[]> {
  const results = group.map((): PointResult[] => []);
  for (let round = 0; round < settings.rounds; round++) {
    // Every other round backwards: a drift within a round falls on both.
    const order = group.map((_, index) => index);
    if (round % 2 === 1) order.reverse();
    for (const index of order) {
      const { label, point } = group[index] ?? {
        label: "",
        point: { path: "", iodepth: 0, direct: false, sqpoll: false },
      };
      progress(
        `${cacheName(point.direct)}, depth ${point.iodepth}, ${label}, round ${round + 1} of ${settings.rounds}`,
      );
      results[index]?.push(await measurePoint(settings.file, point, settings.seconds));
    }
  }
  progress("");
  const base = results[0] ?? [];
  return group.map(({ label, point }, index) => {
    const own = results[index] ?? [];
    return {
      label,
      point,
      iops: spread(own.map((result) => result.iops)),
      cpuUsPerIo: spread(own.map((result) => result.cpuUsPerIo)).median,
      enterCallsPerIo: spread(own.map((result) => result.enterCallsPerIo)).median,
      ratio: spread(own.map((result, round) => result.iops / (base[round]?.iops ?? Number.NaN))),
    };
  });
}

function kilo(iops: Spread): string {
  return (iops.median / 1000).toFixed(iops.median < 100_000 ? 1 : 0);
}

function printTable(
  title: string,
  head: readonly string[],
  rows: readonly (readonly string[])[],
): void {
  const table = new Table({ head: [...head], style: { head: [], border: [], compact: true } });
  for (const row of rows) table.push([...row]);
  process.stdout.write(`\n${title}\n${table.toString()}\n`);
}

/** Passthrough against native, enter and SQPOLL, at every depth. */
async function measureRatios(settings: Settings): Promise<Series[]> {
  const all: Series[] = [];
  for (const direct of settings.caches) {
    for (const sqpoll of [false, true]) {
      const rows: string[][] = [];
      for (const iodepth of settings.depths) {
        const point = { iodepth, direct, sqpoll };
        const [native, guest] = await measureGroup(settings, [
          { label: "native", point: { ...point, path: "native" } },
          { label: "passthrough", point: { ...point, path: "passthrough" } },
        ]);
        if (native === undefined || guest === undefined) continue;
        all.push(native, guest);
        const cpu = `${guest.cpuUsPerIo.toFixed(2)} / ${native.cpuUsPerIo.toFixed(2)}`;
        const calls = guest.enterCallsPerIo.toFixed(4);
        rows.push([
          String(iodepth),
          kilo(guest.iops),
          kilo(native.iops),
          showSpread(guest.ratio, 2),
          cpu,
          calls,
        ]);
      }
      const head = [
        "depth",
        "guest kIOPS",
        "native kIOPS",
        "guest / native",
        "CPU µs/IO",
        "enter calls/IO",
      ];
      const mode = sqpoll ? "SQPOLL" : "enter";
      printTable(
        `4 KiB random reads, ${cacheName(direct)}, ${mode}: passthrough / native`,
        head,
        rows,
      );
    }
  }
  return all;
}

/** The native twin with each set of set-up flags: what the host should choose. */
async function measureFlags(settings: Settings): Promise<Series[]> {
  const all: Series[] = [];
  for (const direct of settings.caches) {
    const rows: string[][] = [];
    for (const iodepth of settings.depths) {
      const group = ["none", "coop", "single", "defer"].map((nativeFlags) => ({
        label: nativeFlags,
        point: { path: "native", iodepth, direct, sqpoll: false, nativeFlags },
      }));
      const series = await measureGroup(settings, group);
      all.push(...series);
      rows.push([
        String(iodepth),
        ...series.map((one) => `${kilo(one.iops)}  ×${one.ratio.median.toFixed(2)}`),
      ]);
    }
    const head = ["depth", "none", "COOP_TASKRUN", "SINGLE_ISSUER", "DEFER_TASKRUN"];
    printTable(`Native set-up flags, ${cacheName(direct)}, kIOPS and × none`, head, rows);
  }
  return all;
}

/** What one would use instead, for orientation. */
async function measureOthers(settings: Settings): Promise<Series[]> {
  const all: Series[] = [];
  const depth = Math.min(32, Math.max(...settings.depths));
  for (const direct of settings.caches) {
    const group = [
      { label: `passthrough ×${depth}`, path: "passthrough", iodepth: depth },
      { label: "passthrough ×1", path: "passthrough", iodepth: 1 },
      { label: "fs-sync", path: "fs-sync", iodepth: 1 },
      { label: `fs-promises ×${depth}`, path: "fs-promises", iodepth: depth },
      { label: "node-wasi", path: "node-wasi", iodepth: 1 },
    ].map(({ label, path, iodepth }) => ({
      label,
      point: { path, iodepth, direct, sqpoll: false },
    }));
    const series = await measureGroup(settings, group);
    all.push(...series);
    const rows = series.map(({ label, iops, cpuUsPerIo, ratio }) => [
      label,
      kilo(iops),
      cpuUsPerIo.toFixed(2),
      showSpread(ratio, 2),
    ]);
    printTable(
      `Instead of a ring, ${cacheName(direct)}`,
      ["system", "kIOPS", "CPU µs/IO", "/ first"],
      rows,
    );
  }
  return all;
}

function printGuestCost(cost: GuestCost): void {
  const kibibytes = (bytes: number) => `${(bytes / 1024).toFixed(0)} KiB`;
  printTable(
    `What a guest costs (${cost.guests} guests)`,
    ["what", "median (min–max)"],
    [
      ["ring set-up, µs", showSpread(cost.setupUs, 0)],
      ["whole life of a guest that does nothing, ms", showSpread(cost.wholeLifeMs, 1)],
      [
        "host memory of an idle guest beside its pages and a thread",
        kibibytes(cost.idleGuestBytes),
      ],
      ["a bare worker thread", kibibytes(cost.bareThreadBytes)],
    ],
  );
}

async function measureAll(settings: Settings, parts: readonly string[]): Promise<void> {
  const machine = {
    date: new Date().toISOString(),
    kernel: release(),
    node: process.version,
    cpu: `${cpus().length} × ${cpus()[0]?.model.trim() ?? "unknown"}`,
    loadBefore: loadavg()[0],
  };
  process.stdout.write(
    `${machine.cpu}, Linux ${machine.kernel}, Node ${machine.node}, ${machine.date}; `,
  );
  process.stdout.write(
    `${settings.rounds} rounds of ${settings.seconds} s, file of ${settings.fileBytes >> 20} MiB\n`,
  );
  const has = (part: string) => parts.includes(part);
  const { rounds, seconds: secondsEach } = settings;
  const report = {
    machine,
    settings: { ...settings, file: undefined, caches: settings.caches.map(cacheName) },
    ratios: has("ratios") ? await measureRatios(settings) : [],
    flags: has("flags") ? await measureFlags(settings) : [],
    others: has("others") ? await measureOthers(settings) : [],
    guests: has("guests") ? await measureGuestCost(settings.file, settings.guests) : null,
    wasi: has("wasi") ? await measureWasi({ rounds, secondsEach, progress }) : null,
  };
  if (report.guests !== null) printGuestCost(report.guests);
  mkdirSync(dirname(REPORT), { recursive: true });
  writeFileSync(REPORT, `${JSON.stringify(report, null, 2)}\n`);
  process.stdout.write(`\nwritten to ${REPORT}\n`);
}

interface Flags {
  quick?: boolean;
  rounds: string;
  seconds: string;
  depths?: string;
  only?: string[];
}

async function main(flags: Flags): Promise<void> {
  const quick = flags.quick === true;
  const parts = flags.only ?? (quick ? ["ratios", "others", "guests", "wasi"] : PARTS);
  const fileBytes = (quick ? 64 : 512) << 20;
  const file = makeTestFile(fileBytes, tmpdir());
  const caches = takesDirect(file.path) ? [false, true] : [false];
  if (caches.length === 1)
    process.stdout.write("no O_DIRECT on the temporary folder's filesystem: skipped\n");
  try {
    const settings: Settings = {
      rounds: quick ? 1 : Number(flags.rounds),
      seconds: quick ? 0.1 : Number(flags.seconds),
      depths: flags.depths?.split(",").map(Number) ?? (quick ? [1, 32] : DEPTHS),
      guests: quick ? 4 : 32,
      file: file.path,
      fileBytes,
      caches,
    };
    await measureAll(settings, parts);
  } finally {
    file.remove();
  }
}

if (process.argv[2] === "--idle") {
  await measureIdle(process.argv[3] ?? "", Number(process.argv[4]), process.argv[5] ?? "");
}
await new Command("ratios")
  .option("--quick", "a smoke run of a few seconds")
  .option("--rounds <n>", "interleaved rounds", "5")
  .option("--seconds <s>", "measured time of a point", "0.5")
  .option("--depths <list>", "queue depths, with commas between")
  .option("--only <part...>", `only these parts: ${PARTS.join(", ")}`)
  .action(main)
  .parseAsync();
