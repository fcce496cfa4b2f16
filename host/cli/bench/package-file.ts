/**
 * Where the files that belong to this package lie, whether it is installed, linked or a fresh
 * clone.
 */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { WasmUringError } from "../../errors";

function isOurs(folder: string): boolean {
  const manifest = join(folder, "package.json");
  return existsSync(manifest) && JSON.parse(readFileSync(manifest, "utf8")).name === "wasm-uring";
}

function packageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!isOurs(folder) && dirname(folder) !== folder) folder = dirname(folder);
  return folder;
}

/**
 * The first of these files that exists.
 *
 * @param candidates paths below the package's root
 * @throws WasmUringError ERR_TOOL_MISSING
 */
export function packageFile(...candidates: readonly string[]): string {
  const root = packageRoot();
  const found = candidates
    .map((candidate) => join(root, candidate))
    .find((path) => existsSync(path));
  if (found !== undefined) return found;
  throw new WasmUringError("ERR_TOOL_MISSING", {
    what: `looking for ${candidates.join(" or ")} in ${root}`,
    why: "it is not there",
    likelyCause: "a clone that was not built, or an incomplete installation",
    whatToDo: "npm run build, or install wasm-uring again",
  });
}

export function guestFile(name: string): string {
  return packageFile(`dist/guests/${name}.wasm`, `build/guests/${name}.wasm`);
}
