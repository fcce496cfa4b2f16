/**
 * A busy guest on the disk "disk", to be ended or to lose its device in the middle. Its first argument says what it does:
 *
 *   busy          keeps 32 reads and writes in flight for ever; when the device fails it prints the error and what
 *                 was in flight, tries once more, and exits with 3
 *   spin          starts 32 writes and never makes a call again
 *   flushed       writes block after block, numbered, and prints "flushed N" when blocks 0 to N-1 are on the disk
 *   idle MS       waits that long with nothing in flight, then reads once
 *   twice         two disks, "disk" and "other": a byte pattern from one to the other
 *
 * Prints "ready" before.
 */
import { BlockDevice, exit, openBlockDevice, print, programArguments } from "../../assembly";
import { virtioWait } from "../../assembly/virtio-host";

const DEPTH: u32 = 32;
const BLOCK: u32 = 4096;
/** Blocks written between two flushes. */
const BATCH: u32 = 16;

function offsetOf(disk: BlockDevice, turn: u32): u64 {
  return (<u64>turn % (disk.capacityBytes / BLOCK)) * BLOCK;
}

function startOne(disk: BlockDevice, tag: u32, turn: u32): void {
  const offset = offsetOf(disk, turn * 7);
  const result =
    (turn & 1) == 0 || disk.isReadOnly
      ? disk.read(tag, offset, disk.buffer(tag), BLOCK)
      : disk.write(tag, offset, disk.buffer(tag), BLOCK);
  if (result < 0) fail(disk, result);
}

function fail(disk: BlockDevice, error: i32): void {
  const again = disk.submitAndWait(1, 100000);
  print("failed " + error.toString() + " then " + again.toString());
  exit(3);
}

function busy(disk: BlockDevice): void {
  let turn: u32 = 0;
  for (let tag: u32 = 0; tag < disk.depth; tag++) startOne(disk, tag, turn++);
  print("ready");
  for (;;) {
    const result = disk.submitAndWait(1);
    if (result < 0) fail(disk, result);
    while (disk.next()) {
      if (disk.result < 0) fail(disk, disk.result);
      startOne(disk, disk.tag, turn++);
    }
  }
}

function spin(disk: BlockDevice): void {
  for (let tag: u32 = 0; tag < disk.depth; tag++) startOne(disk, tag, tag * 2 + 1);
  print("ready");
  disk.submitAndWait(0);
  let turns: u32 = 0;
  while (load<u32>(0) != 0xdeadbeef) store<u32>(0, ++turns & 0xff);
}

function finish(disk: BlockDevice, count: u32): void {
  let left = count;
  while (left > 0) {
    const result = disk.submitAndWait(1);
    if (result < 0) fail(disk, result);
    while (disk.next()) {
      if (disk.result < 0) fail(disk, disk.result);
      left--;
    }
  }
}

function flushed(disk: BlockDevice): void {
  print("ready");
  const blocks = <u32>(disk.capacityBytes / BLOCK);
  for (let first: u32 = 0; first + BATCH <= blocks; first += BATCH) {
    for (let index: u32 = 0; index < BATCH; index++) {
      const buffer = disk.buffer(index);
      for (let at: u32 = 0; at < BLOCK; at += 4) store<u32>(buffer + at, first + index + 1);
      disk.write(index, <u64>(first + index) * BLOCK, buffer, BLOCK);
    }
    finish(disk, BATCH);
    disk.flush(0);
    finish(disk, 1);
    print("flushed " + (first + BATCH).toString());
  }
}

function twice(disk: BlockDevice): void {
  const other = openBlockDevice("other", 4, BLOCK);
  for (let block: u32 = 0; block < 4; block++) {
    disk.read(0, <u64>block * BLOCK, disk.buffer(0), BLOCK);
    finish(disk, 1);
    memory.copy(other.buffer(0), disk.buffer(0), BLOCK);
    other.write(0, <u64>block * BLOCK, other.buffer(0), BLOCK);
    finish(other, 1);
  }
  other.flush(0);
  finish(other, 1);
}

export function _start(): void {
  const words = programArguments();
  const word = words[0];
  const disk = openBlockDevice("disk", DEPTH, BLOCK);
  disk.pollUs = words.length > 2 ? <u32>I32.parseInt(words[2]) : 50;
  if (word == "busy") busy(disk);
  else if (word == "spin") spin(disk);
  else if (word == "flushed") flushed(disk);
  else if (word == "twice") twice(disk);
  else if (word == "idle") {
    print("ready");
    const waited = virtioWait(0, I32.parseInt(words[1]) * 1000);
    disk.read(0, 0, disk.buffer(0), BLOCK);
    finish(disk, 1);
    print("waited " + waited.toString());
  }
}
