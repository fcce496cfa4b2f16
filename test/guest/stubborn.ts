/**
 * A guest that catches everything, in bytes, because AssemblyScript has no exceptions: it sets a ring up where its data
 * segment says and then waits in `enter` for ever, inside a try with a catch_all.
 *
 *   (func (export "_start")
 *     (drop (call $setup (i32.const 0)))
 *     (loop (try (do (drop (call $enter (i32.const 0) (i32.const 1) (i32.const 1) (i32.const -1)))) (catch_all)) (br 0)))
 */
import { ABI_VERSION, SetupRequest } from "../../host/abi";

const I32 = 0x7f;
const PAGE = 4096;

const text = (name: string): number[] => [name.length, ...Buffer.from(name)];

/** LEB128 of a small size. */
function size(value: number): number[] {
  return value < 128 ? [value] : [(value & 0x7f) | 0x80, value >>> 7];
}

const section = (id: number, body: readonly number[]): number[] => [
  id,
  ...size(body.length),
  ...body,
];

function request(): number[] {
  const view = new DataView(new ArrayBuffer(40));
  const words: readonly (readonly [SetupRequest, number])[] = [
    [SetupRequest.ABI_VERSION, ABI_VERSION],
    [SetupRequest.SQ_ENTRIES, 8],
    [SetupRequest.CQ_ENTRIES, 16],
    [SetupRequest.RING_OFFSET, PAGE],
    [SetupRequest.RING_LENGTH, PAGE],
    [SetupRequest.SQES_OFFSET, 2 * PAGE],
    [SetupRequest.SQES_LENGTH, PAGE],
    [SetupRequest.ARENA_OFFSET, 3 * PAGE],
    [SetupRequest.ARENA_LENGTH, PAGE],
  ];
  for (const [field, value] of words) view.setUint32(field, value, true);
  return [...new Uint8Array(view.buffer)];
}

const TRY = [0x06, 0x40];
const CATCH_ALL = 0x19;
const LOOP = [0x03, 0x40];
const END = 0x0b;
const BR_0 = [0x0c, 0];
const DROP = 0x1a;
const constant = (value: 0 | 1 | -1): number[] => [0x41, value & 0x7f];
const call = (index: number): number[] => [0x10, index];

const enter = [...constant(0), ...constant(1), ...constant(1), ...constant(-1), ...call(1), DROP];
const body = [
  ...[...constant(0), ...call(0), DROP],
  ...[...LOOP, ...TRY, ...enter, CATCH_ALL, END, ...BR_0, END],
  END,
];
const code = [0, ...body];

export const STUBBORN_GUEST = Uint8Array.from([
  ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
  // (i32) -> i32, (i32 i32 i32 i32) -> i32, () -> ()
  ...section(1, [3, 0x60, 1, I32, 1, I32, 0x60, 4, I32, I32, I32, I32, 1, I32, 0x60, 0, 0]),
  ...section(2, [
    2,
    ...text("uring"),
    ...text("setup"),
    0,
    0,
    ...text("uring"),
    ...text("enter"),
    0,
    1,
  ]),
  ...section(3, [1, 2]),
  ...section(5, [1, 0, 1]),
  ...section(7, [2, ...text("memory"), 2, 0, ...text("_start"), 0, 2]),
  ...section(10, [1, ...size(code.length), ...code]),
  ...section(11, [1, 0, ...constant(0), END, ...size(request().length), ...request()]),
]);
