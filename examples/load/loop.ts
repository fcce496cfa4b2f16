/**
 * The measured loop: reap everything that is ready, start a new operation for each, one hand-over
 * for the batch. It is t/io_uring's and bench/native/load.c's loop, step for step, so that their
 * quotient shows what the sandbox costs. Nothing in it allocates.
 *
 * It is written for the concrete class `Disk`, so that no virtual call is left in it.
 *
 * The clock costs a call out of the sandbox, so it is read once for a batch (the end of what was
 * reaped and the start of what is prepared next) and only for some batches: as seldom as keeps the
 * clock below about 1 % of the time. Slow devices thus have every operation measured, the page
 * cache about one batch in twenty.
 */
import { BlockDevice, monotonicNs } from "../../assembly";
import { clockTimeGet } from "../../assembly/wasi/host";
import { Histogram } from "./histogram";
import { Offsets } from "./offsets";
import { Options } from "./options";

/** One measured batch in so many nanoseconds: two readings of the clock are below 1 % of it. */
const STAMP_SPACING_NS: u64 = 30_000;
/** The runtime's end is looked for when the clock is read: at least this often. */
const STRIDE_MAX: u32 = 64;

const WASI_CLOCK_PROCESS_CPU: i32 = 2;

export class Load<Disk extends BlockDevice> {
  histogram: Histogram = new Histogram();
  ios: u64 = 0;
  bytes: u64 = 0;
  elapsedNs: u64 = 0;
  /** CPU time of the whole process, the kernel's poll and worker threads for it included. */
  cpuNs: u64 = 0;
  /** Calls out of the sandbox for the disk: of enter, or kicks and waits. */
  calls: u32 = 0;
  errors: u64 = 0;
  /** Positive errno of the first operation that failed, or of a failed hand-over. */
  firstErrno: i32 = 0;
  /** Operations that moved fewer bytes than asked. */
  shorts: u64 = 0;

  private measuring: bool = false;
  private startNs: u64 = 0;
  private endNs: u64 = 0;
  private batches: u64 = 0;
  private untilStamp: u32 = 1;
  private offsets: Offsets;
  private stamps: usize;
  private isWrite: bool;
  private bs: u32;

  constructor(
    private disk: Disk,
    private options: Options,
  ) {
    const depth = options.iodepth;
    this.bs = options.bs;
    this.isWrite = options.isWrite;
    const blocks = disk.capacityBytes / <u64>options.bs;
    this.offsets = new Offsets(options.isRandom, options.bs, min<u64>(blocks, u32.MAX_VALUE));
    for (let slot: u32 = 0; slot < depth; slot++) fillBuffer(disk.buffer(slot), options.bs, slot);
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
    this.calls = this.disk.calls - this.calls;
    this.bytes += this.ios * this.bs;
    this.drain();
  }

  /**
   * One batch; false when time is up. A function of its own, called over and over: V8 compiles wasm quickly first and
   * well later, and puts the better code in place at the next call, never in a loop that is already running.
   */
  private batch(): bool {
    const disk = this.disk;
    const ready = disk.ready();
    this.batches++;
    let stamp: u64 = 0;
    if (--this.untilStamp == 0) {
      stamp = this.lookAtClock();
      if (stamp == 0) return false;
    }
    let now = stamp;
    for (let index: u32 = 0; index < ready && disk.next(); index++) {
      const slot = disk.tag;
      const stampAt = this.stamps + (<usize>slot << 3);
      const stamped = load<u64>(stampAt);
      if (stamped != 0) {
        if (now == 0) now = monotonicNs();
        this.histogram.add(now - stamped);
      }
      store<u64>(stampAt, stamp);
      const result = disk.result;
      if (result != <i32>this.bs) this.note(result);
      this.start(slot);
    }
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
    this.calls = this.disk.calls;
    this.cpuNs = processCpuNs();
    this.startNs = monotonicNs();
  }

  /** Prepares the next operation of this slot. */
  @inline private start(slot: u32): void {
    const disk = this.disk;
    const buffer = disk.buffer(slot);
    const offset = this.offsets.take();
    const refused = this.isWrite
      ? disk.write(slot, offset, buffer, this.bs)
      : disk.read(slot, offset, buffer, this.bs);
    if (refused != 0) this.fail(refused);
  }

  /**
   * Hands over what is prepared and returns when at least one completion is there; false when that
   * failed.
   */
  @inline private handOver(): bool {
    const result = this.disk.submitAndWait(1, -1);
    return result == 0 || this.disk.ready() != 0 || this.fail(result);
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

  /** What is still in flight must not write into the buffers later on. */
  private drain(): void {
    const disk = this.disk;
    while (disk.inFlight > 0 && this.handOver()) {
      while (disk.next()) {}
    }
  }
}

/** Batches until the clock is read again: as many as fit STAMP_SPACING_NS. */
function stride(elapsedNs: u64, batches: u64): u32 {
  const fitting = (STAMP_SPACING_NS * batches) / (elapsedNs + 1);
  return fitting < 1 ? 1 : fitting > STRIDE_MAX ? STRIDE_MAX : <u32>fitting;
}

/** Something that does not compress to nothing, for writes. */
function fillBuffer(start: usize, lengthBytes: u32, slot: u32): void {
  let x: u64 = 88172645463325252 + <u64>slot;
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
