/** Help and version: on stdout, exit code 0, with what a newcomer needs. */
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { runCli } from "./command";

const test = suite("cli/help");

test("--version is the package's", async () => {
  const { version } = JSON.parse(readFileSync("package.json", "utf8"));
  assert.equal(await runCli(["--version"]), { exitCode: 0, stdout: `${version}\n`, stderr: "" });
});

for (const words of [
  ["--help"],
  ["help"],
  ["run", "--help"],
  ["help", "run"],
  ["probe", "--help"],
]) {
  test(`${words.join(" ")}: usage and examples`, async () => {
    const { exitCode, stdout, stderr } = await runCli(words);
    assert.is(exitCode, 0);
    assert.is(stderr, "");
    assert.match(stdout, "Usage: wasm-uring");
    assert.match(stdout, "Examples:");
    assert.not.match(stdout, "\x1b[", "colours on a pipe");
  });
}

test("run --help tells every option and exit code", async () => {
  const { stdout } = await runCli(["run", "--help"]);
  for (const option of ["--file", "--policy", "--engine", "--sqpoll[=", "--entries", "--env"]) {
    assert.ok(stdout.includes(option), option);
  }
  for (const word of ["--deadline", "--stats", "--json", "134", "124", "130"]) {
    assert.ok(stdout.includes(word), word);
  }
});

test.run();
