/** env.abort of AssemblyScript guests: the sentence, and strings that lie. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { GuestMemory } from "../../host/memory/guest-memory";
import { ABORT_TEXT_MAX, createAbort } from "../../host/wasi/abort";
import { captureOutput } from "../../host/wasi/stream";

const test = suite("wasi/abort");

function abortWith(shared: boolean, prepare: (guest: GuestMemory) => [number, number]): string {
  const guest = new GuestMemory(new WebAssembly.Memory({ initial: 1, maximum: 1, shared }));
  const chunks: Uint8Array[] = [];
  const stderr = captureOutput(2, (_fd, chunk) => void chunks.push(chunk), 1 << 20);
  const abort = createAbort({ memory: () => guest, stderr });
  const [message, file] = prepare(guest);
  try {
    abort(message, file, 12, 5);
  } catch (error) {
    assert.instance(error, WebAssembly.RuntimeError);
    const text = Buffer.concat(chunks).toString("utf8");
    assert.is(text, `${error instanceof Error ? error.message : ""}\n`);
    return text;
  }
  throw new Error("abort returned");
}

function putString(guest: GuestMemory, at: number, text: string): number {
  guest.view.setUint32(at - 4, text.length * 2, true);
  for (let unit = 0; unit < text.length; unit++) {
    guest.view.setUint16(at + unit * 2, text.charCodeAt(unit), true);
  }
  return at;
}

for (const shared of [false, true]) {
  test(`prints message and place (shared: ${shared})`, () => {
    const text = abortWith(shared, (guest) => [
      putString(guest, 104, "größe €"),
      putString(guest, 304, "guest.ts"),
    ]);
    assert.is(text, "abort: größe € in guest.ts(12:5)\n");
  });
}

test("no strings", () => {
  assert.is(
    abortWith(false, () => [0, 0]),
    "abort: (no message)\n",
  );
});

test("pointers and lengths that lie read as nothing", () => {
  for (const pointer of [1, 3, -1, 65536, 65540]) {
    assert.match(
      abortWith(false, () => [pointer, pointer]),
      "(no message)",
    );
  }
  const text = abortWith(false, (guest) => {
    guest.view.setUint32(100, 0xffffffff, true);
    return [104, 0];
  });
  assert.match(text, "(no message)");
});

test("a long message is cut and control characters do not reach the terminal", () => {
  const text = abortWith(false, (guest) => [putString(guest, 104, "\x1b[2J".repeat(5000)), 0]);
  assert.ok(text.length < ABORT_TEXT_MAX + 100);
  assert.not.match(text, "\x1b");
});

test.run();
