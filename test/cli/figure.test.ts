/**
 * `wasm-uring bench --figure` from outside: a tiny run gives checked JSON and well-formed charts, bad
 * input is one sentence, what cannot run is said, and nothing stays behind after an interrupt. No
 * figure is judged here.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { readReport } from "../../host/cli/figure/report";
import { enginesHere } from "../engines";
import { runCli, temporaryFolder } from "./command";

const figure = suite("cli/figure");
const folder = temporaryFolder();
const scratch = join(folder, "scratch");
mkdirSync(scratch);

const TINY = [
  ...["--runtime", "0.05", "--ramp-time", "0.01", "--rounds", "1", "--depths", "4"],
  ...["--size", "1m", "--directory", scratch],
];

function run(words: readonly string[], env: Record<string, string> = {}) {
  return runCli(["bench", "--figure", ...words], { env });
}

/** Every tag closed in its order, attributes quoted, no bare ampersand: what an XML reader insists on. */
function assertWellFormed(svg: string): void {
  const open: string[] = [];
  const tag = /<(\/?)([A-Za-z][\w:-]*)((?:\s+[\w:-]+="[^"<]*")*)\s*(\/?)>/y;
  let at = 0;
  while (at < svg.length) {
    if (svg[at] !== "<") {
      const end = svg.indexOf("<", at);
      const text = svg.slice(at, end < 0 ? undefined : end);
      assert.not(/&(?!(amp|lt|gt|quot|apos|#\d+);)/.test(text), `bare ampersand in ${text}`);
      at += text.length;
      continue;
    }
    tag.lastIndex = at;
    const [whole, close, name = "", , alone] = tag.exec(svg) ?? [];
    assert.ok(whole !== undefined, `no tag at ${at}: ${svg.slice(at, at + 80)}`);
    if (close === "/") assert.is(open.pop(), name, `closing tag at ${at}`);
    else if (alone !== "/") open.push(name);
    at += whole?.length ?? 1;
  }
  assert.equal(open, []);
}

figure("a tiny run makes its folder and leaves JSON and charts in it", async () => {
  if (!(await enginesHere()).some(({ engine }) => engine === "mapped")) {
    console.log("skipped: passthrough is the mapped engine's");
    return;
  }
  const output = join(folder, "not", "there", "yet");
  const only = ["--only", "passthrough,fs-sync", "--cache", "page", "--output", output];
  const { exitCode, stdout, stderr } = await run([...TINY, ...only]);
  assert.is(exitCode, 0, stderr);
  assert.is(stderr, "", "nothing on stderr of a pipe");
  assert.match(stdout, /passthrough, enter/);

  const report = readReport(join(output, "figure.json"));
  assert.equal(
    report.series.map(({ system, rw, cache, points }) => [
      system,
      rw,
      cache,
      points.map((point) => [point.depth, point.rounds.length]),
    ]),
    [
      ["passthrough", "randread", "page", [[4, 1]]],
      // It waits for each operation, whatever depth was asked for.
      ["fs-sync", "randread", "page", [[1, 1]]],
      ["passthrough", "randwrite", "page", [[4, 1]]],
      ["fs-sync", "randwrite", "page", [[1, 1]]],
    ],
  );
  for (const { points } of report.series) {
    for (const { iops, cpuUsPerIo } of points) {
      assert.ok(iops.median > 0 && cpuUsPerIo.median > 0);
      assert.ok(iops.min <= iops.median && iops.median <= iops.max);
    }
  }
  assert.is(report.machine.node, process.version);
  assert.equal([report.skipped, report.failures], [[], []]);

  const charts = readdirSync(output).filter((name) => name.endsWith(".svg"));
  assert.ok(charts.includes("read-virtqueues.svg") && charts.includes("write-instead.svg"));
  for (const name of charts) assertWellFormed(readFileSync(join(output, name), "utf8"));
  assert.equal(readdirSync(scratch), [], "the test file is gone");
});

figure("rounds are interleaved, and a chart is drawn from the JSON again", async () => {
  const output = join(folder, "rounds");
  const words = [
    "--only",
    "fs-sync,native",
    "--cache",
    "page",
    "--rw",
    "randread",
    "--rounds",
    "2",
  ];
  const first = await run([...TINY, ...words, "--output", output, "--json"]);
  if (/no C compiler/.test(first.stdout)) {
    console.log("skipped: the native twin needs a C compiler");
    return;
  }
  assert.is(first.exitCode, 0, first.stderr);
  assert.equal(JSON.parse(first.stdout), readReport(join(output, "figure.json")));
  for (const { points } of readReport(join(output, "figure.json")).series) {
    assert.equal(
      points[0]?.rounds.map((sample) => sample.round),
      [0, 1],
    );
  }
  const again = join(folder, "again");
  const second = await run(["--from", join(output, "figure.json"), "--output", again]);
  assert.is(second.exitCode, 0, second.stderr);
  const chart = "read-virtqueues.svg";
  assert.is(readFileSync(join(again, chart), "utf8"), readFileSync(join(output, chart), "utf8"));
  assert.match(readFileSync(join(again, chart), "utf8"), /prefers-color-scheme:dark/);
});

figure(
  "a system that cannot run is listed with the reason, and is a failure when named",
  async () => {
    const words = ["--only", "vhost-user-blk,fs-sync", "--cache", "page", "--rw", "randread"];
    const output = join(folder, "absent");
    const { exitCode, stdout, stderr } = await run([...TINY, ...words, "--output", output], {
      PATH: folder,
    });
    assert.is(exitCode, 1);
    assert.match(stdout, /Not possible here\n {2}vhost-user-blk, qemu .*\n.*it is not installed/);
    assert.match(stderr, /^wasm-uring: not every system ran, the first of vhost-user-blk: /);
    assert.is(stderr.trim().split("\n").length, 1, "one sentence");
    const { series, skipped } = readReport(join(output, "figure.json"));
    assert.equal(
      [series.map(({ system }) => system), skipped.map(({ system }) => system)],
      [["fs-sync"], ["vhost-user-blk"]],
    );
  },
);

figure("bad input is one sentence and exit code 2", async () => {
  const file = join(folder, "data");
  writeFileSync(file, "x".repeat(8192));
  const cases: [words: string[], message: RegExp][] = [
    [["--only", "pasthrough"], /there is no "pasthrough".*What to do: write passthrough/],
    [["--only", "passthrough,nothing-like-it"], /--only .*there is no "nothing-like-it"/],
    [["--depths", "1,,2"], /--depths "1,,2": "" is not a whole number from 1 to 1024/],
    [["--depths", "2048"], /--depths/],
    [["--rounds", "0"], /--rounds "0"/],
    [["--runtime", "0"], /--runtime "0"/],
    [["--rw", "randtrim"], /--rw "randtrim"/],
    [["--cache", "hot"], /--cache "hot"/],
    [["--size", "1"], /--size "1"/],
    [["--file", file, "--rw", "randwrite"], /overwrites no file but one that it made itself/],
    [["--file", join(folder, "absent.bin")], /there is no such file/],
    [["--directory", join(folder, "nowhere")], /there is no such folder/],
    [["--output", join(file, "below")], /the folder cannot be made/],
    [["--from", file], /it is no figure's JSON/],
    [["--iodepth", "4"], /unknown option '--iodepth'/],
  ];
  for (const [words, message] of cases) {
    const { exitCode, stderr, stdout } = await run(words);
    assert.is(exitCode, 2, words.join(" "));
    assert.match(stderr, message);
    assert.is(stderr.trim().split("\n").length, 1, `one sentence: ${stderr}`);
    assert.is(stdout, "");
  }
});

function processesWith(text: string): string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, "latin1").includes(text);
      } catch {
        return false;
      }
    });
}

