/** What the tests of granting share: a folder of their own, the system calls, and a look at what is left open. */
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Test } from "uvu";
import * as assert from "uvu/assert";
import { WasmUringError } from "../../host/errors";
import { loadSyscalls } from "../../host/ffi/load";
import type { Syscalls } from "../../host/ffi/syscalls";
import { openGrants } from "../../host/grant/open";
import type { GrantRequest } from "../../host/grant/request";

export const folder = fs.mkdtempSync(join(tmpdir(), "wasm-uring-grant-"));
process.on("exit", () => fs.rmSync(folder, { recursive: true, force: true }));
export const { syscalls, reason } = loadSyscalls();

type Body = (table: Syscalls) => void | Promise<void>;

/** Adds tests that need system calls: Linux only, skipped aloud elsewhere. */
export function onLinuxOf(test: Test): (name: string, body: Body) => void {
  return (name, body) => {
    test(name, () => {
      if (syscalls === null) return console.log(`skipped "${name}": ${reason}`);
      return body(syscalls);
    });
  };
}

export function fileOf(name: string, content = "hello"): string {
  const path = join(folder, name);
  fs.writeFileSync(path, content);
  return path;
}

export function openDescriptors(): number {
  return fs.readdirSync("/proc/self/fd").length;
}

/** The message of the ERR_BAD_GRANT, after seeing that no descriptor was left open. */
export function refusal(
  files: Record<string, GrantRequest>,
  table: Syscalls | null = syscalls,
): string {
  const before = process.platform === "linux" ? openDescriptors() : 0;
  try {
    openGrants(files, table).close();
  } catch (error) {
    if (process.platform === "linux") assert.is(openDescriptors(), before);
    assert.ok(error instanceof WasmUringError && error.code === "ERR_BAD_GRANT", String(error));
    return error.message;
  }
  throw new Error(`granted: ${JSON.stringify(files)}`);
}
