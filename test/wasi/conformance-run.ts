/**
 * Runs one case of a conformance guest (test/guests/wasi) with directories of its own, by whichever
 * provider: what the frame of the guests promises is laid out here.
 */
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { WASI as NodeWASI } from "node:wasi";
import { runGuest } from "wasm-uring";
import { WASI } from "wasm-uring/wasi";

export const PROGRAMS = [
  ...["wasi-fd-data", "wasi-fd-table", "wasi-readdir", "wasi-path-open", "wasi-path-change"],
  ...["wasi-clock-poll", "wasi-pointers", "wasi-assembly"],
];

const ENV = { ONE: "1", EQUALS: "a=b" };
const TRAPPED = 134;
const DEADLINE_MS = 30_000;

export interface CaseResult {
  exitCode: number;
  /** Lines that say which assertions do not hold. */
  output: string;
}

interface Place {
  preopens: Record<string, { path: string; readOnly: boolean }>;
  stdin: number;
  stdout: number;
  /** Closes and removes everything; what the guest printed. */
  finish: () => string;
}

function makePlace(): Place {
  const root = mkdtempSync(join(tmpdir(), "wasm-uring-conformance-"));
  for (const folder of ["rw", "ro", "ro/folder", "host"]) mkdirSync(join(root, folder));
  writeFileSync(join(root, "ro/file"), "content");
  symlinkSync("/etc/passwd", join(root, "host/absolute"));
  symlinkSync("../rw", join(root, "host/up"));
  symlinkSync("loop", join(root, "host/loop"));
  writeFileSync(join(root, "stdin"), "input of the runner\n");
  const stdin = openSync(join(root, "stdin"), "r");
  const stdout = openSync(join(root, "stdout"), "w");
  return {
    preopens: {
      "/rw": { path: join(root, "rw"), readOnly: false },
      "/ro": { path: join(root, "ro"), readOnly: true },
      "/host": { path: join(root, "host"), readOnly: false },
    },
    stdin,
    stdout,
    finish: () => {
      for (const fd of [stdin, stdout]) closeSync(fd);
      const output = readFileSync(join(root, "stdout"), "utf8");
      rmSync(root, { recursive: true, force: true });
      return output;
    },
  };
}

const modules = new Map<string, WebAssembly.Module>();

export function moduleOf(program: string): WebAssembly.Module {
  const path = `build/guests/${program}.wasm`;
  const module = modules.get(program) ?? new WebAssembly.Module(readFileSync(path));
  modules.set(program, module);
  return module;
}

/** argv of every case: the words after its name are what `arguments` looks for. */
function argsOf(program: string, name: string | null): string[] {
  return name === null ? [program] : [program, name, "two words", "Grüße"];
}

function startOn(wasi: NodeWASI | WASI, program: string): number {
  const imports: WebAssembly.Imports = { wasi_snapshot_preview1: { ...wasi.wasiImport } };
  try {
    return wasi.start(new WebAssembly.Instance(moduleOf(program), imports));
  } catch (error) {
    if (error instanceof WebAssembly.RuntimeError) return TRAPPED;
    throw error;
  }
}

/** On this thread, by the class WASI. */
export function runSynchronously(program: string, name: string | null): CaseResult {
  const place = makePlace();
  const { preopens, stdin, stdout } = place;
  const args = argsOf(program, name);
  const wasi = new WASI({ version: "preview1", args, env: ENV, preopens, stdin, stdout });
  let exitCode = -1;
  try {
    exitCode = startOn(wasi, program);
  } finally {
    wasi.close();
  }
  return { exitCode, output: place.finish() };
}

/** On a thread of its own, as every guest. */
export async function runInWorker(program: string, name: string): Promise<CaseResult> {
  const place = makePlace();
  const { preopens, stdin, stdout } = place;
  const { outcome, exitCode } = await runGuest(moduleOf(program), {
    ...{ args: argsOf(program, name), env: ENV, preopens, stdin, stdout },
    deadlineMs: DEADLINE_MS,
  });
  const said = outcome.kind === "host-failure" ? `${outcome.error.message}\n` : "";
  return { exitCode, output: said + place.finish() };
}

/** On this thread, by node:wasi, which knows no read-only directories. */
export async function runByNode(program: string, name: string): Promise<CaseResult> {
  // Not imported above: that alone prints a warning.
  const { WASI: NodeWASI } = await import("node:wasi");
  const place = makePlace();
  const { preopens, stdin, stdout } = place;
  const folders = Object.entries(preopens).map(([guest, { path }]) => [guest, path] as const);
  const wasi = new NodeWASI({
    ...{ version: "preview1", args: argsOf(program, name), env: ENV, stdin, stdout },
    preopens: Object.fromEntries(folders),
  });
  return { exitCode: startOn(wasi, program), output: place.finish() };
}
