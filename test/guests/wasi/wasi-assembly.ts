// asc: --use abort=
/**
 * Conformance cases in AssemblyScript, whose runtime owns the whole memory and whose strings are UTF-16: the frame of
 * conformance.h for another toolchain. Without an argument it prints the names of its cases.
 */
import { exit, print, programArguments } from "../../../assembly";

// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "path_open")
declare function pathOpen(
  fd: i32, lookup: i32, path: usize, length: i32, flags: i32, rights: i64, inherited: i64, fdFlags: i32, result: usize,
): i32;
// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "fd_write")
declare function fdWrite(fd: i32, vectors: usize, count: i32, result: usize): i32;
// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "fd_pread")
declare function fdPread(fd: i32, vectors: usize, count: i32, offset: i64, result: usize): i32;
// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "fd_seek")
declare function fdSeek(fd: i32, offset: i64, whence: i32, result: usize): i32;
// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "fd_filestat_get")
declare function fdFilestatGet(fd: i32, result: usize): i32;
// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "fd_close")
declare function fdClose(fd: i32): i32;
// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "random_get")
declare function randomGet(buffer: usize, length: i32): i32;

const READ_WRITE: i64 = 0x0fffffff;
const CREATE: i32 = 1;
const RW: i32 = 3;

let failures: i32 = 0;

function is(what: string, actual: i64, expected: i64): void {
  if (actual == expected) return;
  print(what + " is " + actual.toString() + ", not " + expected.toString());
  failures++;
}

const result = memory.data(8);
const vector = memory.data(8);
const status = memory.data(64);

function openFile(name: string, flags: i32): i32 {
  const path = String.UTF8.encode(name);
  const errno = pathOpen(RW, 0, changetype<usize>(path), path.byteLength, flags, READ_WRITE, 0, 0, result);
  is("path_open " + name, errno, 0);
  return load<i32>(result);
}

function point(buffer: ArrayBuffer): void {
  store<u32>(vector, <u32>changetype<usize>(buffer));
  store<u32>(vector, <u32>buffer.byteLength, 4);
}

function files(): void {
  const fd = openFile("file", CREATE);
  point(String.UTF8.encode("Größe €"));
  is("fd_write", fdWrite(fd, vector, 1, result), 0);
  is("bytes written", load<u32>(result), 11);
  const back = new ArrayBuffer(11);
  point(back);
  is("fd_pread", fdPread(fd, vector, 1, 0, result), 0);
  is("text", String.UTF8.decode(back) == "Größe €" ? 1 : 0, 1);
  is("fd_close", fdClose(fd), 0);
  is("fd_close again", fdClose(fd), 8);
}

function large_offsets(): void {
  const fd = openFile("file", CREATE);
  is("fd_seek", fdSeek(fd, 5_000_000_000, 0, result), 0);
  is("position", load<i64>(result), 5_000_000_000);
  point(String.UTF8.encode("x"));
  is("fd_write", fdWrite(fd, vector, 1, result), 0);
  is("fd_filestat_get", fdFilestatGet(fd, status), 0);
  is("size", load<i64>(status, 32), 5_000_000_001);
}

function memory_that_grows(): void {
  const fd = openFile("file", CREATE);
  for (let turn = 0; turn < 8; turn++) {
    const text = String.UTF8.encode("0123456789");
    point(text);
    is("fd_write", fdWrite(fd, vector, 1, result), 0);
    is("memory.grow", memory.grow(16) >= 0 ? 1 : 0, 1);
  }
  is("fd_filestat_get", fdFilestatGet(fd, status), 0);
  is("size", load<i64>(status, 32), 80);
  const far = new ArrayBuffer(1 << 20);
  is("random_get", randomGet(changetype<usize>(far), far.byteLength), 0);
}

function arguments_as_strings(): void {
  const words = programArguments();
  is("words", words.length, 3);
  is("umlauts", words[2] == "Grüße" ? 1 : 0, 1);
}

const NAMES: string[] = ["files", "large_offsets", "memory_that_grows", "arguments_as_strings"];

export function _start(): void {
  const words = programArguments();
  if (words.length == 0) {
    for (let at = 0; at < NAMES.length; at++) print(NAMES[at]);
    return;
  }
  if (words[0] == "files") files();
  else if (words[0] == "large_offsets") large_offsets();
  else if (words[0] == "memory_that_grows") memory_that_grows();
  else if (words[0] == "arguments_as_strings") arguments_as_strings();
  else failures++;
  if (failures > 0) exit(1);
}
