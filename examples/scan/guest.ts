// asc: --enable simd
/**
 * Counts a byte pattern in the grant "input", as `grep -F -o PATTERN | wc -l` does: N blocks are in
 * flight while the one before them is scanned. What the end of a block leaves undecided is put in
 * front of the next.
 */
import {
  Errno,
  exit,
  openGrant,
  print,
  printError,
  programArguments,
  Ring,
  SequentialReader,
} from "../../assembly";
import { Matcher } from "./guest/matcher";

const DEPTH_DEFAULT: u32 = 32;
const BLOCK_KIB_DEFAULT: u32 = 64;
/** Room for the text in front of a long pattern's block is taken from the number of blocks. */
const ARENA_BYTES: u32 = 4 << 20;

function numberAt(words: string[], index: i32, fallback: u32): u32 {
  if (index >= words.length) return fallback;
  const value = I32.parseInt(words[index]);
  if (value < 1 || value > 4096) fail("not a number from 1 to 4096: " + words[index]);
  return value;
}

function fail(message: string): void {
  printError("scan: " + message);
  exit(2);
}

function count(pattern: ArrayBuffer, depth: u32, blockBytes: u32): u64 {
  const matcher = new Matcher(changetype<usize>(pattern), pattern.byteLength);
  const input = openGrant("input");
  const headroom = <u32>pattern.byteLength - 1;
  const stride = SequentialReader.strideBytes(blockBytes, headroom);
  const blocks = max<u32>(1, min(depth, ARENA_BYTES / stride));
  const ring = Ring.create(blocks * stride);
  const reader = new SequentialReader(ring, input, blocks, blockBytes, headroom);
  // `next` gives a block back to the kernel, so what it leaves undecided is kept aside meanwhile.
  const rest = heap.alloc(pattern.byteLength);
  let restBytes: usize = 0;
  for (let first = true; reader.next(); first = false) {
    const start = reader.block - restBytes;
    const end = reader.block + reader.length;
    if (first) matcher.learn(start, end);
    memory.copy(start, rest, restBytes);
    const undecided = matcher.scan(start, end);
    restBytes = end - undecided;
    memory.copy(rest, undecided, restBytes);
  }
  if (reader.error != 0) fail("reading input: " + Errno[-reader.error]);
  return matcher.count;
}

export function _start(): void {
  const words = programArguments();
  if (words.length < 1) fail("usage: scan PATTERN [BLOCKS IN FLIGHT [KIB PER BLOCK]]");
  const pattern = String.UTF8.encode(words[0]);
  const depth = numberAt(words, 1, DEPTH_DEFAULT);
  const blockBytes = numberAt(words, 2, BLOCK_KIB_DEFAULT) << 10;
  // grep -o prints no empty matches.
  print(pattern.byteLength == 0 ? "0" : count(pattern, depth, blockBytes).toString());
}
