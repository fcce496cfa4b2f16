/**
 * Runs the built command line as a user does, in a folder of its own. WASM_URING_CLI names another
 * build than dist/cli.js.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const CLI = resolve(process.env.WASM_URING_CLI ?? "dist/cli.js");

/** Far beyond what any command here takes, so that a hang fails instead of staying. */
const PATIENCE_MS = 30_000;

export interface CommandResult {
  /** null when a signal ended it. */
  exitCode: number | null;
  stdout: string;
  stderr: string;
}

export interface CommandOptions {
  stdin?: string;
  env?: Record<string, string>;
  /** Called once the process runs, to signal it. */
  meanwhile?: (child: ChildProcess) => void;
}

export function runCli(
  words: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  return new Promise((done, failed) => {
    const child = spawn(process.execPath, [CLI, ...words], {
      env: { ...process.env, ...options.env },
      timeout: PATIENCE_MS,
    });
    const chunks: { stdout: Buffer[]; stderr: Buffer[] } = { stdout: [], stderr: [] };
    child.stdout.on("data", (chunk: Buffer) => chunks.stdout.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => chunks.stderr.push(chunk));
    child.stdin.on("error", () => undefined);
    child.on("error", failed);
    child.on("close", (exitCode) => {
      const stdout = Buffer.concat(chunks.stdout).toString("utf8");
      const stderr = Buffer.concat(chunks.stderr).toString("utf8");
      done({ exitCode, stdout, stderr });
    });
    child.stdin.end(options.stdin ?? "");
    options.meanwhile?.(child);
  });
}

/** A folder that is gone when the tests are. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "wasm-uring-cli-"));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
