/** The figure on the terminal: a table for each load, systems down, depths across. */
import Table from "cli-table3";
import { columns, heading, paint } from "../paint";
import type { Goal } from "./goals";
import { machineLine } from "./machine";
import type { FigureReport, Series, SeriesPoint } from "./report";
import { CACHE_NAMES, cacheLabel, FIGURE_RW_NAMES, labelOf, rwLabel } from "./systems";

function short(value: number): string {
  if (value >= 100) return value.toFixed(0);
  return value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

/** How far the rounds lie apart, as a part of the median: "±7 %". */
function spreadText({ iops: { median, min, max } }: SeriesPoint): string {
  const percent = median === 0 ? 0 : (50 * (max - min)) / median;
  return `±${percent.toFixed(0)} %`;
}

const QUANTITIES: readonly { title: string; show(point: SeriesPoint): string }[] = [
  { title: "kIOPS", show: (point) => short(point.iops.median / 1000) },
  { title: "spread of kIOPS", show: spreadText },
  { title: "CPU µs per I/O", show: (point) => short(point.cpuUsPerIo.median) },
  { title: "p99 latency, µs", show: (point) => short(point.p99Us.median) },
];

function tableOf(title: string, series: readonly Series[], show: (point: SeriesPoint) => string) {
  const all = series.flatMap(({ points }) => points.map((point) => point.depth));
  const depths = [...new Set(all)].sort((left, right) => left - right);
  const table = new Table({
    head: [title, ...depths.map(String)],
    colAligns: ["left", ...depths.map(() => "right" as const)],
    style: { head: [], border: [], compact: true },
  });
  for (const { label, points } of series) {
    const cells = depths.map((depth) => {
      const point = points.find((candidate) => candidate.depth === depth);
      return point === undefined ? "" : show(point);
    });
    table.push([label, ...cells]);
  }
  return `${table.toString()}\n`;
}

function loadTables({ series, settings }: FigureReport): string {
  return FIGURE_RW_NAMES.flatMap((rw) =>
    CACHE_NAMES.flatMap((cache) => {
      const own = series.filter((one) => one.rw === rw && one.cache === cache);
      if (own.length === 0) return [];
      const tables = QUANTITIES.filter(({ show }) => show !== spreadText || settings.rounds > 1);
      return [
        heading(`4 KiB ${rwLabel(rw)}, ${cacheLabel(cache)}, by queue depth`),
        ...tables.map(({ title, show }) => tableOf(title, own, show)),
      ];
    }),
  ).join("");
}

function goalText({ ratio, wanted, met }: Goal): string {
  const text = `×${ratio.median.toFixed(2)}`;
  return met ? paint.green(text) : paint.red(`${text} (wanted ${wanted})`);
}

function goalTable(goals: readonly Goal[]): string {
  if (goals.length === 0) return "";
  const rows = new Map<string, string[]>();
  for (const goal of goals) {
    const quantity = goal.goal === "iops" ? "IOPS" : "IOPS per CPU-second";
    const name = `${quantity}, against ${labelOf(goal.against)}`;
    rows.set(name, [...(rows.get(name) ?? []), `${goal.depth}: ${goalText(goal)}`]);
  }
  const lines = [...rows].map(([name, cells]) => [name, cells.join("  ")]);
  return `${heading("Goals: passthrough (enter), O_DIRECT random reads, depth: quotient")}${columns(lines)}`;
}

/** Which systems cannot run, and where, by the reason. */
function missingLines({ skipped, failures }: FigureReport): string {
  const reasons = new Map<string, { who: Set<string>; where: Set<string> }>();
  for (const { system, rw, cache, reason } of skipped) {
    const { who, where } = reasons.get(reason) ?? { who: new Set(), where: new Set() };
    reasons.set(reason, {
      who: who.add(labelOf(system)),
      where: where.add(`${rwLabel(rw)} ${cacheLabel(cache)}`),
    });
  }
  const skippedText = [...reasons].map(
    ([reason, { who, where }]) =>
      `  ${[...who].join("; ")} (${[...where].join(", ")}):\n    ${reason}\n`,
  );
  const failedText = failures.map(
    ({ system, rw, cache, depth, round, reason }) =>
      `  ${labelOf(system)}, ${rwLabel(rw)}, ${cacheLabel(cache)}, depth ${depth}, ` +
      `round ${round + 1}: ${reason}\n`,
  );
  return [
    skippedText.length > 0 ? heading("Not possible here") : "",
    ...skippedText,
    failedText.length > 0 ? heading("Failed") : "",
    ...failedText,
  ].join("");
}

export function renderFigure(report: FigureReport): string {
  const { rounds, runtime, fileBytes } = report.settings;
  const how = `${rounds} ${rounds === 1 ? "round" : "rounds"} of ${runtime} s, file of ${fileBytes >> 20} MiB`;
  return `${paint.bold(machineLine(report.machine))}\n${how}\n${loadTables(report)}${goalTable(report.goals)}${missingLines(report)}`;
}
