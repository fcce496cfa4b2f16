/**
 * Runs the built test files one after another, each in a process of its own so that none can hide what another left
 * behind, and adds up uvu's own counts. As root it runs what depends on the user a second time, as nobody with 8 MiB of
 * locked memory, because that is who most users are.
 *
 *   node scripts/test.js [--only-here] [--again] [PART-OF-A-PATH]...
 *
 * --only-here leaves the second run out; --again runs only what another version of Node can change.
 */
import { spawn, spawnSync } from "node:child_process";
import { chmodSync, cpSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bringPrograms } from "./wasi-programs.js";

const NOBODY = 65534;
const MEMLOCK_BYTES = 8 << 20;
const FILE_TIMEOUT_MS = 300_000;
/** What a test needs of the checkout, when nobody may not read it where it is. */
const NEEDED = [
  ...["package.json", "asconfig.json", "tsconfig.json", "README.md", "LICENSE"],
  ...["dist", "build", "node_modules", "assembly", "host", "test", "examples", "bench", "docs"],
  ...["sdk", "scripts"],
];

/** What another version of Node (V8, its memories, its libuv) can change. */
const OF_NODE =
  /^(guest\/(memories|outcome|limits|lifecycle|hot-plug|arenas|uncatchable|wasi)|memory|ring|hostile\/corpus|wasi\/(?!escape|programs)|datapath\/virtio-driver|virtio\/served)/;
/** What the user, his limits and his capabilities can change. */
const OF_USER =
  /^(ring|fault|grant|probe|memory|hostile|guest\/(denied|limits|lifecycle|hot-plug|arenas|memories|personality)|virtio\/aio\/(conformance|errors)|cli\/run|wasi\/(fd-data|path|preopens|sockets))/;

const options = process.argv.slice(2);
const onlyHere = options.includes("--only-here");
const again = options.includes("--again");
const wanted = options.filter((option) => !option.startsWith("--"));

