/** Exit, trap, deadline, abort and host failure are five different ends, for guests of every temper. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { createGuest, type EngineName, runGuest, WasmUringError } from "wasm-uring";
import { leakedSince, takeResources } from "../hostile/resources";
import { endOf, guestPath, openPipe, textOf } from "./guests";
import { STUBBORN_GUEST } from "./stubborn";

const outcome = suite("guest/outcome");

const ENGINES: readonly EngineName[] = ["mapped", "mirrored", "emulated"];
const ENDS = guestPath("ends");
/** Grace, the slices of a wait, and a machine that is busy. */
const LATE_MS_MAX = 2500;

const run = (words: readonly string[]) =>
  runGuest(ENDS, { args: ["ends", ...words], stdout: "capture", stderr: "ignore" });

for (const code of [0, 1, 42, 255]) {
  outcome(`exit ${code}`, async () => {
    const result = await run(["exit", `${code}`]);
    assert.is(endOf(result), `exit ${code}`);
    assert.is(result.exitCode, code);
    assert.is(result.ring, null);
  });
}

outcome("returning from _start is exit 0", async () => {
  const result = await run(["return"]);
  assert.is(endOf(result), "exit 0");
});

outcome("traps: unreachable, abort, stack overflow", async () => {
  for (const word of ["trap", "abort", "overflow"]) {
    const result = await run([word]);
    assert.is(endOf(result), "trap", word);
    assert.is(result.exitCode, 134);
  }
});

outcome("a spinning guest is ended by its deadline", async () => {
  const before = takeResources();
  const began = performance.now();
  const result = await runGuest(ENDS, {
    args: ["ends", "spin"],
    stdout: "capture",
    deadlineMs: 100,
  });
  assert.is(endOf(result), "deadline");
  assert.is(result.exitCode, 124);
  assert.is(textOf(result.stdout), "ready\n");
  assert.ok(performance.now() - began < LATE_MS_MAX);
  assert.equal(await leakedSince(before), []);
});

for (const engine of ENGINES) {
  for (const word of ["wait", "wait-sliced", "spin-with-ring"]) {
    outcome(
      `${engine}: a guest that ${word}s on an empty pipe is ended by its deadline`,
      async () => {
        const pipe = openPipe();
        const before = takeResources();
        const began = performance.now();
        const result = await runGuest(ENDS, {
          args: ["ends", word],
          files: { input: { fd: pipe.read } },
          policy: "stream",
          stdout: "capture",
          stderr: "ignore",
          engine,
          deadlineMs: 150,
        });
        const tookMs = performance.now() - began;
        const leaked = await leakedSince(before);
        pipe.close();
        if (isUnavailable(result)) return console.log(`skipped: ${endOf(result)}`);
        assert.is(endOf(result), "deadline");
        assert.is(textOf(result.stdout), "ready\n");
        assert.is(result.ring?.engine, engine);
        assert.ok(tookMs < LATE_MS_MAX, `${tookMs} ms`);
        assert.equal(leaked, []);
      },
    );
  }

  outcome(`${engine}: a waiting guest is ended by an AbortSignal`, async () => {
    const pipe = openPipe();
    const abort = new AbortController();
    setTimeout(() => abort.abort("enough"), 150);
    const result = await runGuest(ENDS, {
      args: ["ends", "wait"],
      files: { input: { fd: pipe.read } },
      policy: "stream",
      stdout: "capture",
      engine,
      signal: abort.signal,
    });
    pipe.close();
    if (isUnavailable(result)) return console.log(`skipped: ${endOf(result)}`);
    assert.is(endOf(result), "aborted");
    assert.is(result.exitCode, 130);
    assert.equal(result.outcome, { kind: "aborted", reason: "enough" });
  });

  outcome(`${engine}: a guest that catches everything is ended all the same`, async () => {
    const before = takeResources();
    const began = performance.now();
    const result = await runGuest(STUBBORN_GUEST, { engine, deadlineMs: 100 });
    if (isUnavailable(result)) return console.log(`skipped: ${endOf(result)}`);
    assert.is(endOf(result), "deadline");
    assert.is(result.ring?.engine, engine, result.setupErrors.join());
    assert.ok(performance.now() - began < LATE_MS_MAX);
    assert.equal(await leakedSince(before), []);
  });
}

/** An engine that this machine does not offer, as its host failure says. */
function isUnavailable(result: Awaited<ReturnType<typeof runGuest>>): boolean {
  const { outcome: ended } = result;
  return ended.kind === "host-failure" && ended.error.code === "ERR_ENGINE_UNAVAILABLE";
}

outcome("a signal that was aborted before: the guest never starts", async () => {
  const result = await runGuest(ENDS, {
    args: ["ends", "exit", "0"],
    signal: AbortSignal.abort("no"),
  });
  assert.is(endOf(result), "aborted");
});

outcome("a host failure is none of the guest's ends", async () => {
  const limited = await runGuest(guestPath("setup-twice"), {
    args: ["setup-twice", "arena", "1"],
    engine: "mapped",
    sqpoll: { idleMs: 10, cpu: 4095 },
    stdout: "capture",
  });
  assert.is(limited.outcome.kind, "host-failure", endOf(limited));
  assert.is(limited.exitCode, 2);
  if (limited.outcome.kind === "host-failure") {
    assert.instance(limited.outcome.error, WasmUringError);
    assert.is(limited.outcome.error.code, "ERR_ENGINE_UNAVAILABLE");
  }
});

outcome("a guest runs once", async () => {
  const guest = await createGuest(ENDS, { args: ["ends", "exit", "0"] });
  await guest.run();
  assert.throws(
    () => guest.run(),
    (error: Error) => error instanceof WasmUringError && error.code === "ERR_BAD_OPTION",
  );
  await guest.close();
});

outcome.run();
