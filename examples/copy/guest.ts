/**
 * Copies the grant "input" over the grant "output": N pairs of a read and a write in flight, each
 * pair linked, so that the kernel starts the write by itself when its read is complete. Then the
 * size is set if need be, and all is synced.
 */
import {
  addSqeFlags,
  cqeResult,
  cqeUserData,
  Errno,
  exit,
  Grant,
  openGrant,
  prepFsync,
  prepFtruncate,
  prepReadFixed,
  prepWriteFixed,
  print,
  printError,
  Ring,
  SqeFlag,
} from "../../assembly";

const PAIRS: u32 = 16;
const BLOCK_BYTES: u32 = 128 << 10;
/**
 * user_data of the requests that end the copy; those of pair N are 2N (read) and 2N + 1 (write).
 */
const END: u64 = 2 * PAIRS;

/** A block on its way. */
class Pair {
  offset: u64 = 0;
  /** Bytes of the block still to be copied, from `offset` on. */
  left: u32 = 0;
  /** Bytes that this try is about: all that is left, or what a short read gave. */
  tried: u32 = 0;
  read: i32 = 0;
  written: i32 = 0;
  /** Completions of this try to come. */
  pending: u32 = 0;

  constructor(
    readonly index: u32,
    readonly buffer: usize,
  ) {}
}

class Copy {
  readonly ring: Ring = Ring.create(PAIRS * BLOCK_BYTES);
  readonly input: Grant = openGrant("input");
  readonly output: Grant = openGrant("output");
  private next: u64 = 0;
  private inFlight: u32 = 0;

  run(): void {
    const pairs = new Array<Pair>();
    for (let index: u32 = 0; index < min(PAIRS, this.ring.sqEntries / 2); index++) {
      pairs.push(new Pair(index, this.ring.arena.alloc(BLOCK_BYTES)));
      this.start(pairs[index]);
    }
    while (this.inFlight > 0) {
      const cqe = this.ring.waitCqe();
      if (cqe == 0) fail("waiting", -(<i32>Errno.EIO));
      const pair = pairs[<i32>(cqeUserData(cqe) >> 1)];
      if ((cqeUserData(cqe) & 1) == 0) pair.read = cqeResult(cqe);
      else pair.written = cqeResult(cqe);
      this.ring.advance(1);
      if (--pair.pending == 0) this.settle(pair);
    }
    this.finish();
  }

  /** Gives a pair the next block of the file, if there is one. */
  private start(pair: Pair): void {
    pair.offset = this.next;
    pair.left = <u32>min(this.input.sizeBytes - this.next, <u64>BLOCK_BYTES);
    pair.tried = pair.left;
    this.next += pair.left;
    if (pair.left > 0) this.submit(pair);
  }

  private submit(pair: Pair): void {
    // O_DIRECT moves whole units. The read of the last one is short by nature: only a hard link
    // outlasts that.
    const readLength = roundUp(pair.tried, this.input.alignmentBytes);
    const writeLength = roundUp(pair.tried, this.output.alignmentBytes);
    const link = readLength == pair.tried ? SqeFlag.IO_LINK : SqeFlag.IO_HARDLINK;
    while (this.ring.sqSpace() < 2) this.ring.submit();
    const read = this.ring.getSqe();
    prepReadFixed(read, this.input.slot, pair.buffer, readLength, pair.offset, 2 * pair.index);
    addSqeFlags(read, <u8>link);
    const write = this.ring.getSqe();
    prepWriteFixed(
      write,
      this.output.slot,
      pair.buffer,
      writeLength,
      pair.offset,
      2 * pair.index + 1,
    );
    pair.pending = 2;
    this.inFlight++;
  }

  /** Both completions are there: on to the next block, or to what is missing of this one. */
  private settle(pair: Pair): void {
    this.inFlight--;
    if (pair.read == 0) fail("the input became shorter while it was copied", 0);
    if (pair.read > 0 && <u32>pair.read < pair.tried) {
      // A short read broke the link, or a hard link wrote too much: once more, for what there was.
      pair.tried = pair.read;
    } else if (pair.written > 0) {
      const done = min(<u32>pair.written, pair.left);
      pair.offset += done;
      pair.left -= done;
      pair.tried = pair.left;
    } else if (!mayRetry(pair.read) && !mayRetry(pair.written)) {
      fail(
        pair.read < 0 ? "reading input" : "writing output",
        pair.read < 0 ? pair.read : pair.written,
      );
    }
    if (pair.left > 0) this.submit(pair);
    else this.start(pair);
  }

  /**
   * What the file was longer before, or O_DIRECT padded, is cut off; then everything is made
   * durable.
   */
  private finish(): void {
    const size = this.input.sizeBytes;
    const written = roundUp64(size, this.output.alignmentBytes);
    if (max(written, this.output.sizeBytes) > size) {
      prepFtruncate(this.ring.getSqe(), this.output.slot, size, END);
      this.waitFor("setting the size of output");
    }
    prepFsync(this.ring.getSqe(), this.output.slot, 0, END);
    this.waitFor("syncing output");
    print("copied " + size.toString() + " bytes");
  }

  private waitFor(what: string): void {
    const cqe = this.ring.waitCqe();
    const result = cqe == 0 ? -(<i32>Errno.EIO) : cqeResult(cqe);
    this.ring.advance(1);
    if (result < 0) fail(what, result);
  }
}

function mayRetry(result: i32): bool {
  return result == -(<i32>Errno.EAGAIN) || result == -(<i32>Errno.EINTR);
}

function roundUp(length: u32, unit: u32): u32 {
  return ((length + unit - 1) / unit) * unit;
}

function roundUp64(length: u64, unit: u32): u64 {
  return ((length + unit - 1) / unit) * unit;
}

function fail(what: string, result: i32): void {
  printError("copy: " + what + (result < 0 ? ": " + Errno[-result] : ""));
  exit(1);
}

export function _start(): void {
  new Copy().run();
}
