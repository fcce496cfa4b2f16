/** What a guest says and hears: captured output, its limit, standard input. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { runGuest } from "wasm-uring";
import { endOf, guestPath, textOf } from "./guests";

const output = suite("guest/output");

const ENOSPC = 51; // of WASI

output("both streams are captured apart, input arrives whole", async () => {
  const stdin = "line one\nline two \u{1f642}\n".repeat(1000);
  const options = { stdin, stdout: "capture", stderr: "capture" } as const;
  const result = await runGuest(guestPath("talks"), options);
  assert.is(endOf(result), "exit 0");
  assert.is(textOf(result.stdout), stdin);
  assert.is(textOf(result.stderr), "to the error stream\n");
});

output("input as bytes, and none", async () => {
  const bytes = Uint8Array.from({ length: 10_000 }, (_, index) => index & 0xff);
  const given = await runGuest(guestPath("talks"), {
    stdin: bytes,
    stdout: "capture",
    stderr: "ignore",
  });
  assert.equal(Buffer.from(given.stdout), Buffer.from(bytes));
  const none = await runGuest(guestPath("talks"), { stdout: "capture", stderr: "ignore" });
  assert.is(none.stdout.length, 0);
});

output("a flood is cut at the limit and refused to the guest with ENOSPC", async () => {
  const result = await runGuest(guestPath("talks"), {
    args: ["talks", "flood"],
    stdout: "capture",
    outputLimitBytes: 100_000,
    deadlineMs: 5000,
  });
  assert.is(endOf(result), `exit ${ENOSPC}`);
  assert.ok(result.stdout.length <= 100_000, `${result.stdout.length} bytes`);
  assert.ok(result.stdout.length > 90_000, `${result.stdout.length} bytes`);
});

output("a flood into nothing goes on until the deadline", async () => {
  const result = await runGuest(guestPath("talks"), {
    args: ["talks", "flood"],
    stdout: "ignore",
    deadlineMs: 100,
  });
  assert.is(endOf(result), "deadline");
});

output.run();
