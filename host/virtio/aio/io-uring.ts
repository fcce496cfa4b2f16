/**
 * aio "io_uring": requests become SQEs of a ring that the host drives, as QEMU's aio=io_uring. One enter submits a
 * batch and asks for no events; the completion queue is read from the shared ring.
 */
import { EnterFlag, Errno, Fsync, Op, Register, SqeFlag } from "../../abi";
import { type EventFds, eventFds } from "../../ffi/event-fd";
import type { Syscalls } from "../../ffi/syscalls";
import type { HostRing } from "../../ring/host-ring";
import type { Enter } from "../../ring/mapped/enter";
import { cancelAll } from "../../ring/register";
import { SqeWord } from "../../ring/sqe-word";
import {
  type BackendRemains,
  type BlockBackend,
  BlockOperation,
  type Completions,
} from "./backend";
import { Finished } from "./finished";
import {
  AllocateMode,
  cannotZero,
  isUnsupported,
  makeZeroBuffer,
  ZERO_CHUNK_BYTES,
  type ZeroBuffer,
  ZeroStep,
} from "./zero";

const SLICE_US = 50_000;
/** A submission that the kernel had no memory for is tried again so often. */
const SUBMIT_TRIES = 8;
/** How long `settle` waits for what cannot be cancelled. */
const CLOSE_TIMEOUT_MS = 10_000;
const WORD_VALUES = 0x1_0000_0000;
/** The disk is slot 0 of the ring's files. */
const FIXED = SqeFlag.FIXED_FILE << 8;
/** ZeroStep of a DISCARD, which has no second attempt. */
const DISCARD_STEP = -1;

/** Everything that opening made. */
export interface IoUringParts {
  depth: number;
  syscalls: Syscalls;
  ring: HostRing;
  enter: Enter;
  eventFd: number;
}

export class IoUringBackend implements BlockBackend {
  readonly name = "io_uring";
  readonly depth: number;
  readonly eventFd: number;
  readonly remains: BackendRemains;
  readonly #syscalls: Syscalls;
  readonly #ring: HostRing;
  readonly #enter: Enter;
  readonly #signals: EventFds;
  readonly #finished: Finished;
  readonly #zeroes: ZeroBuffer;
  /** By tag: the attempt at zeroing that is in flight, the rest of the range that it is about. */
  readonly #steps: Int8Array;
  readonly #offsets: Float64Array;
  readonly #lengths: Float64Array;
  #prepared = 0;
  #inFlight = 0;
  /** What `settle` came to. */
  #settled: boolean | null = null;
  /** The ring is unmapped. */
  #gone = false;

