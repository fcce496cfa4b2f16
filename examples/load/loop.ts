/**
 * The measured loop: reap everything that is ready, start a new operation for each, one hand-over
 * for the batch. It is t/io_uring's and bench/native/load.c's loop, step for step, so that their
 * quotient shows what the sandbox costs. Nothing in it allocates.
 *
 * The clock costs a call out of the sandbox, so it is read once for a batch (the end of what was
 * reaped and the start of what is prepared next) and only for some batches: as seldom as keeps the
 * clock below about 1 % of the time. Slow devices thus have every operation measured, the page
 * cache about one batch in twenty.
 */
import {
  cqeResult,
  cqeUserData,
  Grant,
  monotonicNs,
  prepReadFixed,
  prepWriteFixed,
  Ring,
} from "../../assembly";
import { clockTimeGet } from "../../assembly/wasi/host";
import { Histogram } from "./histogram";
import { Offsets } from "./offsets";
import { Options } from "./options";

/** One measured batch in so many nanoseconds: two readings of the clock are below 1 % of it. */
const STAMP_SPACING_NS: u64 = 30_000;
/** The runtime's end is looked for when the clock is read: at least this often. */
const STRIDE_MAX: u32 = 64;
/** Looks at the CQ, about a millisecond's worth, before a guest under SQPOLL waits by a call. */
const SPIN_LOOKS: u32 = 1 << 20;

const WASI_CLOCK_PROCESS_CPU: i32 = 2;

export class Load {
  histogram: Histogram = new Histogram();
  ios: u64 = 0;
  bytes: u64 = 0;
  elapsedNs: u64 = 0;
  /** CPU time of the whole process, the kernel's poll and worker threads for it included. */
  cpuNs: u64 = 0;
  /** Calls of enter. */
  calls: u32 = 0;
  errors: u64 = 0;
  /** Positive errno of the first operation that failed, or of a failed enter. */
  firstErrno: i32 = 0;
  /** Operations that moved fewer bytes than asked. */
  shorts: u64 = 0;

  private measuring: bool = false;
  private startNs: u64 = 0;
  private endNs: u64 = 0;
  private batches: u64 = 0;
  private untilStamp: u32 = 1;
  private offsets: Offsets;
  private buffers: usize;
  private stamps: usize;
  private isWrite: bool;
  private bs: u32;

  constructor(
    private ring: Ring,
    private grant: Grant,
    private options: Options,
  ) {
    const depth = options.iodepth;
    this.bs = options.bs;
    this.isWrite = options.isWrite;
    const blocks = grant.sizeBytes / <u64>options.bs;
    this.offsets = new Offsets(options.isRandom, options.bs, min<u64>(blocks, u32.MAX_VALUE));
    this.buffers = ring.arena.start;
    fillBuffers(this.buffers, depth * options.bs);
    this.stamps = heap.alloc(depth * 8);
    memory.fill(this.stamps, 0, depth * 8);
  }

  run(): void {
    this.begin();
    this.measuring = this.options.rampNs == 0;
    this.endNs = this.startNs + (this.measuring ? this.options.runtimeNs : this.options.rampNs);
    for (let index: u32 = 0; index < this.options.iodepth; index++) {
      this.start(index);
      store<u64>(this.stamps + (<usize>index << 3), this.startNs);
    }
    this.untilStamp = 1;
    while (this.handOver()) {
      if (!this.batch()) break;
    }
    this.elapsedNs = monotonicNs() - this.startNs;
    this.cpuNs = processCpuNs() - this.cpuNs;
    this.calls = this.ring.enterCalls - this.calls;
    this.bytes += this.ios * this.bs;
    this.drain();
  }

