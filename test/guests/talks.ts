/** Copies standard input to standard output, one line to standard error; "flood" writes without end. */
import { writeBytes, programArguments, printError, exit } from "../../assembly";
import { fdWrite } from "../../assembly/wasi/host";

// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "fd_read")
declare function fdRead(fd: i32, iovecs: usize, count: i32, read: usize): i32;

const cells = memory.data(16, 8);
const buffer = memory.data(4096, 8);

export function _start(): void {
  const words = programArguments();
  if (words.length > 0 && words[0] == "flood") {
    memory.fill(buffer, 0x61, 4096);
    for (;;) {
      store<u32>(cells, <u32>buffer);
      store<u32>(cells, 4096, 4);
      const error = fdWrite(1, cells, 1, cells + 8);
      if (error != 0) exit(error);
    }
  }
  printError("to the error stream");
  for (;;) {
    store<u32>(cells, <u32>buffer);
    store<u32>(cells, 4096, 4);
    if (fdRead(0, cells, 1, cells + 8) != 0) exit(1);
    const length = load<u32>(cells, 8);
    if (length == 0) break;
    writeBytes(1, buffer, length);
  }
}