figure("an interrupted run leaves no file, no folder and no daemon", async () => {
  const hasDaemon = !spawnSync("qemu-storage-daemon", ["--version"]).error;
  if (!hasDaemon) console.log("skipped: a daemon to be stopped (no qemu-storage-daemon)");
  const here = join(folder, "interrupted");
  const temporary = join(folder, "temporary");
  mkdirSync(here);
  mkdirSync(temporary);
  const only = hasDaemon ? "vhost-user-blk,passthrough" : "passthrough";
  const words = [
    ...["--only", only, "--cache", "page", "--runtime", "5", "--rounds", "1", "--depths", "4"],
    ...["--size", "1m", "--directory", here, "--output", join(folder, "never")],
  ];
  const isRunning = () =>
    hasDaemon
      ? readdirSync(temporary).some((name) => existsSync(join(temporary, name, "vhost.socket")))
      : readdirSync(here).length > 0;
  const { exitCode, stdout } = await runCli(["bench", "--figure", ...words], {
    env: { TMPDIR: temporary },
    meanwhile: async (child) => {
      for (let tries = 0; tries < 100 && !isRunning(); tries++) await sleep(50);
      await sleep(300);
      child.kill("SIGINT");
    },
  });
  assert.is(exitCode, 130);
  assert.is(stdout, "");
  assert.equal(readdirSync(here), []);
  assert.equal(
    readdirSync(temporary).filter((name) => name.includes("daemon")),
    [],
  );
  assert.equal(processesWith(temporary), []);
  assert.equal(processesWith(here), []);
});

figure("bench says where the figure is, and it has a help of its own", async () => {
  const { stdout } = await runCli(["bench", "--help"]);
  assert.match(stdout, /--figure/);
  const help = await run(["--help"]);
  assert.is(help.exitCode, 0);
  assert.match(help.stdout, /Usage: wasm-uring bench --figure \[options\]/);
});

figure.run();
