/**
 * The load generator by plain WASI: one synchronous fd_pread or fd_pwrite at a time on descriptor
 * 0, no ring. What a guest does without wasm-uring; `wasm-uring bench --path node-wasi` runs it
 * under node:wasi, which calls whatever file the host opened as standard input. Options, offsets,
 * clock sampling and output are those of examples/load.
 */
import { exit, monotonicNs } from "../../assembly";
import { clockTimeGet } from "../../assembly/wasi/host";
import { Histogram } from "../load/histogram";
import { Offsets } from "../load/offsets";
import { parseOptions, refuse } from "../load/options";
import { reportLine } from "../load/report";

// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "fd_pread")
declare function fdPread(fd: i32, iovecs: usize, count: i32, offset: u64, moved: usize): i32;

// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "fd_pwrite")
declare function fdPwrite(fd: i32, iovecs: usize, count: i32, offset: u64, moved: usize): i32;

// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "fd_filestat_get")
declare function fdFilestatGet(fd: i32, stat: usize): i32;

const DATA_FD: i32 = 0;
const FILESTAT_SIZE: usize = 32;
const PROCESS_CPU: i32 = 2;
/** As examples/load/loop.ts, where one batch is one operation. */
const STAMP_SPACING_NS: u64 = 30_000;
const STRIDE_MAX: u32 = 64;

/** An iovec, the count of bytes moved, a clock, and a filestat. */
const cells = memory.data(96, 8);
const MOVED: usize = 8;
const CLOCK: usize = 16;
const FILESTAT: usize = 24;

function processCpuNs(): u64 {
  return clockTimeGet(PROCESS_CPU, 0, cells + CLOCK) == 0 ? load<u64>(cells, CLOCK) : 0;
}

function stride(elapsedNs: u64, operations: u64): u32 {
  const fitting = (STAMP_SPACING_NS * operations) / (elapsedNs + 1);
  return fitting < 1 ? 1 : fitting > STRIDE_MAX ? STRIDE_MAX : <u32>fitting;
}

export function _start(): void {
  const options = parseOptions();
  const bs = options.bs;
  const isWrite = options.isWrite;
  if (fdFilestatGet(DATA_FD, cells + FILESTAT) != 0) refuse("descriptor 0 is no file");
  const blocks = load<u64>(cells + FILESTAT, FILESTAT_SIZE) / bs;
  if (blocks == 0) refuse("the file is smaller than one block");
  const offsets = new Offsets(options.isRandom, bs, min<u64>(blocks, u32.MAX_VALUE));
  const histogram = new Histogram();
  const buffer = (heap.alloc(bs + 4096) + 4095) & ~4095;
  memory.fill(buffer, 0x5a, bs);
  store<u32>(cells, <u32>buffer);
  store<u32>(cells, bs, 4);

  let ios: u64 = 0;
  let bytes: u64 = 0;
  let errors: u64 = 0;
  let firstErrno = 0;
  let shorts: u64 = 0;
  let measuring = options.rampNs == 0;
  let cpuStart = processCpuNs();
  let start = monotonicNs();
  let end = start + (measuring ? options.runtimeNs : options.rampNs);
  let untilStamp: u32 = 1;
  for (;;) {
    const offset = offsets.take();
    let began = --untilStamp == 0 ? monotonicNs() : 0;
    if (began >= end) {
      if (measuring) break;
      measuring = true;
      histogram.clear();
      ios = bytes = shorts = 0;
      cpuStart = processCpuNs();
      began = start = monotonicNs();
      end = start + options.runtimeNs;
    }
    const errno = isWrite
      ? fdPwrite(DATA_FD, cells, 1, offset, cells + MOVED)
      : fdPread(DATA_FD, cells, 1, offset, cells + MOVED);
    ios++;
    if (errno == 0) {
      const moved = load<u32>(cells, MOVED);
      bytes += moved;
      if (moved != bs) shorts++;
    } else {
      errors++;
      if (firstErrno == 0) firstErrno = errno;
    }
    if (began != 0) {
      const now = monotonicNs();
      histogram.add(now - began);
      untilStamp = stride(now - start, ios);
    }
  }
  const elapsedNs = monotonicNs() - start;
  const cpuNs = processCpuNs() - cpuStart;
  reportLine(ios, bytes, elapsedNs, cpuNs, 0, errors, firstErrno, shorts, histogram);
  if (errors > 0) exit(1);
}
