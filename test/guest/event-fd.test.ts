/** An embedder's eventfd tells of completions on every engine: once for each batch, and never of the host's self-test. */
import { closeSync, openSync, readSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { runGuest, WasmUringError } from "wasm-uring";
import { linuxSyscalls } from "../../host/ffi";
import { enginesHere } from "../engines";

const test = suite("guest/event-fd");
const HELLO = "build/guests/hello.wasm";
const EFD_NONBLOCK = 0x800;

/** The counter, 0 when nobody signalled. */
function signals(eventFd: number): bigint {
  const counter = new BigUint64Array(1);
  try {
    readSync(eventFd, counter);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EAGAIN") return 0n;
    throw error;
  }
  return counter[0] ?? 0n;
}

for (const { engine, sqpoll } of await enginesHere()) {
  test(`${engine}${sqpoll ? " under SQPOLL" : ""}: one read, one signal`, async () => {
    const eventFd = linuxSyscalls().eventfd(0, EFD_NONBLOCK);
    try {
      const files = { input: { path: "package.json" } };
      const options = { engine, sqpoll, files, eventFd, stdout: "ignore" } as const;
      const result = await runGuest(HELLO, options);
      assert.equal(result.outcome, { kind: "exit", exitCode: 0 });
      assert.is(result.stats?.completed, 1);
      assert.is(signals(eventFd), 1n);
    } finally {
      closeSync(eventFd);
    }
  });
}

test("what is no eventfd is refused, nothing left behind", async () => {
  const fd = openSync("package.json", "r");
  try {
    for (const eventFd of [fd, -1, 1.5, 9999]) {
      let refusal: unknown;
      await runGuest(HELLO, { files: { input: { path: "package.json" } }, eventFd }).catch(
        (error) => {
          refusal = error;
        },
      );
      assert.instance(refusal, WasmUringError);
      assert.match(String(refusal), /eventFd .* is not an eventfd/);
    }
  } finally {
    closeSync(fd);
  }
});

test.run();
