/**
 * Performs what a script on standard input says on one or more disks, on whichever path they are, and prints for each
 * request its result and, of a read, a hash of the data: one line a request, in the script's order. A test makes the
 * script and knows what must come out (test/datapath/script.ts).
 *
 *   arguments:  --names a,b  --depth N  --buffer BYTES  --poll-us N  --without BIT,BIT (features of virtio not agreed on)
 *
 *   r OFFSET LENGTH            read
 *   w OFFSET LENGTH SEED       write a pattern
 *   f                          flush
 *   d OFFSET LENGTH            discard
 *   z OFFSET LENGTH UNMAP      write zeroes
 *   b OFFSET LENGTH            two reads with one tag at the same time; the result is the second one's
 *   o OFFSET LENGTH            read into a buffer that lies outside the window
 *   s COUNT                    submit, wait for COUNT completions, take what is there
 *   t COUNT TIMEOUT_US         as s, with a bound
 *   a                          wait for everything on all disks
 *   x INDEX                    what follows goes to this disk
 *
 * The guest chooses tags; when none is free it waits for one. Requests between two `a` may be done in any order.
 */
import {
  BlockDevice,
  Errno,
  exit,
  openBlockDevices,
  print,
  printError,
  programArguments,
  readStandardInput,
  VirtioBlockSetup,
} from "../../assembly";

const NONE: u32 = u32.MAX_VALUE;

/** A request of the script and what came of it. */
class Answer {
  result: i32 = 0;
  hash: u32 = 0;
  isRead: bool = false;
}

/** A pattern that tells where in a write each word belongs: test/datapath/pattern.ts makes the same. */
function patternWord(seed: u32, index: u32): u32 {
  let word = seed + index * 0x9e3779b9;
  word ^= word >> 16;
  word *= 0x85ebca6b;
  return word ^ (word >> 13);
}

/** FNV-1a, a word at a time. */
function hashWords(start: usize, lengthBytes: u32): u32 {
  let hash: u32 = 2166136261;
  for (let at = start; at < start + lengthBytes; at += 4) hash = (hash ^ load<u32>(at)) * 16777619;
  return hash;
}

/** A disk with the requests that are in flight on it. */
class Player {
  private readonly owners: StaticArray<u32>;
  private readonly lengths: StaticArray<u32>;

  constructor(
    readonly disk: BlockDevice,
    private readonly answers: Answer[],
  ) {
    this.owners = new StaticArray<u32>(disk.depth).fill(NONE);
    this.lengths = new StaticArray<u32>(disk.depth);
  }

  /** Takes all completions that are there. */
  take(): void {
    while (this.disk.next()) {
      const tag = this.disk.tag;
      const owner = this.owners[tag];
      if (owner == NONE) fail("a completion of a free tag");
      const answer = this.answers[owner];
      answer.result = this.disk.result;
      if (answer.isRead && answer.result > 0) {
        answer.hash = hashWords(this.disk.buffer(tag), this.lengths[tag]);
      }
      this.owners[tag] = NONE;
    }
  }

  wait(count: u32, timeoutUs: i32): void {
    const result = this.disk.submitAndWait(count, timeoutUs);
    const isTime = timeoutUs >= 0 && result == -(<i32>Errno.ETIME);
    if (result < 0 && !isTime) fail("submitAndWait: " + Errno[-result]);
    if (result == 0 && this.disk.ready() < min(count, this.disk.inFlight)) fail("woken too early");
    this.take();
  }

  drain(): void {
    while (this.disk.inFlight > 0) this.wait(this.disk.inFlight, -1);
  }

  freeTag(): u32 {
    for (;;) {
      for (let tag: u32 = 0; tag < this.disk.depth; tag++) {
        if (this.owners[tag] == NONE) return tag;
      }
      this.wait(1, -1);
    }
    return NONE;
  }

  /** What a preparation answered: the tag is taken, or the request over. */
  note(tag: u32, length: u32, prepared: i32): void {
    if (prepared == 0) {
      this.owners[tag] = this.answers.length - 1;
      this.lengths[tag] = length;
    } else {
      this.answers[this.answers.length - 1].result = prepared;
    }
  }

  /** Two reads with one tag: the second is to be refused, the first is not to be disturbed. */
  readTwice(offset: u64, length: u32): void {
    this.drain();
    const buffer = this.disk.buffer(0);
    if (this.disk.read(0, offset, buffer, length) != 0) fail("the first of two reads was refused");
    const second = this.disk.read(0, offset, buffer, length);
    this.disk.submitAndWait(1);
    if (!this.disk.next() || this.disk.result != <i32>length) fail("the first of two reads failed");
    this.answers[this.answers.length - 1].result = second;
  }
}

class Script {
  private at: usize;
  private readonly end: usize;

  constructor(private readonly text: ArrayBuffer) {
    this.at = changetype<usize>(text);
    this.end = this.at + text.byteLength;
  }

  private skipBlanks(): void {
    while (this.at < this.end && load<u8>(this.at) <= 32) this.at++;
  }

  /** The next command's letter, 0 at the end. */
  letter(): u8 {
    this.skipBlanks();
    return this.at == this.end ? 0 : load<u8>(this.at++);
  }

