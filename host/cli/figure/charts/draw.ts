/**
 * Draws a chart as SVG by echarts, without a browser. Only here is echarts known; it lies in a
 * bundle of its own that is loaded when a chart is drawn.
 */
import { CustomChart, LineChart } from "echarts/charts";
import { GridComponent, LegendComponent, TitleComponent } from "echarts/components";
import { init, setPlatformAPI, use } from "echarts/core";
import { SVGRenderer } from "echarts/renderers";
import { SYSTEMS } from "../systems";
import type { Chart } from "./catalogue";
import { textWidth } from "./measure";
import { heightOf, optionOf, WIDTH } from "./option";
import { darkRules, PAPER } from "./style";

use([LineChart, CustomChart, GridComponent, LegendComponent, TitleComponent, SVGRenderer]);

setPlatformAPI({
  measureText: (text, font) => ({ width: textWidth(text, Number.parseFloat(font ?? "") || 12) }),
});

const FONT = "system-ui, 'Segoe UI', Helvetica, Arial, sans-serif";

function escapeXml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

function describe({ panels, quantity, title }: Chart): string {
  const names = new Set(panels.flatMap(({ series }) => series.map(({ label }) => label)));
  return `${title}: ${quantity.unit} over queue depth for ${[...names].join("; ")}.`;
}

/** Title and description for readers that do not see, the paper, and dark colours. */
function dress(svg: string, chart: Chart): string {
  const head =
    `<title>${escapeXml(chart.title)}</title><desc>${escapeXml(describe(chart))}</desc>` +
    `<style>text{font-family:${FONT}!important}` +
    `@media (prefers-color-scheme:dark){${darkRules()}}</style>` +
    `<rect width="${WIDTH}" height="${heightOf(chart)}" rx="12" fill="${PAPER.light}"/>`;
  return `${svg
    .replace(/^(<svg [^>]*>)/, `$1\n${head}`)
    // What echarts leaves for a pointer that hovers: these pictures have none.
    .replace(/ (class="zr\d+-cls-\d+"|pointer-events="[a-z]+"|ecmeta_\w+="\w*")/g, "")
    // As much, and understood by every reader of SVG.
    .replaceAll('dominant-baseline="central"', 'dy="0.35em"')
    .replace(/<style\s*>\s*<!\[CDATA\[.*?\]\]>\s*<\/style>\s*/gs, "")
    .trim()}\n`;
}

/** @param subtitle what and on what, one or two lines */
export function drawChart(chart: Chart, subtitle: string): string {
  const canvas = init(null, null, {
    renderer: "svg",
    ssr: true,
    width: WIDTH,
    height: heightOf(chart),
  });
  try {
    const flat = new Set(SYSTEMS.filter((one) => one.oneAtATime === true).map(({ name }) => name));
    canvas.setOption(optionOf(chart, subtitle, flat));
    return dress(canvas.renderToSVGString(), chart);
  } finally {
    canvas.dispose();
  }
}
