/**
 * The file that is measured on: random bytes in a folder of its own, removed at the end, however
 * the process ends.
 */
import { randomFillSync } from "node:crypto";
import {
  closeSync,
  constants,
  fsyncSync,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { badOption } from "../failure";

const CHUNK_BYTES = 4 << 20;

export interface TestFile {
  path: string;
  remove(): void;
}

function fill(path: string, bytes: number): void {
  const fd = openSync(path, "w", 0o600);
  try {
    const chunk = Buffer.alloc(CHUNK_BYTES);
    for (let written = 0; written < bytes; written += CHUNK_BYTES) {
      writeSync(fd, randomFillSync(chunk), 0, Math.min(CHUNK_BYTES, bytes - written));
    }
    // Dirty pages would be written back in the middle of the first rounds.
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/**
 * @param parent the folder to make it in: its file system and device are what is measured
 * @throws WasmUringError ERR_BAD_OPTION when there is no room or no right
 */
export function makeTestFile(bytes: number, parent: string): TestFile {
  let folder: string | null = null;
  const remove = () => {
    if (folder !== null) rmSync(folder, { recursive: true, force: true });
    process.off("exit", remove);
  };
  process.on("exit", remove);
  try {
    folder = mkdtempSync(join(parent, "wasm-uring-bench-"));
    const path = join(folder, "data");
    fill(path, bytes);
    return { path, remove };
  } catch (cause) {
    remove();
    throw badOption(
      `a test file of ${bytes} bytes in ${parent}`,
      cause instanceof Error ? cause.message : String(cause),
      "make room there, or name another folder or a smaller size",
    );
  }
}

/** Brings the whole file into the page cache; other programs may have had it dropped. */
export function warm(path: string): void {
  const fd = openSync(path, "r");
  const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  try {
    while (readSync(fd, chunk) > 0);
  } finally {
    closeSync(fd);
  }
}

/** Writes back what earlier points left dirty, lest later ones wait for it. */
export function writeBack(path: string): void {
  const fd = openSync(path, "r+");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
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
