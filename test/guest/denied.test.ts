/**
 * io_uring denied: by a real seccomp filter, as in a container, and by a missing koffi, as where it
 * has no binary. The same guests must print the same, say why they were emulated, and be confined
 * all the same. (A sysctl is not touched: it would deny io_uring to the whole machine.)
 */
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";

const test = suite("guest/denied");
const folder = mkdtempSync(join(tmpdir(), "wasm-uring-denied-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

const dist = resolve("dist");
const guests = resolve("build/guests");
const input = join(folder, "input");
const output = join(folder, "output");
const LINES = 20_000;
writeFileSync(input, "a needle in a haystack of lines\n".repeat(LINES));

const PATIENCE_MS = 60_000;
/** What the denying program answers when it may not install its filter. */
const NO_FILTER = 3;

interface Ran {
  exitCode: number | null;
  stdout: string;
  stderr: string;
}

function run(words: readonly string[]): Ran {
  const [program = "", ...rest] = words;
  const { status, stdout, stderr, error } = spawnSync(program, rest, {
    cwd: folder,
    encoding: "utf8",
    timeout: PATIENCE_MS,
    env: { PATH: process.env.PATH ?? "" },
  });
  if (error !== undefined) return { exitCode: null, stdout: "", stderr: error.message };
  return { exitCode: status, stdout, stderr };
}

/** The command line under a filter that answers this, or why that cannot be had here. */
function underFilter(answer: "EPERM" | "ENOSYS"): string[] | { missing: string } {
  if (process.platform !== "linux") return { missing: "no seccomp on this platform" };
  const program = join(folder, "deny-io-uring");
  if (!existsSync(program)) {
    const built = run(["cc", "-O1", "-o", program, resolve("test/fixtures/deny-io-uring.c")]);
    if (built.exitCode !== 0) return { missing: `cc: ${built.stderr.trim()}` };
  }
  const tried = run([program, answer, "true"]);
  if (tried.exitCode === NO_FILTER) return { missing: tried.stderr.trim() };
  assert.is(tried.exitCode, 0, tried.stderr);
  return [program, answer, process.execPath, join(dist, "cli.js")];
}

/** A copy of the library in a folder from where no koffi is to be found. */
function withoutKoffi(): string[] | { missing: string } {
  const copy = join(folder, "library", "dist");
  cpSync(dist, copy, { recursive: true });
  // cli.js is an ES module by the nearest package.json.
  cpSync(resolve("package.json"), join(dirname(copy), "package.json"));
  try {
    createRequire(join(copy, "index.js")).resolve("koffi");
    return { missing: `a koffi lies above ${copy}` };
  } catch {
    return [process.execPath, join(copy, "cli.js")];
  }
}

interface Case {
  name: string;
  command: () => string[] | { missing: string };
  reason: RegExp;
  advice: RegExp;
}

const CASES: readonly Case[] = [
  {
    name: "a seccomp filter, EPERM",
    command: () => underFilter("EPERM"),
    reason: /io_uring_setup: EPERM/,
    advice: /seccomp/,
  },
  {
    name: "a seccomp filter, ENOSYS",
    command: () => underFilter("ENOSYS"),
    reason: /io_uring_setup: ENOSYS/,
    advice: /no io_uring/,
  },
  {
    name: "no koffi",
    command: withoutKoffi,
    reason: /koffi cannot load/,
    advice: process.platform === "linux" ? /install koffi/ : /Linux 6\.5/,
  },
];

const grant = `input=${input}`;

for (const { name, command, reason, advice } of CASES) {
  const skipOr = (body: (words: string[]) => void) => () => {
    const words = command();
    if ("missing" in words) return console.log(`skipped: ${name}: ${words.missing}`);
    body(words);
  };

  test(
    `${name}: the guests do the same by the emulated engine, which says why`,
    skipOr((words) => {
      const here = [process.execPath, join(dist, "cli.js")];
      const runs: readonly (readonly string[])[] = [
        ["--file", grant, join(guests, "hello.wasm")],
        ["--file", grant, join(guests, "scan.wasm"), "needle"],
        ["--file", grant, join(guests, "checksum.wasm")],
        ["--file", grant, "--file", `output=${output}:rw`, join(guests, "copy.wasm")],
      ];
      for (const guest of runs) {
        const ran = run([...words, "run", "--stats", ...guest]);
        assert.is(ran.exitCode, 0, ran.stderr);
        assert.match(ran.stderr, /^engine +emulated/m);
        assert.match(ran.stderr, reason);
        assert.is(ran.stdout, run([...here, "run", ...guest]).stdout);
      }
      assert.ok(readFileSync(output).equals(readFileSync(input)), "the copy differs");
      rmSync(output);
    }),
  );

  test(
    `${name}: a hostile guest is confined`,
    skipOr((words) => {
      const ran = run([...words, "run", "--file", grant, join(guests, "hostile.wasm")]);
      assert.is(ran.exitCode, 0, ran.stdout + ran.stderr);
    }),
  );

  test(
    `${name}: what needs a kernel ring is refused with the reason`,
    skipOr((words) => {
      for (const option of ["--engine=mapped", "--engine=mirrored", "--sqpoll"]) {
        const ran = run([...words, "run", option, "--file", grant, join(guests, "hello.wasm")]);
        assert.is(ran.exitCode, 2, `${option}: ${ran.stdout}`);
        assert.is(ran.stdout, "");
        assert.match(ran.stderr, reason);
      }
    }),
  );

  test(
    `${name}: the probe explains`,
    skipOr((words) => {
      const ran = run([...words, "probe", "--json"]);
      assert.is(ran.exitCode, 0, ran.stderr);
      const report = JSON.parse(ran.stdout);
      assert.is(report.choice.engine, "emulated");
      assert.match(report.choice.reason, reason);
      assert.match(report.advice.join("\n"), advice);
      for (const { name: check, verdict } of report.hostile) {
        assert.ok(verdict === "refused" || verdict === "passed", `${check}: ${verdict}`);
      }
    }),
  );
}

test.run();
