/** A chart as echarts wants to be told: panels beside each other, one legend below, nothing moves. */
import type { CustomSeriesOption, LineSeriesOption } from "echarts/charts";
import type {
  GridComponentOption,
  LegendComponentOption,
  TitleComponentOption,
} from "echarts/components";
import type { ComposeOption } from "echarts/core";
import type { Series } from "../report";
import { cacheLabel } from "../systems";
import { axesOf } from "./axes";
import type { Chart, Quantity } from "./catalogue";
import { textWidth } from "./measure";
import { SOFT, styleOf, TEXT } from "./style";

export const WIDTH = 960;
const MARGIN = 24;
const TOP = 126;
const PLOT_HEIGHT = 280;
/** Labels and name of the axis below the plot. */
const BELOW_PLOT = 62;
const AXIS_SPACE = 58;
const LEGEND_FONT = 13;
const LEGEND_ICON = 38;
const LEGEND_GAP = 20;
const LEGEND_ROW = 24;
const MARKER_SIZE = 8;
const CAP_WIDTH = 6;

type PanelSeries = LineSeriesOption | CustomSeriesOption;
export type ChartOption = ComposeOption<
  | LineSeriesOption
  | CustomSeriesOption
  | GridComponentOption
  | LegendComponentOption
  | TitleComponentOption
>;

interface Place {
  left: number;
  width: number;
}

function placeOf(index: number, count: number): Place {
  const whole = (WIDTH - 2 * MARGIN) / count;
  const gap = index < count - 1 ? 16 : 0;
  return { left: MARGIN + index * whole + AXIS_SPACE, width: whole - AXIS_SPACE - gap };
}

/** Where a system that waits for each operation would be at any depth: where it is at 1. */
function flatData(series: Series, quantity: Quantity, lastX: number) {
  const [point] = series.points;
  const value = point === undefined ? 0 : quantity.of(point).median;
  return [{ value: [0, value] }, { value: [lastX, value], symbol: "none" }];
}

function lineOf(
  series: Series,
  quantity: Quantity,
  panel: number,
  flatTo: number | null,
): LineSeriesOption {
  const { colour, marker, dash, width } = styleOf(series.system);
  const data =
    flatTo === null
      ? series.points.map((point) => [Math.log2(point.depth), quantity.of(point).median])
      : flatData(series, quantity, flatTo);
  return {
    type: "line",
    name: series.label,
    xAxisIndex: panel,
    yAxisIndex: panel,
    data,
    symbol: marker,
    symbolSize: MARKER_SIZE,
    showSymbol: true,
    showAllSymbol: true,
    silent: true,
    emphasis: { disabled: true },
    // Ours is the one to follow where lines cross.
    z: series.system.startsWith("passthrough") ? 4 : 3,
    lineStyle: { color: colour.light, width, type: dash === undefined ? "solid" : [...dash] },
    itemStyle: { color: colour.light },
  };
}

/** From the smallest to the largest round, with caps. */
function whiskersOf(series: Series, quantity: Quantity, panel: number): CustomSeriesOption {
  const { colour } = styleOf(series.system);
  return {
    type: "custom",
    xAxisIndex: panel,
    yAxisIndex: panel,
    silent: true,
    z: 1,
    encode: { x: 0, y: [1, 2] },
    data: series.points.map((point) => {
      const { min, max } = quantity.of(point);
      return [Math.log2(point.depth), min, max];
    }),
    renderItem: (_, api) => {
      const [x = 0, low = 0] = api.coord([api.value(0), api.value(1)]);
      const [, high = 0] = api.coord([api.value(0), api.value(2)]);
      const left = x - CAP_WIDTH / 2;
      const right = x + CAP_WIDTH / 2;
      // In one stroke: the lower cap, up to the upper one, along it.
      const points = [
        ...[
          [left, low],
          [right, low],
          [x, low],
        ],
        ...[
          [x, high],
          [left, high],
          [right, high],
        ],
      ];
      const style = { stroke: colour.light, fill: "none", lineWidth: 1.2, opacity: 0.55 };
      return { type: "polyline", shape: { points }, style };
    },
  };
}

function titlesOf(chart: Chart, subtitle: string): TitleComponentOption[] {
  const main: TitleComponentOption = {
    text: chart.title,
    subtext: subtitle,
    left: MARGIN,
    top: 16,
    padding: 0,
    itemGap: 14,
    textStyle: { fontSize: 19, fontWeight: 600, color: TEXT.light },
    subtextStyle: { fontSize: 12.5, lineHeight: 17, color: SOFT.light },
  };
  const panels = chart.panels.map(({ cache }, index): TitleComponentOption => {
    const { left } = placeOf(index, chart.panels.length);
    return {
      text: `${cacheLabel(cache)}, ${chart.quantity.unit}`,
      left: left - AXIS_SPACE,
      top: TOP - 32,
      padding: 0,
      textStyle: { fontSize: 14, fontWeight: 600, color: TEXT.light },
    };
  });
  return [main, ...panels];
}

/** Names in the order of the catalogue, each once. */
function namesOf({ panels }: Chart): string[] {
  return [...new Set(panels.flatMap(({ series }) => series.map(({ label }) => label)))];
}

/** How many rows the legend's names take. */
function legendRows(chart: Chart): number {
  let rows = 1;
  let right = 0;
  for (const name of namesOf(chart)) {
    const width = LEGEND_ICON + 5 + textWidth(name, LEGEND_FONT);
    if (right > 0 && right + width > WIDTH - 2 * MARGIN) {
      rows++;
      right = 0;
    }
    right += width + LEGEND_GAP;
  }
  return rows;
}

/** The plot's height is the same in all charts; the legend below takes what it needs. */
export function heightOf(chart: Chart): number {
  return TOP + PLOT_HEIGHT + BELOW_PLOT + legendRows(chart) * LEGEND_ROW + 4;
}

function legendOf(chart: Chart): LegendComponentOption {
  return {
    data: namesOf(chart),
    left: MARGIN,
    right: MARGIN,
    top: TOP + PLOT_HEIGHT + BELOW_PLOT,
    itemWidth: LEGEND_ICON,
    itemHeight: 9,
    itemGap: LEGEND_GAP,
    padding: 0,
    textStyle: { fontSize: LEGEND_FONT, color: TEXT.light },
    inactiveColor: SOFT.light,
  };
}

/** @param flat systems that wait for each operation: a level line says so */
export function optionOf(chart: Chart, subtitle: string, flat: ReadonlySet<string>): ChartOption {
  const { panels, quantity } = chart;
  const axes = axesOf(chart);
  const series = panels.flatMap((panel, index): PanelSeries[] =>
    panel.series.flatMap((one) => [
      ...(one.points.some(({ rounds }) => rounds.length > 1)
        ? [whiskersOf(one, quantity, index)]
        : []),
      lineOf(one, quantity, index, flat.has(one.system) ? axes.lastX : null),
    ]),
  );
  return {
    animation: false,
    title: titlesOf(chart, subtitle),
    legend: legendOf(chart),
    grid: panels.map((_, index) => ({
      ...placeOf(index, panels.length),
      top: TOP,
      height: PLOT_HEIGHT,
    })),
    xAxis: axes.x,
    yAxis: axes.y,
    series,
  };
}
