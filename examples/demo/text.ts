/**
 * A large file of real text, the same on every machine with the same dependencies, and without
 * network: the prose and the commented declarations that `npm ci` brought, one after another, as
 * often as it takes.
 */
import {
  closeSync,
  fdatasyncSync,
  openSync,
  readdirSync,
  readFileSync,
  statfsSync,
  statSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const ENDINGS = [".md", ".d.ts", "LICENSE", "LICENSE.txt"];
const FOLDERS = ["docs", "node_modules"];
/** No file of it counts for more: the declarations of the DOM would drown the rest. */
const FILE_BYTES_MAX = 256 << 10;

export interface TextFile {
  path: string;
  sizeBytes: number;
  /** Files that it is made of, and their bytes. */
  sources: number;
  sourceBytes: number;
  /** It was there already. */
  reused: boolean;
}

function listSources(): string[] {
  const found = ["README.md", "LICENSE"];
  for (const folder of FOLDERS) {
    try {
      const names = readdirSync(folder, { recursive: true, encoding: "utf8" });
      found.push(
        ...names
          .filter((name) => ENDINGS.some((ending) => name.endsWith(ending)))
          .map((name) => join(folder, name)),
      );
    } catch {
      // A folder that is not there brings no text.
    }
  }
  return found.sort();
}

function readSources(): Buffer[] {
  const texts: Buffer[] = [];
  for (const path of listSources()) {
    try {
      texts.push(readFileSync(path).subarray(0, FILE_BYTES_MAX));
    } catch {
      // A dangling link, or a directory of that name.
    }
  }
  return texts;
}

function isComplete(path: string, sizeBytes: number): boolean {
  return statSync(path, { throwIfNoEntry: false })?.size === sizeBytes;
}

/** @throws Error when the folder for temporary files has no room */
export function makeText(sizeBytes: number): TextFile {
  const folder = tmpdir();
  const path = join(folder, `wasm-uring-demo-${process.getuid?.() ?? 0}-${sizeBytes >> 20}MB.txt`);
  const texts = readSources();
  const text = Buffer.concat(texts);
  const made = { path, sizeBytes, sources: texts.length, sourceBytes: text.length };
  if (isComplete(path, sizeBytes)) return { ...made, reused: true };
  const { bavail, bsize } = statfsSync(folder);
  if (bavail * bsize < sizeBytes * 1.1) {
    throw new Error(
      `making ${sizeBytes} bytes of text in ${folder}: only ${bavail * bsize} are free. Set TMPDIR`,
    );
  }
  const file = openSync(path, "w", 0o600);
  try {
    for (let at = 0; at < sizeBytes; ) {
      at += writeSync(file, text, 0, Math.min(text.length, sizeBytes - at));
    }
    // Else the disk would still be busy with it while the first way is measured.
    fdatasyncSync(file);
  } finally {
    closeSync(file);
  }
  return { ...made, reused: false };
}
