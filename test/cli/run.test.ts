/** `wasm-uring run`: how guests end, and what reaches them of the command line. */
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { runCli, temporaryFolder } from "./command";
import { assemble, type ModuleName } from "./modules";

const test = suite("cli/run");
const folder = temporaryFolder();
const guest = (name: ModuleName) => assemble(folder, name);

test("the guest's output and exit code are the command's", async () => {
  assert.equal(await runCli(["run", guest("hello")]), {
    exitCode: 0,
    stdout: "hello\n",
    stderr: "oh no\n",
  });
  assert.is((await runCli(["run", guest("exit")])).exitCode, 7);
  assert.is((await runCli(["run", guest("exit256")])).exitCode, 1, "failure never becomes success");
});

test("a trap is 134 and one sentence", async () => {
  const { exitCode, stderr } = await runCli(["run", guest("trap")]);
  assert.is(exitCode, 134);
  assert.is(stderr, "wasm-uring: the guest trapped: unreachable\n");
});

test("a deadline is 124, for a guest that spins and one that waits", async () => {
  const spinning = await runCli(["run", "--deadline", "200", guest("spin")]);
  assert.is(spinning.exitCode, 124);
  assert.match(spinning.stderr, "deadline of 200 ms");
});

test("a guest that writes into a full pipe is ended too", async () => {
  const cli = resolve(process.env.WASM_URING_CLI ?? "dist/cli.js");
  const words = [cli, "run", "--deadline", "300", guest("flood")];
  // Nobody ever reads stdout here.
  const child = spawn(process.execPath, words, {
    stdio: ["ignore", "pipe", "ignore"],
    timeout: 20_000,
  });
  const exitCode = await new Promise((done) => child.on("exit", done));
  child.stdout?.destroy();
  assert.is(exitCode, 124);
});

test("a guest that waits for input is ended too", async () => {
  const cli = resolve(process.env.WASM_URING_CLI ?? "dist/cli.js");
  const words = [cli, "run", "--deadline", "300", guest("echo")];
  const child = spawn(process.execPath, words, {
    stdio: ["pipe", "ignore", "ignore"],
    timeout: 20_000,
  });
  const exitCode = await new Promise((done) => child.on("exit", done));
  child.stdin?.destroy();
  assert.is(exitCode, 124);
});

test("SIGINT is 130, SIGTERM 143", async () => {
  const path = guest("spin");
  for (const [signal, code] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const) {
    const { exitCode, stderr } = await runCli(["run", path], {
      meanwhile: (child) => void setTimeout(() => child.kill(signal), 700),
    });
    assert.is(exitCode, code);
    assert.match(stderr, signal);
  }
});

test("everything after the guest is the guest's, argv[0] its file name", async () => {
  const path = guest("arguments");
  const argumentsOf = async (words: string[]) =>
    (await runCli(["run", ...words])).stdout.split("\0").slice(0, -1);
  const name = "arguments.wasm";
  assert.equal(await argumentsOf([path]), [name]);
  assert.equal(await argumentsOf([path, "a", "b"]), [name, "a", "b"]);
  assert.equal(await argumentsOf([path, "--", "a", "b"]), [name, "a", "b"]);
  assert.equal(await argumentsOf([path, "--json", "--sqpoll"]), [name, "--json", "--sqpoll"]);
  assert.equal(await argumentsOf([path, "--", "--help", "--"]), [name, "--help", "--"]);
  assert.equal(
    await argumentsOf(["--sqpoll", path, "x"]),
    [name, "x"],
    "a bare --sqpoll takes no word",
  );
  assert.equal(await argumentsOf(["--env", "A=b", "--sqpoll=7", path, "é"]), [name, "é"]);
});

test("the environment is what was given and nothing else", async () => {
  const words = ["run", "--env", "A=1", "--env", "TAKEN", "--env", "C=x=y", guest("environment")];
  const { stdout } = await runCli(words, { env: { TAKEN: "from here" } });
  assert.equal(stdout.split("\0").slice(0, -1), ["A=1", "TAKEN=from here", "C=x=y"]);
});

test("input is passed through", async () => {
  const text = "größe €\n".repeat(30_000);
  const { stdout, exitCode } = await runCli(["run", guest("echo")], { stdin: text });
  assert.is(exitCode, 0);
  assert.ok(stdout === text, "the output is not the input");
});

test("a guest reads a granted file by its ring, on every engine", async () => {
  const input = join(folder, "with:colon,and comma.txt");
  writeFileSync(input, "what the ring read\n");
  for (const engine of ["auto", "mirrored", "emulated"]) {
    const words = [
      "run",
      "--engine",
      engine,
      "--stats",
      "--file",
      `input=${input}:ro`,
      guest("ring"),
    ];
    const { exitCode, stdout, stderr } = await runCli(words);
    assert.is(exitCode, 0, stderr);
    assert.is(stdout, "what the ring read\n");
    for (const word of ["engine", "mode", "set-up", "enter", "requests", "elapsed", "CPU"]) {
      assert.match(stderr, word);
    }
    if (engine !== "auto") assert.match(stderr, `engine    ${engine}: `);
  }
});

test("--json is one object with everything in it", async () => {
  const input = join(folder, "json.txt");
  writeFileSync(input, "json\n");
  const { stdout, exitCode } = await runCli([
    "run",
    "--json",
    "-f",
    `input=${input}`,
    guest("ring"),
  ]);
  assert.is(exitCode, 0);
  const result: Record<string, unknown> = JSON.parse(stdout);
  const keys = [
    "outcome",
    "exitCode",
    "engine",
    "reason",
    "ladder",
    "ring",
    "stats",
    "setupErrors",
  ];
  for (const key of [...keys, "stdout", "stderr", "elapsedMs", "cpuUs"])
    assert.ok(key in result, key);
  assert.equal(result.outcome, { kind: "exit", exitCode: 0 });
  assert.is(result.stdout, "json\n");
  assert.ok(Array.isArray(result.ladder) && result.ladder.length > 0);
});

test("--json tells traps and failures in the same shape", async () => {
  const trapped = await runCli(["run", "--json", guest("trap")]);
  assert.is(trapped.exitCode, 134);
  assert.equal(JSON.parse(trapped.stdout).outcome, { kind: "trap", message: "unreachable" });
  const missing = await runCli(["run", "--json", join(folder, "missing.wasm")]);
  assert.is(missing.exitCode, 2);
  assert.is(JSON.parse(missing.stdout).outcome.kind, "host-failure");
  assert.equal(Object.keys(JSON.parse(missing.stdout)), Object.keys(JSON.parse(trapped.stdout)));
});

test("a refused set-up: the guest gets an errno, the user the reason", async () => {
  const { exitCode, stderr } = await runCli(["run", guest("beyond")]);
  assert.is(exitCode, 14, "EFAULT");
  assert.match(stderr, "refused to the guest: ");
  assert.match(stderr, "arena at offset 268435456");
});

test.run();
