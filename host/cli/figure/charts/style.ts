/**
 * How each system looks, the same in every chart: a colour that colour-blind eyes tell apart, and a
 * marker and a dash that tell it apart without any colour. Each colour has two values, for light
 * and for dark paper.
 */

export interface Colour {
  light: string;
  dark: string;
}

export type Marker = "circle" | "rect" | "triangle" | "diamond" | "roundRect" | "emptyCircle";

export interface Style {
  colour: Colour;
  marker: Marker;
  /** Lengths of stroke and gap, px; a whole line where there are none. */
  dash?: readonly number[];
  /** px */
  width: number;
}

const VERMILLION = { light: "#cc4c02", dark: "#ff8a4c" };
const OCHRE = { light: "#9a6a00", dark: "#f0c040" };
const ROSE = { light: "#a3195b", dark: "#ff80b3" };
const BLUE = { light: "#0064b0", dark: "#5eb1ff" };
const VIOLET = { light: "#6f42c1", dark: "#b794f6" };
const GREEN = { light: "#00795a", dark: "#3fd6a4" };
const INK = { light: "#30363d", dark: "#d7dde3" };
const OLIVE = { light: "#6b6b00", dark: "#c8c850" };

const DASHED = [7, 4];
const DOTTED = [2, 3];

const STYLES: Readonly<Record<string, Style>> = {
  passthrough: { colour: VERMILLION, marker: "circle", width: 3 },
  "passthrough-sqpoll": { colour: OCHRE, marker: "diamond", dash: DASHED, width: 2.5 },
  "passthrough-iopoll": { colour: ROSE, marker: "triangle", dash: DOTTED, width: 2.5 },
  native: { colour: INK, marker: "rect", width: 1.5 },
  "native-sqpoll": { colour: INK, marker: "diamond", dash: DASHED, width: 1.5 },
  "native-iopoll": { colour: INK, marker: "triangle", dash: DOTTED, width: 1.5 },
  "virtio-blk-io_uring": { colour: BLUE, marker: "triangle", width: 2 },
  "virtio-blk-io_uring-iothread": { colour: BLUE, marker: "rect", dash: DASHED, width: 2 },
  "virtio-blk-native": { colour: VIOLET, marker: "triangle", width: 2 },
  "virtio-blk-native-iothread": { colour: VIOLET, marker: "rect", dash: DASHED, width: 2 },
  "virtio-blk-threads": { colour: GREEN, marker: "triangle", width: 2 },
  "virtio-blk-threads-iothread": { colour: GREEN, marker: "rect", dash: DASHED, width: 2 },
  "vhost-blk": { colour: GREEN, marker: "roundRect", width: 2 },
  "vhost-user-blk": { colour: VIOLET, marker: "diamond", dash: DASHED, width: 2 },
  "vdpa-sim": { colour: OLIVE, marker: "triangle", dash: DOTTED, width: 2 },
  "fs-promises": { colour: BLUE, marker: "triangle", width: 2 },
  "fs-sync": { colour: GREEN, marker: "roundRect", dash: DOTTED, width: 2 },
  "node-wasi": { colour: VIOLET, marker: "diamond", dash: DOTTED, width: 2 },
};

const PLAIN: Style = { colour: INK, marker: "circle", width: 1.5 };

export function styleOf(system: string): Style {
  return STYLES[system] ?? PLAIN;
}

/** The paper and what is written on it. */
export const PAPER: Colour = { light: "#ffffff", dark: "#0d1117" };
export const TEXT: Colour = { light: "#1f2328", dark: "#f0f6fc" };
export const SOFT: Colour = { light: "#59636e", dark: "#9198a1" };
export const LINE: Colour = { light: "#8c959f", dark: "#656c76" };
export const GRID: Colour = { light: "#e4e8ec", dark: "#232a33" };

const ALL_COLOURS: readonly Colour[] = [
  ...[PAPER, TEXT, SOFT, LINE, GRID],
  ...[VERMILLION, OCHRE, ROSE, BLUE, VIOLET, GREEN, INK, OLIVE],
];

/** Swaps the colours, which stand in the SVG's attributes, where the reader prefers dark. */
export function darkRules(): string {
  return ALL_COLOURS.flatMap(({ light, dark }) =>
    ["fill", "stroke"].map((paint) => `[${paint}="${light}"]{${paint}:${dark}}`),
  ).join("");
}
