/**
 * The build: dist/ (host library, worker, CLI, types), build/guests/ (every example and test guest as .wasm) and
 * build/{test,examples,bench}/ (bundled programs). `node scripts/build.js [host|guests|programs]...`; all by default.
 */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { chmod, copyFile, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { basename, dirname, join, relative } from "node:path";
import { promisify } from "node:util";
import { build } from "esbuild";

const run = promisify(execFile);
const shared = {
  bundle: true,
  platform: "node",
  format: "esm",
  target: "node20",
  logLevel: "warning",
  sourcemap: true,
  // Bundled CommonJS dependencies (cli-table3) call require for node's own modules.
  banner: {
    js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);',
  },
};

/** Every file below `folder` whose path ends with `ending`; nothing when the folder is absent. */
async function list(folder, ending) {
  const entries = await readdir(folder, { recursive: true }).catch(() => []);
  return entries
    .filter((name) => name.endsWith(ending))
    .map((name) => join(folder, name))
    .sort();
}

/**
 * A thread of the host's loads one small CommonJS file: half a megabyte less memory for every guest than the same code
 * as ES modules with their source in full.
 */
async function buildWorkers() {
  await build({
    ...shared,
    format: "cjs",
    minify: true,
    sourcemap: false,
    entryPoints: {
      worker: "host/guest/worker.ts",
      "device-worker": "host/datapath/device-worker.ts",
      "aio-worker": "host/virtio/aio/pool-worker.ts",
    },
    outdir: "dist",
    outExtension: { ".js": ".cjs" },
    external: ["koffi", "@wasmer/wasi"],
    define: { "import.meta.url": "__moduleUrl" },
    banner: { js: 'const __moduleUrl = require("node:url").pathToFileURL(__filename).href;' },
  });
}

const CHARTS = "figure-charts.js";
const CHARTS_NOTICE =
  "/*! Contains Apache ECharts, Copyright The Apache Software Foundation, Apache License 2.0, " +
  "https://www.apache.org/licenses/LICENSE-2.0; zrender, Copyright Baidu Inc., BSD 3-Clause; tslib, Microsoft, 0BSD. */";

/**
 * The charts of `bench --figure` with the plotting library, apart from everything else: loaded only when they are
 * drawn, and small without its source map.
 */
async function buildCharts() {
  await build({
    ...shared,
    minify: true,
    sourcemap: false,
    footer: { js: CHARTS_NOTICE },
    entryPoints: ["host/cli/figure/charts/draw.ts"],
    outfile: `dist/${CHARTS}`,
  });
}

async function buildHost() {
  await buildWorkers();
  await buildCharts();
  const { metafile } = await build({
    ...shared,
    metafile: true,
    entryPoints: {
      index: "host/index.ts",
      "bench-worker": "host/cli/bench/worker.ts",
      cli: "host/cli/main.ts",
      abi: "host/abi.ts",
      wasi: "host/guest/wasi.ts",
    },
    outdir: "dist",
    external: ["koffi", "@wasmer/wasi"],
    splitting: true,
    // Beside the entries: the library finds its worker by a URL relative to the file it is in.
    chunkNames: "[name]-[hash]",
  });
  await chmod("dist/cli.js", 0o755);
  // Chunks of earlier builds; only now, so that programs that run meanwhile find theirs as long as they can.
  for (const file of await readdir("dist")) {
    const isOurs = `dist/${file}` in metafile.outputs || file === CHARTS;
    if (/\.js(\.map)?$/.test(file) && !isOurs) await rm(`dist/${file}`);
  }
}

/** `WebAssembly` is in TypeScript's DOM library alone, which a program for Node need not load; merges with it. */
const WEBASSEMBLY_TYPES = `declare namespace WebAssembly {
  interface Instance {}
  interface Memory {}
  interface Module {}
}
`;

/** A relative import as Node resolves it: with the file's extension, a folder by its index. */
function withExtension(file, path) {
  const target = join(dirname(file), path);
  return existsSync(`${target}.d.ts`) ? `${path}.js` : `${path}/index.js`;
}

/**
 * Declarations that hold under NodeNext and isolatedModules: whole file names in imports, and enums that are not
 * constant, because dist/abi.js has them as objects.
 */
