/**
 * The JSON of a figure: on what, how and what was measured, every round's numbers included. A chart
 * can be drawn from it again, so its shape is checked when it is read.
 */
import { readFileSync } from "node:fs";
import * as v from "valibot";
import { badOption } from "../failure";
import { GoalSchema } from "./goals";
import { SampleSchema } from "./point";
import { CACHE_NAMES, FIGURE_RW_NAMES } from "./systems";

/** Its second part changes when a reader of the first would be misled. */
export const FORMAT = "wasm-uring-figure/1";

const number = v.pipe(v.number(), v.minValue(0));

const MachineSchema = v.object({
  cpu: v.string(),
  cores: number,
  memoryBytes: number,
  arch: v.string(),
  kernel: v.string(),
  node: v.string(),
  fileSystem: v.string(),
  device: v.string(),
  date: v.string(),
  loadAverage: number,
});

export const SpreadSchema = v.object({ median: number, min: number, max: number });

const WhereSchema = {
  system: v.string(),
  rw: v.picklist(FIGURE_RW_NAMES),
  cache: v.picklist(CACHE_NAMES),
};

const PointSchema = v.object({
  depth: number,
  iops: SpreadSchema,
  cpuUsPerIo: SpreadSchema,
  iopsPerCpuSecond: SpreadSchema,
  p99Us: SpreadSchema,
  rounds: v.array(SampleSchema),
});

const SeriesSchema = v.object({
  ...WhereSchema,
  label: v.string(),
  /** Ascending by depth. */
  points: v.array(PointSchema),
});

const ReportSchema = v.object({
  format: v.literal(FORMAT),
  machine: MachineSchema,
  settings: v.object({
    rounds: number,
    depths: v.array(number),
    /** Seconds. */
    runtime: number,
    rampTime: number,
    blockBytes: number,
    fileBytes: number,
    quick: v.boolean(),
  }),
  series: v.array(SeriesSchema),
  /** What cannot run here, and why. */
  skipped: v.array(v.object({ ...WhereSchema, reason: v.string() })),
  /** Points that ran, and badly. */
  failures: v.array(v.object({ ...WhereSchema, depth: number, round: number, reason: v.string() })),
  goals: v.array(GoalSchema),
  elapsedSeconds: number,
});

export type FigureReport = v.InferOutput<typeof ReportSchema>;
export type Series = v.InferOutput<typeof SeriesSchema>;
export type SeriesPoint = v.InferOutput<typeof PointSchema>;
export type Skipped = FigureReport["skipped"][number];
export type Failure = FigureReport["failures"][number];

/** @throws WasmUringError ERR_BAD_OPTION */
export function readReport(path: string): FigureReport {
  try {
    return v.parse(ReportSchema, JSON.parse(readFileSync(path, "utf8")));
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw badOption(
      `--from "${path}"`,
      `it is no figure's JSON: ${why}`,
      "name the figure.json that bench --figure wrote",
    );
  }
}
