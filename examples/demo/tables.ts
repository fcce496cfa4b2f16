/**
 * What the demo prints: tables for people, the same on a terminal and on a pipe but for the
 * colours.
 */
import Table from "cli-table3";
import color from "picocolors";
import type { Run } from "./ways";

/** No lines between the rows: there are many. */
const PLAIN = {
  ...{ top: "", "top-mid": "", "top-left": "", "top-right": "" },
  ...{ bottom: "", "bottom-mid": "", "bottom-left": "", "bottom-right": "" },
  ...{ left: "", "left-mid": "", mid: "", "mid-mid": "", right: "", "right-mid": "", middle: "  " },
};

function plainTable(head: readonly string[], rightAligned: readonly number[] = []) {
  return new Table({
    head: head.map((title) => color.bold(title)),
    chars: PLAIN,
    style: { head: [], border: [], "padding-left": 0, "padding-right": 0 },
    colAligns: head.map((_, column) => (rightAligned.includes(column) ? "right" : "left")),
  });
}

/** The runs of one way, or why there are none. */
export interface Measured {
  name: string;
  runs: Run[];
  unavailable: string | null;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((left, right) => left - right);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

function perRead(run: Run): string {
  if (run.calls === null || run.reads === null || run.reads === 0) return "-";
  return (run.calls / run.reads).toFixed(3);
}

export function speedTable(ways: readonly Measured[], sizeBytes: number): string {
  const head = ["way", "count", "MB/s", "ms", "reads", "syscalls", "per read"];
  const table = plainTable(head, [1, 2, 3, 4, 5, 6]);
  const reasons: string[] = [];
  for (const { name, runs, unavailable } of ways) {
    const elapsedMs = median(runs.map((run) => run.elapsedMs));
    const run = runs.find((each) => each.elapsedMs === elapsedMs);
    if (run === undefined) {
      reasons.push(color.yellow(`${name}: not available: ${unavailable}`));
      continue;
    }
    const rate = Math.round(sizeBytes / elapsedMs / 1000);
    const numbers = [
      run.count,
      rate,
      elapsedMs.toFixed(0),
      run.reads ?? "-",
      run.calls ?? "-",
      perRead(run),
    ];
    // No result is reported from a path other than the one asked for.
    const engine = run.ring === null ? "" : ` (${run.ring.engine})`;
    table.push([name + engine, ...numbers.map(String)]);
  }
  return [table.toString(), ...reasons].join("\n");
}

/** What the guest `hostile` printed, taken apart. */
export interface Refusals {
  rows: readonly (readonly string[])[];
  /** Its own last lines: notes and the summary. */
  closing: readonly string[];
}

export function parseRefusals(output: string): Refusals {
  const [, ...lines] = output.trimEnd().split("\n");
  const isRow = (line: string) => line.split(/ {2,}/).length >= 3;
  return {
    rows: lines.filter(isRow).map((line) => line.split(/ {2,}/)),
    closing: lines.filter((line) => !isRow(line)),
  };
}

export function refusalTable({ rows }: Refusals): string {
  const table = plainTable(["attempt", "would gain", "answer"]);
  for (const [attempt = "", gain = "", answer = "", verdict = ""] of rows) {
    const refused = /^E[A-Z]/.test(answer);
    const shown =
      verdict !== "" ? color.red(`${answer}  ${verdict}`) : refused ? color.green(answer) : answer;
    table.push([attempt, color.dim(gain), shown]);
  }
  return table.toString();
}
