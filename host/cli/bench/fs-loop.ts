/**
 * The load by node:fs, as one would write it without wasm-uring: readSync one at a time, or the
 * promise API with `iodepth` operations in flight. Runs on a worker thread of its own.
 */
import { closeSync, openSync, readSync, writeSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { constants as osConstants } from "node:os";
import { Histogram } from "./histogram";
import { type BenchJob, isWrite, openFlags } from "./job";
import type { Measure } from "./measure";

/** As examples/load/loop.ts: one measured operation in so many nanoseconds. */
const STAMP_SPACING_MS = 0.03;
const STRIDE_MAX = 64;
const WASM_PAGE_BYTES = 65536;

/** Counts what happened and when it is over. */
class Tally {
  histogram = new Histogram();
  readonly #job: BenchJob;
  #cpu = process.cpuUsage();
  #start = performance.now();
  #end: number;
  #measuring: boolean;
  #ios = 0;
  #bytes = 0;
  #errors = 0;
  #firstErrno = 0;
  #shorts = 0;
  #untilStamp = 1;

  constructor(job: BenchJob) {
    this.#job = job;
    this.#measuring = job.rampTime === 0;
    this.#end = this.#start + 1000 * (this.#measuring ? job.runtime : job.rampTime);
  }

  /** The time when this operation is to be measured, 0 when not, -1 when the runtime is over. */
  begin(): number {
    if (--this.#untilStamp > 0) return 0;
    const now = performance.now();
    if (now >= this.#end) {
      if (this.#measuring) return -1;
      return this.#restart();
    }
    const fitting = Math.floor((STAMP_SPACING_MS * this.#ios) / (now - this.#start + 1e-3));
    this.#untilStamp = Math.max(1, Math.min(STRIDE_MAX, fitting));
    return now;
  }

  /** The ramp is over: everything counts from here. */
  #restart(): number {
    this.#measuring = true;
    this.#ios = 0;
    this.#bytes = 0;
    this.#shorts = 0;
    this.#untilStamp = 1;
    this.histogram = new Histogram();
    this.#cpu = process.cpuUsage();
    this.#start = performance.now();
    this.#end = this.#start + 1000 * this.#job.runtime;
    return this.#start;
  }

  done(moved: number, began: number): void {
    this.#ios++;
    this.#bytes += moved;
    if (moved !== this.#job.bs) this.#shorts++;
    if (began > 0) this.histogram.add((performance.now() - began) * 1e6);
  }

  failed(cause: unknown): void {
    this.#ios++;
    this.#errors++;
    const errno = cause instanceof Error && "errno" in cause ? Number(cause.errno) : 0;
    if (this.#firstErrno === 0) this.#firstErrno = Math.abs(errno) || osConstants.errno.EIO;
  }

  measure(): Measure {
    const { user, system } = process.cpuUsage(this.#cpu);
    return {
      ios: this.#ios,
      bytes: this.#bytes,
      elapsedNs: Math.round((performance.now() - this.#start) * 1e6),
      cpuNs: (user + system) * 1000,
      calls: 0,
      errors: this.#errors,
      firstErrno: this.#firstErrno,
      shorts: this.#shorts,
      latencyUs: this.histogram.latencyUs(),
    };
  }
}

/** Offsets by xorshift32, or one after the other. */
function makeOffsets({ rw, bs, fileBytes }: BenchJob): () => number {
  const blocks = Math.floor(fileBytes / bs);
  let block = -1;
  if (!rw.startsWith("rand")) {
    return () => {
      block = block + 1 === blocks ? 0 : block + 1;
      return block * bs;
    };
  }
  let state = 0x9e3779b9;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return Math.floor(((state >>> 0) / 2 ** 32) * blocks) * bs;
  };
}

/** Buffers at page boundaries, as O_DIRECT asks for: a WebAssembly memory begins at one. */
function makeBuffers(count: number, bs: number): Uint8Array[] {
  const stride = Math.ceil(bs / 4096) * 4096;
  const memory = new WebAssembly.Memory({ initial: Math.ceil((stride * count) / WASM_PAGE_BYTES) });
  return Array.from({ length: count }, (_, index) =>
    new Uint8Array(memory.buffer, index * stride, bs).fill(0x5a),
  );
}

export function runSync(job: BenchJob): Measure {
  const fd = openSync(job.file, openFlags(job));
  const write = isWrite(job.rw);
  const [buffer = new Uint8Array(job.bs)] = makeBuffers(1, job.bs);
  const nextOffset = makeOffsets(job);
  const tally = new Tally(job);
  for (let began = tally.begin(); began >= 0; began = tally.begin()) {
    try {
      const offset = nextOffset();
      const moved = write
        ? writeSync(fd, buffer, 0, job.bs, offset)
        : readSync(fd, buffer, 0, job.bs, offset);
      tally.done(moved, began);
    } catch (cause) {
      tally.failed(cause);
    }
  }
  const measure = tally.measure();
  closeSync(fd);
  return measure;
}

async function moveBlock(
  handle: FileHandle,
  write: boolean,
  buffer: Uint8Array,
  offset: number,
): Promise<number> {
  if (write) return (await handle.write(buffer, 0, buffer.length, offset)).bytesWritten;
  return (await handle.read(buffer, 0, buffer.length, offset)).bytesRead;
}

export async function runPromises(job: BenchJob): Promise<Measure> {
  const handle = await open(job.file, openFlags(job));
  const nextOffset = makeOffsets(job);
  const write = isWrite(job.rw);
  const buffers = makeBuffers(job.iodepth, job.bs);
  const tally = new Tally(job);
  const lane = async (buffer: Uint8Array) => {
    for (let began = tally.begin(); began >= 0; began = tally.begin()) {
      try {
        tally.done(await moveBlock(handle, write, buffer, nextOffset()), began);
      } catch (cause) {
        tally.failed(cause);
      }
    }
  };
  await Promise.race(buffers.map(lane));
  const measure = tally.measure();
  await handle.close();
  return measure;
}
