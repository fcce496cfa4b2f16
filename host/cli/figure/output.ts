/** Writes what a figure leaves behind: figure.json and one SVG for each chart. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { badOption } from "../failure";
import { chartsOf } from "./charts/catalogue";
import { machineLine } from "./machine";
import type { FigureReport } from "./report";
import { rwLabel } from "./systems";

/** A bundle of its own beside the command: the plotting library is loaded when there is something to draw. */
const CHARTS = new URL("./figure-charts.js", import.meta.url).href;

function subtitleOf({ machine, settings }: FigureReport, rw: "randread" | "randwrite"): string {
  const { rounds, fileBytes, blockBytes, runtime } = settings;
  const medians =
    rounds === 1
      ? `one round of ${runtime} s`
      : `medians of ${rounds} interleaved rounds of ${runtime} s, whiskers from the least to the most`;
  const load = `${blockBytes / 1024} KiB ${rwLabel(rw)} of a file of ${fileBytes >> 20} MiB`;
  return `${load}; ${medians}\n${machineLine(machine)}`;
}

/** Before anything is measured: an hour's work is not to be lost for want of a folder. */
export function makeOutput(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true });
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw badOption(`--output "${folder}"`, `the folder cannot be made: ${why}`);
  }
}

/** @returns the files written */
export async function writeFigure(report: FigureReport, folder: string): Promise<string[]> {
  makeOutput(folder);
  const json = join(folder, "figure.json");
  writeFileSync(json, `${JSON.stringify(report, null, 1)}\n`);
  const { drawChart }: typeof import("./charts/draw") = await import(CHARTS);
  const pictures = chartsOf(report).map((chart) => {
    const path = join(folder, `${chart.name}.svg`);
    writeFileSync(path, drawChart(chart, subtitleOf(report, chart.rw)));
    return path;
  });
  return [json, ...pictures];
}
