/** Printing, arguments, time and exit by WASI preview1: what a small guest needs besides its ring. */
import { argsGet, argsSizesGet, clockTimeGet, fdWrite, procExit } from "./host";

/** Four words of static memory for out-parameters: nothing allocates. */
const cells = memory.data(16, 8);

/** Writes all bytes to 1 (stdout) or 2 (stderr); gives up silently when the stream is gone, as a shell tool would. */
export function writeBytes(fd: i32, start: usize, length: u32): void {
  while (length > 0) {
    store<u32>(cells, <u32>start);
    store<u32>(cells, length, 4);
    if (fdWrite(fd, cells, 1, cells + 8) != 0) return;
    const written = load<u32>(cells, 8);
    start += written;
    length -= written;
  }
}

function writeText(fd: i32, text: string): void {
  const encoded = String.UTF8.encode(text + "\n");
  writeBytes(fd, changetype<usize>(encoded), encoded.byteLength);
}

/** One line on stdout. */
export function print(text: string): void {
  writeText(1, text);
}

/** One line on stderr. */
export function printError(text: string): void {
  writeText(2, text);
}

/** Arguments without the program's name. */
export function programArguments(): string[] {
  const result = new Array<string>();
  if (argsSizesGet(cells, cells + 4) != 0) return result;
  const count = load<u32>(cells);
  const argv = heap.alloc(count * 4 + load<u32>(cells, 4));
  if (argsGet(argv, argv + count * 4) == 0) {
    for (let index: u32 = 1; index < count; index++) {
      const text: usize = load<u32>(argv + index * 4);
      let length: usize = 0;
      while (load<u8>(text + length) != 0) length++;
      result.push(String.UTF8.decodeUnsafe(text, length));
    }
  }
  heap.free(argv);
  return result;
}

/** Monotonic time, ns. */
export function monotonicNs(): u64 {
  return clockTimeGet(1, 0, cells) == 0 ? load<u64>(cells) : 0;
}

/** Ends the program. */
export function exit(code: i32): void {
  procExit(code);
}
