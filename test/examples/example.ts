/**
 * Runs one built example guest on one engine, with captured output and a deadline, in a folder of
 * the test's own.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type GrantRequest, type GuestResult, runGuest } from "wasm-uring";
import type { EngineHere } from "../engines";

const DEADLINE_MS = 60_000;

export interface ExampleRun {
  result: GuestResult;
  stdout: string;
  stderr: string;
}

export async function runExample(
  name: string,
  { engine, sqpoll }: EngineHere,
  files: Readonly<Record<string, GrantRequest>>,
  args: readonly string[] = [],
): Promise<ExampleRun> {
  const result = await runGuest(`build/guests/${name}.wasm`, {
    files,
    engine,
    sqpoll,
    args: [name, ...args],
    stdout: "capture",
    stderr: "capture",
    deadlineMs: DEADLINE_MS,
  });
  const decoder = new TextDecoder();
  return { result, stdout: decoder.decode(result.stdout), stderr: decoder.decode(result.stderr) };
}

/** The output of a guest that must end well, on the engine that was asked for. */
export async function outputOf(
  name: string,
  engine: EngineHere,
  files: Readonly<Record<string, GrantRequest>>,
  args: readonly string[] = [],
): Promise<string> {
  const { result, stdout, stderr } = await runExample(name, engine, files, args);
  const context = `${name} on ${engine.label}: ${stderr}`;
  assert.deepEqual(result.outcome, { kind: "exit", exitCode: 0 }, context);
  if (result.ring !== null) assert.equal(result.ring.engine, engine.engine, context);
  return stdout;
}

/** A folder that is gone when the process ends. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "wasm-uring-examples-"));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
