/**
 * The house's order, kept by a test: who may import whom, how long files and lines may be, that each file says what it
 * is for, and that no type is argued away.
 */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize, relative } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";

const tidy = suite("tidy");

/**
 * Layers from left to right; a file imports from its own and from those to the left. What lies in host/ itself is base,
 * but for the package's entry, which the command line uses like any program.
 */
const LAYERS = [
  ...["base", "ffi", "memory", "grant", "ring", "virtio", "datapath"],
  ...["wasi", "guest", "probe", "index", "cli"],
];
const BASE = ["abi", "errors", "nearest", "policy", "policy-reasons", "policy-schema"];

const LINES_MAX = 300;
const COLUMNS_MAX = 100;
/** Tables, which are as long as what they list. */
const TABLES = ["assembly/abi/operand.ts", "assembly/abi/register.ts"];

interface Source {
  path: string;
  text: string;
}

function sources(folder: string): Source[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .map((name) => join(folder, name))
    .sort()
    .map((path) => ({ path, text: readFileSync(path, "utf8") }));
}

const host = sources("host");
const assembly = sources("assembly");

/** Paths that a file imports, relative ones resolved. */
function importsOf({ path, text }: Source): string[] {
  const found = [...text.matchAll(/(?:from|import)\s*\(?\s*"([^"]+)"/g)].map(
    (match) => match[1] ?? "",
  );
  return found.map((name) => (name.startsWith(".") ? normalize(join(dirname(path), name)) : name));
}

function layerOf(path: string): string {
  const [first = "", second] = relative("host", path).replace(/\.ts$/, "").split("/");
  if (second !== undefined) return first;
  if (first === "index") return "index";
  return BASE.includes(first) ? "base" : first;
}

tidy("imports point to the left only", () => {
  const wrong: string[] = [];
  for (const source of host) {
    const from = LAYERS.indexOf(layerOf(source.path));
    if (from < 0) wrong.push(`${source.path} is in no known layer`);
    for (const target of importsOf(source)) {
      if (!target.startsWith("host")) continue;
      if (LAYERS.indexOf(layerOf(target)) > from) wrong.push(`${source.path} imports ${target}`);
    }
  }
  assert.equal(wrong, []);
});

tidy("the host imports the abi of assembly/, through one door", () => {
  const wrong = host.flatMap((source) =>
    importsOf(source)
      .filter((target) => target.startsWith("assembly"))
      .filter((target) => source.path !== "host/abi.ts" || !target.startsWith("assembly/abi"))
      .map((target) => `${source.path} imports ${target}`),
  );
  assert.equal(wrong, []);
});

tidy("the abi imports nothing outside itself", () => {
  const wrong = assembly
    .filter((source) => source.path.startsWith("assembly/abi/"))
    .flatMap((source) =>
      importsOf(source)
        .filter((target) => !target.startsWith("assembly/abi/"))
        .map((target) => `${source.path} imports ${target}`),
    );
  assert.equal(wrong, []);
});

tidy("only the ffi folder knows koffi", () => {
  const wrong = host.filter(
    (source) => layerOf(source.path) !== "ffi" && importsOf(source).includes("koffi"),
  );
  assert.equal(
    wrong.map((source) => source.path),
    [],
  );
});

tidy("no file is longer than 300 lines, but tables", () => {
  const long = [...host, ...assembly, ...sources("test")]
    .filter(({ path }) => !TABLES.includes(path))
    .map(({ path, text }) => [path, text.split("\n").length - 1] as const)
    .filter(([, lines]) => lines > LINES_MAX);
  assert.equal(long, []);
});

tidy("no line of the host is wider than 100 columns, but what cannot be broken", () => {
  const wide = host.flatMap(({ path, text }) =>
    text.split("\n").flatMap((line, index) => {
      // A comment of up to 120 is easier to read than one more line; a long string is not broken.
      const comment = /^\s*(\/\/|\*|\/\*\*)/.test(line);
      const string = /["'`]/.test(line);
      const most = comment ? 120 : string ? Infinity : COLUMNS_MAX;
      return line.length > most ? [`${path}:${index + 1}`] : [];
    }),
  );
  assert.equal(wide, []);
});

tidy("each file begins with what it is for", () => {
  const silent = [...host, ...assembly, ...sources("test")]
    .filter(({ text }) => !/^((\/\/ asc: |#!).*\n)?\/\*\*/.test(text))
    .map(({ path }) => path);
  assert.equal(silent, []);
});

tidy("no type is argued away", () => {
  const forbidden =
    /:\s*any\b|\bas any\b|<any>|as unknown as|@ts-ignore|@ts-expect-error|@ts-nocheck/;
  const isCode = (line: string) => !/^\s*(\/\/|\*|\/\*\*)/.test(line);
  const wrong = host
    .filter(({ text }) => text.split("\n").some((line) => isCode(line) && forbidden.test(line)))
    .map(({ path }) => path);
  assert.equal(wrong, []);
});

tidy("named exports only", () => {
  const wrong = host.filter(({ text }) => /^export default/m.test(text)).map(({ path }) => path);
  assert.equal(wrong, []);
});

tidy.run();
