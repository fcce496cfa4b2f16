/** What fstat(2) says of a file, as the `filestat` of WASI. */
import type { NativeBuffer } from "../ffi/native-buffer";
import type { GuestMemory } from "../memory/guest-memory";
import type { NativeCalls } from "./context";
import { copy64, getNumber64, setNanoseconds } from "./number64";
import { FileType } from "./stream";

/** `filestat`: device, inode, type, links, size, and three times in nanoseconds. */
export const enum FileStat {
  DEVICE = 0,
  INODE = 8,
  TYPE = 16,
  LINKS = 24,
  SIZE_BYTES = 32,
  ACCESSED = 40,
  MODIFIED = 48,
  CHANGED = 56,
  SIZE = 64,
}

/** The kernel's `struct stat` of 64-bit machines; a time is i64 seconds and u64 nanoseconds. */
const enum Stat {
  DEVICE = 0,
  INODE = 8,
  SIZE_BYTES = 48,
  ACCESSED = 72,
  MODIFIED = 88,
  CHANGED = 104,
  SIZE = 144,
}

/** Here architectures differ; the links are a u32 or, on x86_64, a u64 that never exceeds it. */
const [STAT_MODE, STAT_LINKS] = process.arch === "x64" ? [24, 16] : [16, 20];

const HALF = 0x1_0000_0000;
const FORMAT_MASK = 0o170000;
/** File types of stat(2), by mode >> 12. */
const TYPES = new Uint8Array(16).fill(FileType.UNKNOWN);
TYPES[0o02] = FileType.CHARACTER_DEVICE;
TYPES[0o04] = FileType.DIRECTORY;
TYPES[0o06] = FileType.BLOCK_DEVICE;
TYPES[0o10] = FileType.REGULAR_FILE;
TYPES[0o12] = FileType.SYMBOLIC_LINK;
TYPES[0o14] = FileType.SOCKET_STREAM;

/** A FIFO has no name in WASI: UNKNOWN. `format` is mode >> 12, as d_type of a directory entry. */
export function fileTypeOfFormat(format: number): FileType {
  return TYPES[format] ?? FileType.UNKNOWN;
}

/** One answer of fstat at a time. */
export class Status {
  readonly #buffer: NativeBuffer;
  /** The same by words: both sides are little-endian, and one store each is what makes it fast. */
  readonly #words: Int32Array;
  readonly #scratch = new Int32Array(FileStat.SIZE / 4);
  readonly #scratchBytes = new Uint8Array(this.#scratch.buffer);

  constructor(native: NativeCalls) {
    this.#buffer = native.buffer(Stat.SIZE);
    this.#words = new Int32Array(this.#buffer.bytes.buffer);
  }

  /** Where fstat is to write. */
  get address(): number {
    return this.#buffer.address;
  }

  get fileType(): FileType {
    const mode = this.#buffer.view.getUint32(STAT_MODE, true);
    return fileTypeOfFormat((mode & FORMAT_MASK) >> 12);
  }

  /** Exact up to 2^53. */
  get sizeBytes(): number {
    return getNumber64(this.#buffer.view, Stat.SIZE_BYTES);
  }

  /** Which file it is, among all of this machine. */
  get identity(): string {
    const { view } = this.#buffer;
    return `${view.getBigUint64(Stat.DEVICE, true)}:${view.getBigUint64(Stat.INODE, true)}`;
  }

  /** The inode number into 8 bytes elsewhere. */
  copyInode(to: DataView, at: number): void {
    copy64(this.#buffer.view, Stat.INODE, to, at);
  }

  /** Writes a `filestat` of 64 bytes, which are inside the guest's memory. */
  write(guest: GuestMemory, at: number): void {
    if ((at & 3) === 0) {
      this.#fill(guest.words, at >>> 2);
    } else {
      // No guest that was compiled has it there.
      this.#fill(this.#scratch, 0);
      guest.bytes.set(this.#scratchBytes, at);
    }
  }

  #fill(to: Int32Array, at: number): void {
    const from = this.#words;
    to[at] = from[Stat.DEVICE / 4] ?? 0;
    to[at + 1] = from[Stat.DEVICE / 4 + 1] ?? 0;
    to[at + 2] = from[Stat.INODE / 4] ?? 0;
    to[at + 3] = from[Stat.INODE / 4 + 1] ?? 0;
    to[at + 4] = this.fileType;
    to[at + 5] = 0;
    to[at + 6] = from[STAT_LINKS / 4] ?? 0;
    to[at + 7] = 0;
    to[at + 8] = from[Stat.SIZE_BYTES / 4] ?? 0;
    to[at + 9] = from[Stat.SIZE_BYTES / 4 + 1] ?? 0;
    this.#putTime(Stat.ACCESSED / 4, to, at + FileStat.ACCESSED / 4);
    this.#putTime(Stat.MODIFIED / 4, to, at + FileStat.MODIFIED / 4);
    this.#putTime(Stat.CHANGED / 4, to, at + FileStat.CHANGED / 4);
  }

  /** WASI has no time before 1970: such a one is its beginning. */
  #putTime(from: number, to: Int32Array, at: number): void {
    const words = this.#words;
    const high = words[from + 1] ?? 0;
    const isNegative = high < 0;
    const seconds = isNegative ? 0 : ((words[from] ?? 0) >>> 0) + high * HALF;
    setNanoseconds(to, at, seconds, isNegative ? 0 : (words[from + 2] ?? 0));
  }
}