async function buildTypes() {
  await rm("dist/types", { recursive: true, force: true });
  await run("node", [
    "node_modules/typescript/bin/tsc",
    ...["--noEmit", "false", "--emitDeclarationOnly", "--declaration", "--outDir", "dist/types"],
    ...["--rootDir", ".", "-p", "tsconfig.build.json"],
  ]);
  for (const file of await list("dist/types", ".d.ts")) {
    const text = (await readFile(file, "utf8"))
      .replace(
        /(from\s+"|import\(")(\.{1,2}(?:\/[^"]+)?)(?=")/g,
        (_, start, path) => start + withExtension(file, path),
      )
      .replace(/^((?:export )?declare) const enum /gm, "$1 enum ");
    const types = relative(dirname(file), "dist/types/webassembly.d.ts");
    const reference = /\bWebAssembly\./.test(text) ? `/// <reference path="${types}" />\n` : "";
    await writeFile(file, reference + text);
  }
  await writeFile("dist/types/webassembly.d.ts", WEBASSEMBLY_TYPES);
}

/** A guest's source is examples/NAME/guest.ts or test/guests/NAME.ts; the binary is build/guests/NAME.wasm. */
function guestName(source) {
  return basename(source) === "guest.ts" ? basename(dirname(source)) : basename(source, ".ts");
}

async function buildGuest(source) {
  const output = `build/guests/${guestName(source)}.wasm`;
  // A first line such as "// asc: --runtime minimal" adds options.
  const extra = /^\/\/ asc: (.*)$/m.exec(await readFile(source, "utf8"))?.[1]?.split(/\s+/) ?? [];
  try {
    await run("node", ["node_modules/assemblyscript/bin/asc.js", source, "-o", output, ...extra]);
  } catch (error) {
    throw new Error(`asc ${source}:\n${error.stderr}${error.stdout}`);
  }
}

/** Options of every guest in C; wasi-libc brings the system's headers. */
const CLANG = [
  "--target=wasm32-wasi",
  "-O2",
  "-matomics",
  "-Wall",
  "-Wextra",
  "-Werror",
  "-Isdk/c",
];

/** Why guests in C cannot be built here; empty when they can. Asked once. */
async function clangRefusal() {
  const source = '#include <stdio.h>\nint main(void) { return puts(""); }';
  await mkdir("build", { recursive: true });
  await writeFile("build/trial.c", source);
  const trial = run("clang", [...CLANG, "build/trial.c", "-o", "build/trial.wasm"]);
  return trial.then(
    () => "",
    (error) => (error.stderr || error.message).trim().split("\n")[0],
  );
}

/** examples/NAME/guest.c, test/guests/NAME.c. Without a compiler for them the tests that need them skip aloud. */
async function buildCGuests() {
  const folders = ["examples", "bench"].map((folder) => list(folder, "/guest.c"));
  const sources = [...(await Promise.all(folders)).flat(), ...(await list("test/guests", ".c"))];
  const refusal = sources.length === 0 ? "" : await clangRefusal();
  if (refusal !== "") {
    console.log(`guests in C are not built (apt install clang lld wasi-libc): ${refusal}`);
    return;
  }
  for (const source of sources) {
    const name =
      basename(source) === "guest.c" ? basename(dirname(source)) : basename(source, ".c");
    await run("clang", [...CLANG, source, "-o", `build/guests/${name}.wasm`]).catch((error) => {
      throw new Error(`clang ${source}:\n${error.stderr}`);
    });
  }
}

/** Guests that the command line itself runs (`bench`) are part of the package. */
const SHIPPED_GUESTS = ["load", "load-wasi"];

async function shipGuests() {
  await mkdir("dist/guests", { recursive: true });
  for (const name of SHIPPED_GUESTS) {
    await copyFile(`build/guests/${name}.wasm`, `dist/guests/${name}.wasm`);
  }
}

async function buildGuests() {
  await mkdir("build/guests", { recursive: true });
  const sources = [...(await list("examples", "/guest.ts")), ...(await list("test/guests", ".ts"))];
  const queue = [...sources];
  const worker = async () => {
    for (let source = queue.shift(); source !== undefined; source = queue.shift()) {
      await buildGuest(source);
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
  await buildCGuests();
  await shipGuests();
}

/** Tests, benches and example hosts import "wasm-uring" as a user would: it resolves to dist. */
async function buildPrograms() {
  const groups = [
    { from: "test", to: "build/test", ending: ".test.ts" },
    { from: "bench", to: "build/bench", ending: ".ts" },
    { from: "examples", to: "build/examples", ending: "host.ts" },
    { from: "examples", to: "build/examples", ending: "demo.ts" },
  ];
  for (const { from, to, ending } of groups) {
    const entryPoints = await list(from, ending);
    if (entryPoints.length === 0) continue;
    await build({ ...shared, entryPoints, outbase: from, outdir: to, packages: "external" });
  }
}

const parts = { host: buildHost, types: buildTypes, guests: buildGuests, programs: buildPrograms };
const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !(name in parts));
if (unknown.length > 0) {
  console.error(`unknown part ${unknown.join(", ")}; one of ${Object.keys(parts).join(", ")}`);
  process.exit(2);
}
try {
  const names = wanted.length > 0 ? wanted : Object.keys(parts);
  if (names.includes("host")) await buildHost();
  await Promise.all(names.filter((name) => name !== "host").map((name) => parts[name]()));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
}
