/**
 * The options of the load generator, in fio's words: `--rw randread --bs 4k --iodepth 32 --runtime
 * 1`.
 */
import { exit, printError, programArguments } from "../../assembly";

export class Options {
  rw: string = "randread";
  /** Bytes of one operation. */
  bs: u32 = 4096;
  iodepth: u32 = 1;
  /** Nanoseconds. */
  runtimeNs: u64 = 1_000_000_000;
  /** Nanoseconds of the same load before anything counts: compilation and caches settle. */
  rampNs: u64 = 0;
  /** How long the guest looks for completions before it waits, where somebody else works meanwhile. */
  pollUs: u32 = 1000;
  /**
   * Afterwards keep the disk and wait for nothing, until ended from outside: what does an idle
   * guest cost?
   */
  hold: bool = false;

  get isRandom(): bool {
    return this.rw.startsWith("rand");
  }

  get isWrite(): bool {
    return this.rw.endsWith("write");
  }
}

/** Says what is wrong and ends the program with 2, as tools do for bad usage. */
export function refuse(reason: string): void {
  printError("load: " + reason);
  exit(2);
}

/** Whole numbers with k, m or g (powers of 1024) after them; 0 for anything else. */
function parseSize(text: string): u64 {
  let value: u64 = 0;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code >= 48 && code <= 57 && index < 10) {
      value = value * 10 + (code - 48);
      continue;
    }
    if (index != text.length - 1 || index == 0) return 0;
    if (code == 0x6b || code == 0x4b) return value << 10;
    if (code == 0x6d || code == 0x4d) return value << 20;
    if (code == 0x67 || code == 0x47) return value << 30;
    return 0;
  }
  return value;
}

function isKnownRw(text: string): bool {
  return text == "randread" || text == "randwrite" || text == "read" || text == "write";
}

function take(options: Options, name: string, value: string): void {
  if (name == "--rw") {
    if (!isKnownRw(value)) refuse('--rw "' + value + '": use randread, randwrite, read or write');
    options.rw = value;
  } else if (name == "--bs") {
    const bytes = parseSize(value);
    if (bytes == 0 || bytes > 1 << 28) refuse('--bs "' + value + '": not a size such as 4k');
    options.bs = <u32>bytes;
  } else if (name == "--iodepth") {
    const depth = parseSize(value);
    if (depth == 0 || depth > 32768) refuse('--iodepth "' + value + '": not from 1 to 32768');
    options.iodepth = <u32>depth;
  } else if (name == "--runtime") {
    const seconds = parseFloat(value);
    if (!(seconds > 0) || seconds > 1e6) refuse('--runtime "' + value + '": not seconds above 0');
    options.runtimeNs = <u64>(seconds * 1e9);
  } else if (name == "--ramp-time") {
    const seconds = parseFloat(value);
    if (!(seconds >= 0) || seconds > 1e6) refuse('--ramp-time "' + value + '": not seconds');
    options.rampNs = <u64>(seconds * 1e9);
  } else if (name == "--poll-us") {
    const us = parseFloat(value);
    if (!(us >= 0) || us > 1e6) refuse('--poll-us "' + value + '": not from 0 to 1000000');
    options.pollUs = <u32>us;
  } else {
    const known = "--rw, --bs, --iodepth, --runtime, --ramp-time, --poll-us, --hold";
    refuse('unknown option "' + name + '": use ' + known);
  }
}

export function parseOptions(): Options {
  const options = new Options();
  const words = programArguments();
  for (let index = 0; index < words.length; index++) {
    const word = words[index];
    if (word == "--hold") {
      options.hold = true;
      continue;
    }
    const equals = word.indexOf("=");
    if (equals > 0) {
      take(options, word.substring(0, equals), word.substring(equals + 1));
    } else {
      if (index + 1 == words.length) refuse('option "' + word + '" has no value');
      take(options, word, words[++index]);
    }
  }
  return options;
}