  constructor(parts: IoUringParts) {
    const { depth, syscalls, ring, eventFd } = parts;
    this.depth = depth;
    this.eventFd = eventFd;
    this.#syscalls = syscalls;
    this.#ring = ring;
    this.#enter = parts.enter;
    this.#signals = eventFds();
    this.#finished = new Finished(depth);
    this.#zeroes = makeZeroBuffer(syscalls);
    this.#steps = new Int8Array(depth);
    this.#offsets = new Float64Array(depth);
    this.#lengths = new Float64Array(depth);
    this.remains = {
      name: "io_uring",
      descriptors: [eventFd],
      mappings: ring.mappings.map(({ address, length }) => ({ address: Number(address), length })),
      ringFd: ring.fd,
      context: 0,
      pool: null,
    };
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  prepare(
    operation: BlockOperation,
    tag: number,
    offset: number,
    vectorsAddress: number,
    vectorCount: number,
    lengthBytes: number,
    unmap: boolean,
  ): void {
    this.#inFlight++;
    switch (operation) {
      case BlockOperation.READ:
        this.#queue(Op.READV, tag, offset, vectorsAddress, vectorCount, 0);
        return;
      case BlockOperation.WRITE:
        this.#queue(Op.WRITEV, tag, offset, vectorsAddress, vectorCount, 0);
        return;
      case BlockOperation.FLUSH:
        this.#queue(Op.FSYNC, tag, 0, 0, 0, Fsync.DATASYNC);
        return;
      case BlockOperation.DISCARD:
        this.#steps[tag] = DISCARD_STEP;
        this.#queue(Op.FALLOCATE, tag, offset, lengthBytes, AllocateMode.PUNCH_HOLE, 0);
        return;
      case BlockOperation.WRITE_ZEROES:
        this.#offsets[tag] = offset;
        this.#lengths[tag] = lengthBytes;
        this.#zero(tag, unmap ? ZeroStep.PUNCH_HOLE : ZeroStep.ZERO_RANGE);
    }
  }

  submit(): void {
    let tries = 0;
    while (this.#prepared > 0) {
      const result = this.#enter.submit(this.#prepared, 0);
      if (result > 0) {
        this.#prepared -= result;
      } else if (++tries > SUBMIT_TRIES || (result !== -Errno.EAGAIN && result !== -Errno.EINTR)) {
        this.#giveUp(result === 0 ? -Errno.EAGAIN : result);
      }
    }
  }

  reap(completions: Completions): number {
    if (this.#gone) return 0;
    const ring = this.#ring;
    const { tags, results } = completions;
    let count = this.#finished.drainTo(completions);
    if (ring.needsEnter()) this.#enter.submit(0, EnterFlag.GETEVENTS);
    const words = ring.words;
    const tail = ring.cqTail();
    let head = ring.cqHead;
    if (head !== tail) {
      while (head !== tail && count < tags.length) {
        const at = ring.cqeAt(head);
        const tag = words[at] ?? 0;
        let result = words[at + 2] ?? 0;
        head = (head + 1) | 0;
        if (this.#steps[tag] !== 0) {
          if (this.#goesOn(tag, result)) continue;
          result = this.#endOf(tag, result);
        }
        tags[count] = tag;
        results[count++] = result;
      }
      ring.release(head);
      if (this.#prepared > 0) this.submit();
    }
    this.#inFlight -= count;
    return count;
  }

  wait(timeoutUs: number): void {
    if (!this.#canReap()) this.#enter.submitAndWait(0, 1, 0, Math.min(timeoutUs, SLICE_US));
  }

  arm(): boolean {
    this.#signals.take(this.eventFd);
    this.#ring.muteEvents(false);
    return !this.#canReap();
  }

  disarm(): void {
    this.#ring.muteEvents(true);
  }

  settle(): boolean {
    if (this.#settled !== null) return this.#settled;
    this.#inFlight -= this.#prepared;
    this.#ring.retract(this.#prepared);
    this.#prepared = 0;
    // A step of zeroing that completes is the last one.
    this.#steps.fill(0);
    const scratch = { tags: new Int32Array(this.depth), results: new Int32Array(this.depth) };
    const end = performance.now() + CLOSE_TIMEOUT_MS;
    if (this.#inFlight > 0) cancelAll(this.#syscalls, this.#ring.fd, 1);
    for (;;) {
      this.reap(scratch);
      if (this.#inFlight <= 0 || performance.now() >= end) break;
      this.wait(SLICE_US);
    }
    this.#settled = this.#inFlight <= 0;
    return this.#settled;
  }

  close(): void {
    if (this.#gone) return;
    this.settle();
    this.#inFlight = 0;
    this.#gone = true;
    // The kernel tears a ring down after close has returned; the disk's file shall be free at once.
    this.#syscalls.ioUringRegister(this.#ring.fd, Register.UNREGISTER_FILES, null, 0);
    this.#syscalls.close(this.#ring.fd);
    this.#ring.unmap();
    this.#syscalls.close(this.eventFd);
  }

  #canReap(): boolean {
    return this.#ring.hasCompletions() || this.#ring.needsEnter() || !this.#finished.isEmpty;
  }

  #queue(
    opcode: Op,
    tag: number,
    offset: number,
    address: number,
    length: number,
    flags: number,
  ): void {
    const sqes = this.#ring.sqes;
    const at = this.#ring.sqeAt(0);
    // The other words are zero for ever: slot 0 of the files, no personality, no attributes.
    sqes[at + SqeWord.HEAD] = opcode | FIXED;
    sqes[at + SqeWord.OFF_LOW] = offset | 0;
    sqes[at + SqeWord.OFF_HIGH] = (offset / WORD_VALUES) | 0;
    sqes[at + SqeWord.ADDR_LOW] = address | 0;
    sqes[at + SqeWord.ADDR_HIGH] = (address / WORD_VALUES) | 0;
    sqes[at + SqeWord.LEN] = length;
    sqes[at + SqeWord.OP_FLAGS] = flags;
    sqes[at + SqeWord.USER_DATA_LOW] = tag;
    this.#ring.publish(1);
    this.#prepared++;
  }

  /** The kernel takes none of what is prepared: it ends with that errno. */
  #giveUp(errno: number): void {
    this.#ring.retract(this.#prepared);
    for (let ahead = 0; ahead < this.#prepared; ahead++) {
      const tag = this.#ring.sqes[this.#ring.sqeAt(ahead) + SqeWord.USER_DATA_LOW] ?? 0;
      this.#steps[tag] = ZeroStep.NONE;
      this.#finished.add(tag, errno);
    }
    this.#prepared = 0;
  }

  /** Queues one attempt at zeroing what is left of the tag's range. */
  #zero(tag: number, step: ZeroStep): void {
    const offset = this.#offsets[tag] ?? 0;
    const length = this.#lengths[tag] ?? 0;
    this.#steps[tag] = step;
    if (step === ZeroStep.WRITE) {
      const chunk = Math.min(length, ZERO_CHUNK_BYTES);
      this.#queue(Op.WRITE, tag, offset, this.#zeroes.address, chunk, 0);
      return;
    }
    const mode = step === ZeroStep.PUNCH_HOLE ? AllocateMode.PUNCH_HOLE : AllocateMode.ZERO_RANGE;
    this.#queue(Op.FALLOCATE, tag, offset, length, mode, 0);
  }

  /** Whether another SQE follows a completed step of zeroing. */
  #goesOn(tag: number, result: number): boolean {
    const step = this.#steps[tag] ?? 0;
    if (step === DISCARD_STEP) return false;
    if (step !== ZeroStep.WRITE) {
      if (!cannotZero(result)) return false;
      this.#zero(tag, step + 1);
      return true;
    }
    const left = (this.#lengths[tag] ?? 0) - result;
    if (result <= 0 || left <= 0) return false;
    this.#offsets[tag] = (this.#offsets[tag] ?? 0) + result;
    this.#lengths[tag] = left;
    this.#zero(tag, ZeroStep.WRITE);
    return true;
  }

  /** What a discard or zeroing comes to. */
  #endOf(tag: number, result: number): number {
    const step = this.#steps[tag] ?? 0;
    this.#steps[tag] = ZeroStep.NONE;
    if (step === DISCARD_STEP) return isUnsupported(result) ? 0 : result;
    if (result < 0) return result;
    return step === ZeroStep.WRITE && result === 0 ? -Errno.EIO : 0;
  }
}
