/** The file that is measured on: random bytes in the temporary folder, removed at the end. */
import { randomFillSync } from "node:crypto";
import { closeSync, constants, fsyncSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const CHUNK_BYTES = 4 << 20;

export interface TestFile {
  path: string;
  remove(): void;
}

export function makeTestFile(bytes: number): TestFile {
  const folder = mkdtempSync(join(tmpdir(), "wasm-uring-bench-"));
  const path = join(folder, "data");
  const fd = openSync(path, "w", 0o600);
  const chunk = Buffer.alloc(CHUNK_BYTES);
  for (let written = 0; written < bytes; written += CHUNK_BYTES) {
    writeSync(fd, randomFillSync(chunk), 0, Math.min(CHUNK_BYTES, bytes - written));
  }
  // Dirty pages would be written back in the middle of the first rounds.
  fsyncSync(fd);
  closeSync(fd);
  return { path, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/** Whether O_DIRECT works there; tmpfs refused it before 6.6. */
export function takesDirect(path: string): boolean {
  try {
    closeSync(openSync(path, constants.O_RDONLY | constants.O_DIRECT));
    return true;
  } catch {
    return false;
  }
}
