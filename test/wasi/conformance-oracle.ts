/**
 * node:wasi as the oracle, in a process of Node 24 or later: before that it can crash in large
 * writes. The child runs every case in turn and prints one line of JSON for each; a case that kills
 * it, or hangs, is noted and the next child goes on behind it.
 */
import { spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { join } from "node:path";
import { type CaseResult, runByNode } from "./conformance-run";

const ORACLE_MAJOR = 24;
const CHILD_TIMEOUT_MS = 60_000;
const ENDLESS_TIMEOUT_MS = 3_000;
const FLAG = "--oracle";

export interface OracleAnswer extends CaseResult {
  key: string;
}

function majorOf(node: string): number {
  const { stdout } = spawnSync(node, ["-p", "process.versions.node"], { encoding: "utf8" });
  return Number(stdout?.split(".")[0] ?? 0);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * This Node, when it is new enough; else WASI_ORACLE_NODE; else a newer one that .ci/run brought or
 * that is in the PATH. null when there is none.
 */
export function findOracle(): string | null {
  if (Number(process.versions.node.split(".")[0]) >= ORACLE_MAJOR) return process.execPath;
  const brought = [24, 26].map(
    (version) => `build/nodes/${version}/node_modules/node-linux-${process.arch}/bin/node`,
  );
  const folders = (process.env["PATH"] ?? "").split(":").filter((folder) => folder !== "");
  const inPath = folders.flatMap((folder) =>
    ["node24", "node26", "node"].map((n) => join(folder, n)),
  );
  const candidates = [process.env["WASI_ORACLE_NODE"] ?? "", ...brought, ...inPath];
  const found = candidates.find((path) => isExecutable(path) && majorOf(path) >= ORACLE_MAJOR);
  return found ?? null;
}

/** Whether this process is the child; then it ran the cases that are named in its arguments. */
export async function servedAsOracle(): Promise<boolean> {
  const at = process.argv.indexOf(FLAG);
  if (at < 0) return false;
  for (const key of process.argv.slice(at + 1)) {
    const [program = "", name = ""] = key.split("/");
    process.stdout.write(`${JSON.stringify({ key })}\n`);
    process.stdout.write(`${JSON.stringify({ key, ...(await runByNode(program, name)) })}\n`);
  }
  return true;
}

/** Asks one child about as many of these as it comes to within the time. */
function askChild(
  node: string,
  keys: readonly string[],
  timeoutMs: number,
): [OracleAnswer[], string] {
  const words = ["--no-warnings", process.argv[1] ?? "", FLAG, ...keys];
  const child = spawnSync(node, words, { encoding: "utf8", timeout: timeoutMs });
  const lines = child.stdout.split("\n").filter((line) => line.endsWith("}"));
  const told: Partial<OracleAnswer>[] = lines.map((line) => JSON.parse(line));
  const answers = told.flatMap(({ key, exitCode, output = "" }) =>
    key === undefined || exitCode === undefined ? [] : [{ key, exitCode, output }],
  );
  return [answers, `ended by ${child.signal ?? child.status}`];
}

/** What node:wasi makes of every case; `endless` are those that it is known not to end. */
export function askOracle(
  node: string,
  keys: readonly string[],
  endless: ReadonlySet<string>,
): Map<string, CaseResult> {
  const answers = new Map<string, CaseResult>();
  let left = keys.filter((key) => !endless.has(key));
  while (left.length > 0) {
    const [told, ending] = askChild(node, left, CHILD_TIMEOUT_MS);
    for (const answer of told) answers.set(answer.key, answer);
    const stuck = left.find((key) => !answers.has(key));
    if (stuck === undefined) break;
    answers.set(stuck, { exitCode: -1, output: ending });
    left = left.slice(left.indexOf(stuck) + 1);
  }
  for (const key of keys.filter((key) => endless.has(key))) {
    const [told, ending] = askChild(node, [key], ENDLESS_TIMEOUT_MS);
    answers.set(key, told[0] ?? { exitCode: -1, output: ending });
  }
  return answers;
}
