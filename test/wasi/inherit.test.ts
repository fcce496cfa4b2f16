/**
 * Standard streams that are passed through: no call is stuck where a deadline cannot end it, even
 * when somebody else was faster or the other end takes less than it promised.
 */
import { spawn, spawnSync } from "node:child_process";
import { closeSync, constants, openSync, readdirSync, readSync, writeSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Errno } from "../../host/abi";
import { type InheritOptions, inheritInput, inheritOutput } from "../../host/wasi/inherit";
import { hasFiles, temporaryFolder } from "./folder";

const test = suite("wasi/inherit");

const folder = temporaryFolder();
const openOnHost = () => readdirSync("/proc/self/fd").length;

function makeFifo(name: string): string {
  const path = join(folder, name);
  assert.is(spawnSync("mkfifo", [path]).status, 0);
  return path;
}

/** Says that everything is ready, as it was before another reader or writer came first. */
function stoppedAfter(looks: number): InheritOptions {
  let left = looks;
  return { stopped: () => left-- <= 0, poll: (_fd, events) => events, isEnded: true };
}

/** Should the call be stuck after all, this ends it, and the test fails instead of waiting on. */
function rescue(command: string): () => void {
  const child = spawn("sh", ["-c", `sleep 5; ${command}`], { stdio: "ignore" });
  return () => void child.kill();
}

if (hasFiles) {
  test("a reader that came too late is not stuck", () => {
    const path = makeFifo("read");
    const fd = openSync(path, constants.O_RDWR);
    const cancel = rescue(`echo late > ${path}`);
    const stream = inheritInput(fd, stoppedAfter(3));
    assert.is(stream.read?.(new Uint8Array(10)), -Errno.EINTR);
    cancel();
    stream.close?.();
    closeSync(fd);
  });

  test("a writer whose pipe is full is not stuck", () => {
    const path = makeFifo("write");
    const fd = openSync(path, constants.O_RDWR);
    const cancel = rescue(`cat ${path}`);
    const stream = inheritOutput(fd, stoppedAfter(100));
    const bytes = new Uint8Array(100_000);
    const written = stream.write?.(bytes) ?? 0;
    assert.ok(written > 0 && written < bytes.length, `${written} bytes`);
    assert.is(stream.write?.(bytes), -Errno.EINTR);
    cancel();
    stream.close?.();
    closeSync(fd);
  });

  test("what a writer left before it went is read, and then the end", () => {
    const path = makeFifo("left");
    const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const writer = openSync(path, constants.O_WRONLY);
    writeSync(writer, "left");
    closeSync(writer);
    const stream = inheritInput(reader, stoppedAfter(10));
    const bytes = new Uint8Array(10);
    assert.equal([stream.read?.(bytes), stream.read?.(bytes)], [4, 0]);
    assert.is(Buffer.from(bytes.subarray(0, 4)).toString(), "left");
    stream.close?.();
    closeSync(reader);
  });

  test("its own opening is closed, once, and the host's stays", () => {
    const fd = openSync(makeFifo("close"), constants.O_RDWR);
    const before = openOnHost();
    const stream = inheritOutput(fd, stoppedAfter(10));
    assert.is(openOnHost(), before + 1);
    stream.close?.();
    stream.close?.();
    assert.is(openOnHost(), before);
    assert.is(writeSync(fd, "x"), 1);
    assert.is(readSync(fd, new Uint8Array(1)), 1);
    closeSync(fd);
  });

  test("what is neither a pipe nor a terminal's own end is not opened anew", () => {
    const device = openSync("/dev/ptmx", constants.O_RDWR | constants.O_NOCTTY);
    const file = openSync(join(folder, "file"), "w");
    const before = openOnHost();
    for (const fd of [device, file]) inheritOutput(fd, stoppedAfter(1));
    assert.is(openOnHost(), before);
    closeSync(device);
    closeSync(file);
  });

  test("where the thread is not to be ended, the host's own descriptor serves", () => {
    const fd = openSync(makeFifo("plain"), constants.O_RDWR);
    const before = openOnHost();
    const stream = inheritOutput(fd, { ...stoppedAfter(10), isEnded: false });
    assert.is(openOnHost(), before);
    assert.is(stream.write?.(new Uint8Array(3)), 3);
    closeSync(fd);
  });
} else console.log("wasi/inherit: skipped, no system calls on this platform");

test.run();