  /**
   * One batch; false when time is up. A function of its own, called over and over: V8 compiles wasm quickly first and
   * well later, and puts the better code in place at the next call, never in a loop that is already running.
   */
  private batch(): bool {
    const ring = this.ring;
    const ready = ring.cqReady();
    this.batches++;
    let stamp: u64 = 0;
    if (--this.untilStamp == 0) {
      stamp = this.lookAtClock();
      if (stamp == 0) return false;
    }
    let now = stamp;
    for (let index: u32 = 0; index < ready; index++) {
      const cqe = ring.cqeAt(index);
      const slot = <u32>cqeUserData(cqe);
      const stampAt = this.stamps + (<usize>slot << 3);
      const stamped = load<u64>(stampAt);
      if (stamped != 0) {
        if (now == 0) now = monotonicNs();
        this.histogram.add(now - stamped);
      }
      store<u64>(stampAt, stamp);
      const result = cqeResult(cqe);
      if (result != <i32>this.bs) this.note(result);
      this.start(slot);
    }
    ring.advance(ready);
    this.ios += ready;
    return true;
  }

  /** The time, which becomes the stamp of what is prepared next; 0 when it is up. Begins to measure after the ramp. */
  private lookAtClock(): u64 {
    let now = monotonicNs();
    if (now >= this.endNs) {
      if (this.measuring) return 0;
      this.measuring = true;
      this.begin();
      now = this.startNs;
      this.endNs = now + this.options.runtimeNs;
      this.batches = 0;
    }
    this.untilStamp = stride(now - this.startNs, this.batches);
    return now;
  }

  /** Everything counts from here. */
  private begin(): void {
    this.histogram.clear();
    this.ios = 0;
    this.bytes = 0;
    this.shorts = 0;
    this.calls = this.ring.enterCalls;
    this.cpuNs = processCpuNs();
    this.startNs = monotonicNs();
  }

  /** Prepares the next operation of this slot. */
  @inline private start(slot: u32): void {
    let sqe = this.ring.getSqe();
    // Room for `iodepth` is there, but the poll thread may post a CQE before it gives the SQE back.
    while (sqe == 0) {
      this.ring.submit();
      sqe = this.ring.getSqe();
    }
    const buffer = this.buffers + <usize>slot * this.bs;
    const offset = this.offsets.take();
    if (this.isWrite) prepWriteFixed(sqe, this.grant.slot, buffer, this.bs, offset, slot);
    else prepReadFixed(sqe, this.grant.slot, buffer, this.bs, offset, slot);
  }

  /**
   * Hands over what is prepared and returns when at least one completion is there; false when that
   * failed.
   */
  @inline private handOver(): bool {
    const ring = this.ring;
    if (ring.isPolled) {
      const woken = ring.submit();
      if (woken < 0) return this.fail(woken);
      if (ring.spinCqe(SPIN_LOOKS)) return true;
    }
    const result = ring.submitAndWait(1);
    return result >= 0 || ring.cqReady() != 0 || this.fail(result);
  }

  private fail(result: i32): bool {
    this.errors++;
    if (this.firstErrno == 0) this.firstErrno = -result;
    return false;
  }

  /** An operation that did not move a whole block. */
  private note(result: i32): void {
    if (result < 0) {
      this.fail(result);
      this.bytes -= this.bs;
    } else {
      this.shorts++;
      this.bytes -= this.bs - result;
    }
  }

  /** What is still in flight must not write into the arena later on. */
  private drain(): void {
    const ring = this.ring;
    let left = this.options.iodepth;
    while (left > 0 && this.handOver()) {
      const ready = min(ring.cqReady(), left);
      ring.advance(ready);
      left -= ready;
    }
  }
}

/** Batches until the clock is read again: as many as fit STAMP_SPACING_NS. */
function stride(elapsedNs: u64, batches: u64): u32 {
  const fitting = (STAMP_SPACING_NS * batches) / (elapsedNs + 1);
  return fitting < 1 ? 1 : fitting > STRIDE_MAX ? STRIDE_MAX : <u32>fitting;
}

/** Something that does not compress to nothing, for writes. */
function fillBuffers(start: usize, lengthBytes: u32): void {
  let x: u64 = 88172645463325252;
  for (let offset: u32 = 0; offset + 8 <= lengthBytes; offset += 8) {
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    store<u64>(start + offset, x);
  }
}

const cpuCell = memory.data(8, 8);

function processCpuNs(): u64 {
  return clockTimeGet(WASI_CLOCK_PROCESS_CPU, 0, cpuCell) == 0 ? load<u64>(cpuCell) : 0;
}
