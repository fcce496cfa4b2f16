/**
 * Uses files by WASI as its first argument says: "copy FROM TO" below descriptor 3, "hold" (opens
 * FROM many times and spins), "sleep" (in poll_oneoff, for ever), "accept" (waits for a connection
 * on descriptor 4), "probe PATH" (exits with the errno of opening it for writing), "raise N".
 */
import { exit, print, programArguments } from "../../assembly";
import { fdWrite } from "../../assembly/wasi/host";

// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "path_open")
declare function pathOpen(
  fd: i32, lookup: i32, path: usize, length: usize, flags: i32, rights: u64, inherited: u64,
  fdFlags: i32, result: usize,
): i32;
// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "fd_read")
declare function fdRead(fd: i32, iovecs: usize, count: i32, read: usize): i32;
// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "poll_oneoff")
declare function pollOneoff(subscriptions: usize, events: usize, count: i32, result: usize): i32;
// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "sock_accept")
declare function sockAccept(fd: i32, flags: i32, result: usize): i32;
// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "proc_raise")
declare function procRaise(signal: i32): i32;

const CREATE: i32 = 1;
const READ: u64 = 2;
const WRITE: u64 = 64;
const cells = memory.data(128, 8);
const buffer = memory.data(4096, 8);

/** A descriptor, or a negated errno. */
function open(path: string, flags: i32, rights: u64): i32 {
  const bytes = String.UTF8.encode(path);
  const at = changetype<usize>(bytes);
  const error = pathOpen(3, 1, at, bytes.byteLength, flags, rights, 0, 0, cells);
  return error == 0 ? load<i32>(cells) : -error;
}

function must(result: i32): i32 {
  if (result < 0) exit(-result);
  return result;
}

function copy(from: string, to: string): void {
  const source = must(open(from, 0, READ));
  const target = must(open(to, CREATE, WRITE));
  for (;;) {
    store<u32>(cells, <u32>buffer);
    store<u32>(cells, 4096, 4);
    must(-fdRead(source, cells, 1, cells + 8));
    const length = load<u32>(cells, 8);
    if (length == 0) return;
    store<u32>(cells, length, 4);
    must(-fdWrite(target, cells, 1, cells + 8));
  }
}

function sleep(): void {
  memory.fill(cells, 0, 48);
  store<u32>(cells, 1, 16);
  store<u64>(cells, u64.MAX_VALUE, 24);
  print("ready");
  exit(pollOneoff(cells, buffer, 1, buffer + 64));
}

export function _start(): void {
  const words = programArguments();
  const word = words[0];
  if (word == "copy") copy(words[1], words[2]);
  if (word == "probe") exit(max(-open(words[1], 0, READ | WRITE), 0));
  if (word == "sleep") sleep();
  if (word == "raise") exit(100 + procRaise(I32.parseInt(words[1])));
  if (word == "accept") {
    print("ready");
    exit(sockAccept(4, 0, cells));
  }
  if (word == "hold") {
    for (let count = 0; count < 50; count++) must(open(words[1], 0, READ));
    print("ready");
    let turns: u32 = 0;
    while (load<u32>(0) != 0xdeadbeef) store<u32>(0, ++turns & 0xff);
  }
}
