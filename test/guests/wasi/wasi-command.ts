// asc: --use abort=
/**
 * A command for the tests of the class WASI. Its first argument says what it does: `print` the other arguments, a
 * variable's value (`env`), what it reads (`echo`), `exit` with a code, `wait` for that many milliseconds, or `trap`.
 */
import { exit, monotonicNs, print, programArguments } from "../../../assembly";

// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "fd_read")
declare function fdRead(fd: i32, vectors: usize, count: i32, result: usize): i32;
// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "environ_sizes_get")
declare function environSizesGet(count: usize, bytes: usize): i32;
// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "environ_get")
declare function environGet(list: usize, bytes: usize): i32;

const vector = memory.data(8);
const result = memory.data(8);
const buffer = memory.data(4096);

function echo(): void {
  store<u32>(vector, <u32>buffer);
  store<u32>(vector, 4096, 4);
  if (fdRead(0, vector, 1, result) != 0) exit(1);
  print(String.UTF8.decodeUnsafe(buffer, load<u32>(result)));
}

/** All variables, each on a line, in their order. */
function printEnvironment(): void {
  environSizesGet(result, result + 4);
  const count = load<u32>(result);
  const list = heap.alloc(count * 4 + 4);
  const bytes = heap.alloc(load<u32>(result, 4) + 1);
  environGet(list, bytes);
  for (let at: u32 = 0; at < count; at++) {
    const start = load<u32>(list + at * 4);
    let length = 0;
    while (load<u8>(start + length) != 0) length++;
    print(String.UTF8.decodeUnsafe(start, length));
  }
}

export function _start(): void {
  const words = programArguments();
  const what = words.length > 0 ? words[0] : "print";
  if (what == "print") {
    for (let at = 1; at < words.length; at++) print(words[at]);
  } else if (what == "env") printEnvironment();
  else if (what == "echo") echo();
  else if (what == "exit") exit(I32.parseInt(words[1]));
  else if (what == "wait") {
    const until = monotonicNs() + U64.parseInt(words[1]) * 1_000_000;
    while (monotonicNs() < until) {}
  } else unreachable();
}
