/**
 * A disk's life in one program, the same on every path: writes the disk "disk" full of a pattern with `--depth` requests
 * in flight, flushes, reads it back and checks it, zeroes a part, discards another. What it prints is the same on each.
 * Whatever the disk held is lost.
 */
import {
  BlockDevice,
  Errno,
  exit,
  openBlockDevice,
  print,
  printError,
  programArguments,
} from "../../assembly";

const BLOCK_BYTES: u32 = 16384;

/** What one pass over the disk does with each block. */
const enum Pass {
  WRITE,
  READ,
}

function fail(what: string, error: i32): void {
  printError("disk: " + what + (error < 0 ? ": " + Errno[-error] : ""));
  exit(1);
}

/** The word at `index` of a block: every block differs from every other. */
// @ts-ignore: decorator
@inline
function patternWord(block: u32, index: u32): u64 {
  return (<u64>block << 32 | index) * 0x9e3779b97f4a7c15;
}

class Disk {
  /** Of everything read in the last pass, independent of the order in which it came. */
  checksum: u64 = 0;
  /** Blocks of the last pass that did not hold the pattern. */
  wrong: u32 = 0;
  readonly blocks: u32;
  private next: u32 = 0;
  /** By tag: the block that is on its way. */
  private readonly blockOf: StaticArray<u32>;

  constructor(readonly device: BlockDevice) {
    this.blocks = <u32>(device.capacityBytes / BLOCK_BYTES);
    this.blockOf = new StaticArray<u32>(device.depth);
  }

  /** All blocks, `depth` of them at a time. */
  pass(kind: Pass): void {
    this.next = 0;
    this.checksum = 0;
    this.wrong = 0;
    for (let tag: u32 = 0; tag < this.device.depth; tag++) this.start(kind, tag);
    while (this.device.inFlight > 0) this.round(kind);
  }

  /** Hands over what is prepared, waits for one at least and starts as many again as are complete. */
  private round(kind: Pass): void {
    const device = this.device;
    const waited = device.submitAndWait(1);
    if (waited < 0) fail("waiting", waited);
    while (device.next()) {
      if (device.result < 0) fail("block " + this.blockOf[device.tag].toString(), device.result);
      if (kind == Pass.READ) this.check(device.tag);
      this.start(kind, device.tag);
    }
  }

  private start(kind: Pass, tag: u32): void {
    if (this.next == this.blocks) return;
    const block = this.next++;
    const buffer = this.device.buffer(tag);
    const offset = <u64>block * BLOCK_BYTES;
    this.blockOf[tag] = block;
    if (kind == Pass.WRITE) fill(buffer, block);
    const refused = kind == Pass.WRITE
      ? this.device.write(tag, offset, buffer, BLOCK_BYTES)
      : this.device.read(tag, offset, buffer, BLOCK_BYTES);
    if (refused < 0) fail("block " + block.toString(), refused);
  }

  private check(tag: u32): void {
    const buffer = this.device.buffer(tag);
    const block = this.blockOf[tag];
    let sum: u64 = block;
    let isWrong = false;
    for (let index: u32 = 0; index < BLOCK_BYTES / 8; index++) {
      const word = load<u64>(buffer + (<usize>index << 3));
      sum = (sum ^ word) * 0x100000001b3;
      if (word != patternWord(block, index)) isWrong = true;
    }
    this.checksum += sum;
    if (isWrong) this.wrong++;
  }

  /** Prepared already: waits for the only request in flight. */
  finish(what: string, prepared: i32): void {
    if (prepared < 0) fail(what, prepared);
    const waited = this.device.submitAndWait(1);
    if (waited < 0 || !this.device.next()) fail(what, waited);
    if (this.device.result < 0) fail(what, this.device.result);
  }
}

function fill(buffer: usize, block: u32): void {
  for (let index: u32 = 0; index < BLOCK_BYTES / 8; index++) {
    store<u64>(buffer + (<usize>index << 3), patternWord(block, index));
  }
}

function depthAsked(): u32 {
  const words = programArguments();
  if (words.length == 0) return 32;
  const depth = words.length == 2 && words[0] == "--depth" ? parseInt(words[1]) : 0;
  if (!(depth >= 1 && depth <= 1024)) {
    printError("usage: disk [--depth N], from 1 to 1024");
    exit(2);
  }
  return <u32>depth;
}

export function _start(): void {
  const device = openBlockDevice("disk", depthAsked(), BLOCK_BYTES);
  const disk = new Disk(device);
  const half = <u64>(disk.blocks / 2) * BLOCK_BYTES;
  const quarter = <u64>(disk.blocks / 4) * BLOCK_BYTES;
  if (quarter == 0) fail("the disk is smaller than 64 KiB", 0);

  disk.pass(Pass.WRITE);
  if (device.canFlush) disk.finish("flush", device.flush(0));
  print("wrote and flushed " + disk.blocks.toString() + " blocks");
  disk.pass(Pass.READ);
  print("read them: checksum " + disk.checksum.toString(16) + ", wrong " + disk.wrong.toString());
  if (disk.wrong > 0) exit(1);

  if (device.canWriteZeroes) {
    disk.finish("write zeroes", device.writeZeroes(0, half, quarter, false));
    disk.pass(Pass.READ);
    print("zeroed a quarter: checksum " + disk.checksum.toString(16));
  } else print("this disk does not write zeroes by itself");
  if (device.canDiscard) {
    // What is left of it is not defined, so nothing is read.
    disk.finish("discard", device.discard(0, 0, quarter));
    print("discarded a quarter");
  } else print("this disk does not discard");
}
