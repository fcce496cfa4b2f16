/**
 * Colours and tables for reports: colours only on a terminal and never against NO_COLOR, tables
 * without frames.
 */
import Table from "cli-table3";
import pc from "picocolors";

export const paint = pc.createColors(process.stdout.isTTY === true && !process.env.NO_COLOR);

const NO_FRAME = {
  top: "",
  "top-mid": "",
  "top-left": "",
  "top-right": "",
  bottom: "",
  "bottom-mid": "",
  "bottom-left": "",
  "bottom-right": "",
  left: "  ",
  "left-mid": "",
  mid: "",
  "mid-mid": "",
  right: "",
  "right-mid": "",
  middle: "  ",
};

/** Rows in aligned columns, two blanks apart. */
export function columns(rows: readonly (readonly string[])[]): string {
  const table = new Table({
    chars: NO_FRAME,
    style: { "padding-left": 0, "padding-right": 0, head: [], border: [] },
  });
  for (const row of rows) table.push([...row]);
  const lines = table.toString().split("\n");
  return `${lines.map((line) => line.trimEnd()).join("\n")}\n`;
}

export function heading(text: string): string {
  return `\n${paint.bold(text)}\n`;
}
