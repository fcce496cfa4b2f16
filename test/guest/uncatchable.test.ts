/** A guest that catches what an import throws to end it: it is ended all the same, and its owner is told why. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { runGuest } from "wasm-uring";
import { ABI_VERSION, SetupRequest } from "../../host/abi";
import { reasonOf, uncatchable } from "../../host/guest/uncatchable";

const test = suite("guest/uncatchable");

const PAGE = 4096;
const REQUEST_OFFSET = 64;

/** LEB128. */
function unsigned(value: number): number[] {
  const low = value & 0x7f;
  return value < 0x80 ? [low] : [low | 0x80, ...unsigned(value >>> 7)];
}

const vector = (items: readonly number[][]) => [...unsigned(items.length), ...items.flat()];
const text = (word: string) => vector([...Buffer.from(word)].map((byte) => [byte]));
const section = (id: number, bytes: readonly number[]) => [id, ...unsigned(bytes.length), ...bytes];

function setupRequest(): number[] {
  const view = new DataView(new ArrayBuffer(SetupRequest.SIZE));
  const word = (field: number, value: number) => view.setUint32(field, value, true);
  word(SetupRequest.ABI_VERSION, ABI_VERSION);
  word(SetupRequest.SQ_ENTRIES, 16);
  word(SetupRequest.CQ_ENTRIES, 32);
  word(SetupRequest.RING_OFFSET, PAGE);
  word(SetupRequest.RING_LENGTH, PAGE);
  word(SetupRequest.SQES_OFFSET, 2 * PAGE);
  word(SetupRequest.SQES_LENGTH, PAGE);
  word(SetupRequest.ARENA_OFFSET, 3 * PAGE);
  word(SetupRequest.ARENA_LENGTH, PAGE);
  return [...new Uint8Array(view.buffer)];
}

/** `_start`: try { drop(uring.setup(request)) } catch_all {} */
function catchingGuest(): Uint8Array {
  const call = [0x41, ...unsigned(REQUEST_OFFSET | 0), 0x10, 0, 0x1a];
  // A signed constant: 64 takes two bytes.
  call.splice(1, 1, 0xc0, 0x00);
  const body = [0, 0x06, 0x40, ...call, 0x19, 0x0b, 0x0b];
  return new Uint8Array([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(
      1,
      vector([
        [0x60, 1, 0x7f, 1, 0x7f],
        [0x60, 0, 0],
      ]),
    ),
    ...section(2, vector([[...text("uring"), ...text("setup"), 0, 0]])),
    ...section(3, vector([[1]])),
    ...section(5, vector([[0, 1]])),
    ...section(
      7,
      vector([
        [...text("_start"), 0, 1],
        [...text("memory"), 2, 0],
      ]),
    ),
    ...section(10, vector([[...unsigned(body.length), ...body]])),
    ...section(
      11,
      vector([[0, 0x41, 0xc0, 0x00, 0x0b, ...vector(setupRequest().map((b) => [b]))]]),
    ),
  ]);
}

test("a guest with a ring ends by itself", async () => {
  const { outcome } = await runGuest(catchingGuest(), { deadlineMs: 8000 });
  assert.equal(outcome, { kind: "exit", exitCode: 0 });
});

test("a failed set-up ends a guest that catches everything", async () => {
  // No machine has this CPU, so that no rung holds.
  const sqpoll = { idleMs: 10, cpu: 100_000 };
  const { outcome } = await runGuest(catchingGuest(), { sqpoll, deadlineMs: 8000 });
  assert.is(outcome.kind, "host-failure");
  const code = outcome.kind === "host-failure" ? outcome.error.code : "";
  assert.is(code, "ERR_ENGINE_UNAVAILABLE");
});

test("the reason is carried, results pass", () => {
  const reason = new Error("why");
  const failing = uncatchable(() => {
    throw reason;
  });
  try {
    failing();
    assert.unreachable();
  } catch (error) {
    assert.instance(error, WebAssembly.RuntimeError);
    assert.is(reasonOf(error), reason);
  }
  assert.is(uncatchable((value) => value ?? 0)(7), 7);
  assert.is(reasonOf(reason), reason);
});

test.run();
