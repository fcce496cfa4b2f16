/** `wasm-uring probe`: the report for people and as JSON, from the real kernel. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { ProbeReport } from "../../host/probe";
import { runCli } from "./command";

const test = suite("cli/probe");

test("for people: engine, machine, hostile checks; no colours and no spinner on a pipe", async () => {
  const { exitCode, stdout, stderr } = await runCli(["probe"]);
  assert.is(exitCode, 0, stdout);
  assert.is(stderr, "");
  assert.match(stdout, /^Engine for guests: (mapped|mirrored|emulated): /);
  assert.match(stdout, "This machine");
  assert.match(stdout, "A hostile guest on the");
  assert.not.match(stdout, "ESCAPED");
  assert.not.match(stdout, "\x1b[");
});

test("--json: one object, and every hostile check refused", async () => {
  const { exitCode, stdout } = await runCli(["probe", "--json"]);
  assert.is(exitCode, 0);
  const report: ProbeReport = JSON.parse(stdout);
  assert.ok(report.choice.engine !== null, report.choice.reason);
  assert.ok(report.choice.ladder.some((step) => step.taken));
  assert.ok(report.hostile.length > 30);
  for (const { name, verdict, answer } of report.hostile) {
    assert.ok(verdict === "refused" || verdict === "passed", `${name}: ${verdict} (${answer})`);
  }
  const kernelSaysAttributes = report.features.includes("RW_ATTR");
  if (report.choice.engine === "mapped") assert.is(report.oracle.present, kernelSaysAttributes);
  if (report.choice.engine === "mirrored") assert.is(report.oracle.present, false);
});

test.run();