  number(): u64 {
    this.skipBlanks();
    let value: u64 = 0;
    for (; this.at < this.end && load<u8>(this.at) > 32; this.at++) {
      value = value * 10 + load<u8>(this.at) - 48;
    }
    return value;
  }
}

class Performance {
  private readonly answers: Answer[] = [];
  private readonly players: Player[] = [];
  private player!: Player;

  constructor(
    disks: BlockDevice[],
    private readonly script: Script,
  ) {
    for (let index = 0; index < disks.length; index++) {
      this.players.push(new Player(disks[index], this.answers));
    }
    this.player = this.players[0];
  }

  run(): void {
    for (let letter = this.script.letter(); letter != 0; letter = this.script.letter()) {
      if (!this.control(letter)) this.request(letter);
    }
    this.drain();
    const lines = new Array<string>();
    for (let index = 0; index < this.answers.length; index++) {
      const answer = this.answers[index];
      lines.push(answer.result.toString() + (answer.isRead ? " " + answer.hash.toString() : ""));
    }
    if (lines.length > 0) print(lines.join("\n"));
  }

  private drain(): void {
    for (let index = 0; index < this.players.length; index++) this.players[index].drain();
  }

  /** What is no request; false when it is one. */
  private control(letter: u8): bool {
    const script = this.script;
    if (letter == 0x73) this.player.wait(<u32>script.number(), -1);
    else if (letter == 0x74) this.player.wait(<u32>script.number(), <i32>script.number());
    else if (letter == 0x61) this.drain();
    else if (letter == 0x78) this.player = this.players[<i32>script.number()];
    else return false;
    return true;
  }

  private request(letter: u8): void {
    const player = this.player;
    const disk = player.disk;
    const answer = new Answer();
    answer.isRead = letter == 0x72;
    this.answers.push(answer);
    if (letter == 0x66) {
      const tag = player.freeTag();
      player.note(tag, 0, disk.flush(tag));
      return;
    }
    const offset = this.script.number();
    const length = this.script.number();
    if (letter == 0x62) {
      player.readTwice(offset, <u32>length);
      return;
    }
    const tag = player.freeTag();
    const buffer = disk.buffer(tag);
    let prepared: i32;
    if (letter == 0x72) prepared = disk.read(tag, offset, buffer, <u32>length);
    else if (letter == 0x77) prepared = this.write(tag, offset, <u32>length);
    else if (letter == 0x64) prepared = disk.discard(tag, offset, length);
    else if (letter == 0x7a) {
      prepared = disk.writeZeroes(tag, offset, length, this.script.number() != 0);
    } else if (letter == 0x6f) prepared = disk.read(tag, offset, OUTSIDE, <u32>length);
    else prepared = fail("unknown command " + String.fromCharCode(letter));
    player.note(tag, <u32>length, prepared);
  }

  private write(tag: u32, offset: u64, length: u32): i32 {
    const seed = <u32>this.script.number();
    const disk = this.player.disk;
    const buffer = disk.buffer(tag);
    for (let index: u32 = 0; index < min(length, bufferBytes) / 4; index++) {
      store<u32>(buffer + (<usize>index << 2), patternWord(seed, index));
    }
    return disk.write(tag, offset, buffer, length);
  }
}

/** A place in memory that is in no window, aligned for every disk. */
const OUTSIDE: usize = 4096;
let bufferBytes: u32 = 65536;
let depth: u32 = 8;
let pollUs: u32 = 0;

function fail(reason: string): i32 {
  printError("disk-script: " + reason);
  exit(3);
  return 0;
}

/** The arguments; the names of the disks. */
function parseArguments(): string[] {
  const words = programArguments();
  let names: string[] = ["disk"];
  for (let index = 0; index + 1 < words.length; index += 2) {
    const value = words[index + 1];
    if (words[index] == "--names") names = value.split(",");
    else if (words[index] == "--depth") depth = <u32>parseInt(value);
    else if (words[index] == "--buffer") bufferBytes = <u32>parseInt(value);
    else if (words[index] == "--poll-us") pollUs = <u32>parseInt(value);
    else if (words[index] == "--without") {
      const bits = value.split(",");
      for (let at = 0; at < bits.length; at++) {
        VirtioBlockSetup.refusedFeatures |= <u64>1 << <u64>parseInt(bits[at]);
      }
    } else fail("unknown option " + words[index]);
  }
  return names;
}

/** What the test must know of a disk. */
function describe(disk: BlockDevice): string {
  const words: string[] = [
    disk.capacityBytes.toString(),
    disk.blockBytes.toString(),
    disk.depth.toString(),
    disk.isReadOnly ? "ro" : "rw",
    disk.canFlush ? "flush" : "-",
    disk.canDiscard ? "discard" : "-",
    disk.canWriteZeroes ? "zeroes" : "-",
    disk.isSelfRunning ? "self-running" : "-",
  ];
  return words.join(" ");
}

export function _start(): void {
  const names = parseArguments();
  const disks = openBlockDevices(names, depth, bufferBytes);
  for (let index = 0; index < disks.length; index++) {
    disks[index].pollUs = pollUs;
    print(describe(disks[index]));
  }
  const text = readStandardInput();
  if (text === null) fail("reading standard input");
  new Performance(disks, new Script(text!)).run();
}
