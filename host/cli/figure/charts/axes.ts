/**
 * The axes of a chart: queue depth by its logarithm to base 2, the same in all panels, and a
 * quantity from zero, or by its logarithm where it spans orders of magnitude.
 */
import type { GridComponentOption } from "echarts/components";
import type { ComposeOption } from "echarts/core";
import type { Chart } from "./catalogue";
import { GRID, LINE, SOFT } from "./style";

type Axes = ComposeOption<GridComponentOption>;
type XAxis = Exclude<NonNullable<Axes["xAxis"]>, readonly unknown[]>;
type YAxis = Exclude<NonNullable<Axes["yAxis"]>, readonly unknown[]>;

const LABEL = { color: SOFT.light, fontSize: 12 };
const GRID_LINE = { show: true, lineStyle: { color: GRID.light, width: 1 } };
/** Labels of a logarithmic axis, in each power of ten. */
const STEPS = [1, 2, 5];

function xAxis(panel: number, lastX: number): XAxis {
  return {
    type: "value",
    gridIndex: panel,
    min: 0,
    max: lastX,
    interval: 1,
    name: "queue depth",
    nameLocation: "middle",
    nameGap: 28,
    nameTextStyle: LABEL,
    axisLabel: { ...LABEL, formatter: (exponent: number) => String(2 ** exponent) },
    axisLine: { show: true, onZero: false, lineStyle: { color: LINE.light } },
    axisTick: { show: true, lineStyle: { color: LINE.light } },
    splitLine: { show: false },
    silent: true,
  };
}

function show(value: number): string {
  return value.toLocaleString("en-US", { maximumFractionDigits: 2 });
}

/** From a nanosecond to a day, in microseconds. */
const STEP_VALUES = Array.from({ length: 14 }, (_, index) => index - 3).flatMap((exponent) =>
  STEPS.map((step) => step * 10 ** exponent),
);

/** The steps of 1, 2 and 5 next to the smallest and the largest value. */
function bounds(values: readonly number[]): { min: number; max: number } {
  const positive = values.filter((value) => value > 0);
  const min = STEP_VALUES.findLast((step) => step <= Math.min(...positive)) ?? 1;
  const max = STEP_VALUES.find((step) => step >= Math.max(...positive)) ?? 10;
  return { min, max: max > min ? max : min * 10 };
}

function yAxis(panel: number, isLogarithmic: boolean, values: readonly number[]): YAxis {
  const look = {
    gridIndex: panel,
    axisLabel: { ...LABEL, formatter: show },
    axisLine: { show: false },
    axisTick: { show: false },
    splitLine: GRID_LINE,
    silent: true,
  };
  if (!isLogarithmic) return { ...look, type: "value", min: 0 };
  const { min, max } = bounds(values);
  const customValues = STEP_VALUES.filter((step) => step >= min && step <= max);
  return {
    ...look,
    type: "log",
    logBase: 10,
    min,
    max,
    axisLabel: { ...look.axisLabel, customValues },
    axisTick: { show: false, customValues },
  };
}

export function axesOf({ panels, quantity }: Chart): { lastX: number; x: XAxis[]; y: YAxis[] } {
  const depths = panels.flatMap(({ series }) =>
    series.flatMap(({ points }) => points.map((point) => point.depth)),
  );
  // One depth alone still needs an axis with two ends.
  const lastX = Math.max(1, Math.ceil(Math.log2(Math.max(...depths))));
  return {
    lastX,
    x: panels.map((_, index) => xAxis(index, lastX)),
    y: panels.map(({ series }, index) => {
      const values = series.flatMap(({ points }) =>
        points.flatMap((point) => Object.values(quantity.of(point))),
      );
      return yAxis(index, quantity.isLogarithmic, values);
    }),
  };
}
