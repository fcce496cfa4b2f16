/** Guests of a few lines for the command line's tests, assembled on the spot. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import binaryen from "binaryen";

const MEMORY = '(memory (export "memory") 64)';
const WRITE =
  '(import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))';
const EXIT = '(import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))';

/** Writes [$at, $at + $length) on descriptor $fd; the vector lies at 16. */
const PRINT = `(func $print (param $fd i32) (param $at i32) (param $length i32)
  (i32.store (i32.const 16) (local.get $at))
  (i32.store (i32.const 20) (local.get $length))
  (drop (call $write (local.get $fd) (i32.const 16) (i32.const 1) (i32.const 32))))`;

function listPrinter(family: "args" | "environ"): string {
  return `(module
    (import "wasi_snapshot_preview1" "${family}_sizes_get" (func $sizes (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "${family}_get" (func $get (param i32 i32) (result i32)))
    ${WRITE} ${MEMORY} ${PRINT}
    (func (export "_start")
      (drop (call $sizes (i32.const 0) (i32.const 4)))
      (drop (call $get (i32.const 1024) (i32.const 8192)))
      (call $print (i32.const 1) (i32.const 8192) (i32.load (i32.const 4)))))`;
}

/** A set-up request at 1024; words are little-endian in the data segment. */
function requestBytes(words: readonly number[]): string {
  const bytes = new Uint8Array(new Uint32Array(words).buffer);
  return [...bytes].map((byte) => `\\${byte.toString(16).padStart(2, "0")}`).join("");
}

const RING_IMPORTS = `
  (import "uring" "setup" (func $setup (param i32) (result i32)))
  (import "uring" "grant" (func $grant (param i32 i32 i32) (result i32)))
  (import "uring" "enter" (func $enter (param i32 i32 i32 i32) (result i32)))`;

/** Version, 8 SQ and 16 CQ entries, ring, SQEs, arena of 64 KiB each, no flags. */
const GOOD_REQUEST = [1, 8, 16, 131072, 65536, 262144, 65536, 524288, 65536, 0];

const SOURCES = {
  trap: `(module ${MEMORY} (func (export "_start") unreachable))`,
  spin: `(module ${MEMORY} (func (export "_start") (loop $again (br $again))))`,
  exit: `(module ${EXIT} ${MEMORY} (func (export "_start") (call $exit (i32.const 7))))`,
  exit256: `(module ${EXIT} ${MEMORY} (func (export "_start") (call $exit (i32.const 256))))`,
  hello: `(module ${WRITE} ${MEMORY} ${PRINT}
    (data (i32.const 100) "hello\\0aoh no\\0a")
    (func (export "_start")
      (call $print (i32.const 1) (i32.const 100) (i32.const 6))
      (call $print (i32.const 2) (i32.const 106) (i32.const 6))))`,
  arguments: listPrinter("args"),
  environment: listPrinter("environ"),
  /** Copies its input to its output until the end. */
  echo: `(module
    (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
    ${WRITE} ${MEMORY} ${PRINT}
    (func (export "_start") (loop $again
      (i32.store (i32.const 16) (i32.const 1024))
      (i32.store (i32.const 20) (i32.const 65536))
      (drop (call $read (i32.const 0) (i32.const 16) (i32.const 1) (i32.const 32)))
      (if (i32.load (i32.const 32)) (then
        (call $print (i32.const 1) (i32.const 1024) (i32.load (i32.const 32)))
        (br $again))))))`,
  /** Fills a pipe that nobody reads. */
  flood: `(module ${WRITE} ${MEMORY} ${PRINT}
    (func (export "_start") (loop $again
      (call $print (i32.const 1) (i32.const 1024) (i32.const 65536))
      (br $again))))`,
  /** Reads the first 4 KiB of the grant "input" by a ring of its own and prints them. */
  ring: `(module ${RING_IMPORTS} ${WRITE} ${EXIT} ${MEMORY} ${PRINT}
    (data (i32.const 256) "input")
    (data (i32.const 1024) "${requestBytes(GOOD_REQUEST)}")
    (func $check (param $result i32) (result i32)
      (if (i32.lt_s (local.get $result) (i32.const 0))
        (then (call $exit (i32.sub (i32.const 0) (local.get $result)))))
      (local.get $result))
    (func (export "_start") (local $slot i32) (local $tail i32) (local $index i32) (local $sqe i32)
      (local.set $slot (call $check (call $grant (i32.const 256) (i32.const 5) (i32.const 0))))
      (drop (call $check (call $setup (i32.const 1024))))
      (local.set $tail (i32.load (i32.load (i32.const 1072))))
      (local.set $index (i32.and (local.get $tail) (i32.sub (i32.load (i32.const 1112)) (i32.const 1))))
      (local.set $sqe (i32.add (i32.load (i32.const 1088)) (i32.mul (local.get $index) (i32.const 64))))
      (memory.fill (local.get $sqe) (i32.const 0) (i32.const 64))
      (i32.store16 (local.get $sqe) (i32.const 0x0104))
      (i32.store offset=4 (local.get $sqe) (local.get $slot))
      (i64.store offset=16 (local.get $sqe) (i64.const 0x100080000))
      (i32.store offset=24 (local.get $sqe) (i32.const 4096))
      (if (i32.load (i32.const 1084)) (then (i32.store
        (i32.add (i32.load (i32.const 1084)) (i32.mul (local.get $index) (i32.const 4)))
        (local.get $index))))
      (i32.atomic.store (i32.load (i32.const 1072)) (i32.add (local.get $tail) (i32.const 1)))
      (drop (call $check (call $enter (i32.const 1) (i32.const 1) (i32.const 3) (i32.const -1))))
      (local.set $index (i32.and
        (i32.load (i32.load (i32.const 1092)))
        (i32.sub (i32.load (i32.const 1116)) (i32.const 1))))
      (call $print (i32.const 1) (i32.const 524288) (call $check (i32.load offset=8
        (i32.add (i32.load (i32.const 1108)) (i32.mul (local.get $index) (i32.const 16))))))))`,
  /** Asks for an arena beyond its memory and exits with the errno. */
  beyond: `(module ${RING_IMPORTS} ${EXIT} ${MEMORY}
    (data (i32.const 1024) "${requestBytes([1, 8, 16, 131072, 65536, 262144, 65536, 0x10000000, 65536, 0])}")
    (func (export "_start")
      (call $exit (i32.sub (i32.const 0) (call $setup (i32.const 1024))))))`,
  unknownImport: `(module (import "env" "frobnicate" (func)) ${MEMORY} (func (export "_start")))`,
  noStart: `(module ${MEMORY})`,
  /** Wants a ring, and can never have the pages for it. */
  smallMemory: `(module ${RING_IMPORTS} (memory (export "memory") 0 0) (func (export "_start")))`,
} as const;

export type ModuleName = keyof typeof SOURCES;

/** Writes NAME.wasm into the folder and returns its path. */
export function assemble(folder: string, name: ModuleName): string {
  const module = binaryen.parseText(SOURCES[name]);
  module.setFeatures(binaryen.Features.All);
  const path = join(folder, `${name}.wasm`);
  writeFileSync(path, module.emitBinary());
  module.dispose();
  return path;
}