function testFiles(pattern) {
  const found = readdirSync("build/test", { recursive: true })
    .map((name) => join("build/test", name))
    .filter((name) => name.endsWith(".test.js"))
    // A bundle whose source is gone is left over from another checkout.
    .filter((name) => existsSync(name.replace(/^build\//, "").replace(/\.js$/, ".ts")))
    .filter((name) => pattern === null || pattern.test(name.replace("build/test/", "")))
    .filter((name) => wanted.length === 0 || wanted.some((part) => name.includes(part)));
  return found.sort();
}

/** uvu's own closing lines of one file. */
function countsOf(output) {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colour codes
  const plain = output.replace(/\u001b\[[0-9;]*m/g, "");
  const number = (label) => {
    const all = [...plain.matchAll(new RegExp(`^\\s*${label}:\\s+(\\d+)`, "gm"))];
    return all.reduce((sum, match) => sum + Number(match[1]), 0);
  };
  return { total: number("Total"), passed: number("Passed"), skipped: number("Skipped") };
}

function runFile(file, command, cwd) {
  return new Promise((resolve) => {
    const [program, ...rest] = [...command, process.execPath, file];
    const child = spawn(program, rest, { cwd, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    const collect = (chunk) => {
      output += chunk;
    };
    child.stdout.on("data", collect);
    child.stderr.on("data", collect);
    const timer = setTimeout(() => child.kill("SIGKILL"), FILE_TIMEOUT_MS);
    child.on("error", (error) => {
      output += String(error);
    });
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      resolve({ output, code, signal });
    });
  });
}

/** One run of one file: its counts, and what to print of it. */
async function testFile(file, command, cwd) {
  const began = Date.now();
  const { output, code, signal } = await runFile(file, command, cwd);
  const { total, passed, skipped } = countsOf(output);
  // A file that ended badly without a failed test of its own (crash, hang, no test) counts as one failure.
  const bad = code !== 0 || total === 0;
  const failed = Math.max(total - passed, bad ? 1 : 0); // uvu's total leaves skipped tests out
  const seconds = ((Date.now() - began) / 1000).toFixed(1);
  const name = file.replace("build/test/", "");
  const lines = [`${failed === 0 ? "ok  " : "FAIL"} ${name}  ${passed}/${total}  ${seconds} s`];
  for (const line of output.split("\n")) {
    if (/\bskip/i.test(line) && !/^\s*Skipped:/.test(line)) lines.push(`       ${line.trim()}`);
  }
  if (failed > 0) lines.push(output.trimEnd(), `     exit code ${code}, signal ${signal}`);
  return { passed, failed, skipped, report: lines.join("\n") };
}

async function runAll(title, command, cwd, pattern) {
  console.log(`\n${title}: Node ${process.version}`);
  const sum = { passed: 0, failed: 0, skipped: 0, flaky: 0 };
  for (const file of testFiles(pattern)) {
    let result = await testFile(file, command, cwd);
    if (result.failed > 0) {
      // Many tests race with the kernel's threads on purpose. A failure is shown in full and looked at once more.
      console.log(`${result.report}\n     running it once more`);
      result = await testFile(file, command, cwd);
      if (result.failed === 0) {
        console.log(`FLAKY ${file}: failed once, passed when run again`);
        sum.flaky++;
      }
    }
    sum.passed += result.passed;
    sum.failed += result.failed;
    sum.skipped += result.skipped;
    console.log(result.report);
  }
  return sum;
}

/** A folder with the build that nobody may read: this one, or a copy. */
function readableFolder() {
  const test = spawnSync(
    process.execPath,
    // By the whole path: relative to the folder itself, one that lies in a private folder would seem readable.
    ["-e", "require('node:fs').accessSync(process.argv[1])", join(process.cwd(), "package.json")],
    {
      uid: NOBODY,
      gid: NOBODY,
      stdio: "ignore",
    },
  );
  if (test.status === 0) return { folder: process.cwd(), remove: () => {} };
  const folder = mkdtempSync(join(tmpdir(), "wasm-uring-test-"));
  chmodSync(folder, 0o755);
  for (const name of NEEDED) {
    if (existsSync(name))
      cpSync(name, join(folder, name), { recursive: true, verbatimSymlinks: true });
  }
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

async function runAsNobody() {
  const nothing = { passed: 0, failed: 0, skipped: 0, flaky: 0 };
  if (onlyHere || process.getuid?.() !== 0) return nothing;
  const drop = ["setpriv", `--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups"];
  const command = ["prlimit", `--memlock=${MEMLOCK_BYTES}:${MEMLOCK_BYTES}`, ...drop];
  const works = spawnSync(command[0], [...command.slice(1), "true"], { stdio: "ignore" });
  if (works.status !== 0) {
    console.log("\nskipped: the run as nobody needs prlimit and setpriv (util-linux)");
    return nothing;
  }
  const { folder, remove } = readableFolder();
  try {
    return await runAll("as nobody, 8 MiB of locked memory", command, folder, OF_USER);
  } finally {
    remove();
  }
}

// Downloads and builds once; what cannot be had is skipped aloud by the test itself.
if (testFiles(null).some((file) => file.endsWith("wasi/programs.test.js"))) await bringPrograms();
const here = await runAll(
  `as ${process.getuid?.() === 0 ? "root" : "this user"}`,
  [],
  process.cwd(),
  again ? OF_NODE : null,
);
const nobody = await runAsNobody();
const passed = here.passed + nobody.passed;
const failed = here.failed + nobody.failed;
const skipped = here.skipped + nobody.skipped;
const flaky = here.flaky + nobody.flaky;
// More than one in a run is no accident.
const tooFlaky = flaky > 1;
if (flaky > 0)
  console.log(`\n${flaky} files failed once and passed when run again: see FLAKY above`);
console.log(`\n${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`);
process.exit(failed === 0 && passed > 0 && !tooFlaky ? 0 : 1);
