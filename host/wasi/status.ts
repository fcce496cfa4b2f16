/** What fstat(2) says of a file, as the `filestat` of WASI. */
import type { NativeBuffer } from "../ffi/native-buffer";
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

const FORMAT_MASK = 0o170000;
/** File types of stat(2), by mode >> 12. */
const TYPES: ReadonlyMap<number, FileType> = new Map([
  [0o02, FileType.CHARACTER_DEVICE],
  [0o04, FileType.DIRECTORY],
  [0o06, FileType.BLOCK_DEVICE],
  [0o10, FileType.REGULAR_FILE],
  [0o12, FileType.SYMBOLIC_LINK],
  [0o14, FileType.SOCKET_STREAM],
]);

/** A FIFO has no name in WASI: UNKNOWN. `format` is mode >> 12, as d_type of a directory entry. */
export function fileTypeOfFormat(format: number): FileType {
  return TYPES.get(format) ?? FileType.UNKNOWN;
}

/** One answer of fstat at a time. */
export class Status {
  readonly #buffer: NativeBuffer;

  constructor(native: NativeCalls) {
    this.#buffer = native.buffer(Stat.SIZE);
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

  /** Writes a `filestat` of 64 bytes. */
  write(to: DataView, at: number): void {
    const { view } = this.#buffer;
    copy64(view, Stat.DEVICE, to, at + FileStat.DEVICE);
    copy64(view, Stat.INODE, to, at + FileStat.INODE);
    to.setUint32(at + FileStat.TYPE, this.fileType, true);
    to.setUint32(at + FileStat.TYPE + 4, 0, true);
    to.setUint32(at + FileStat.LINKS, view.getUint32(STAT_LINKS, true), true);
    to.setUint32(at + FileStat.LINKS + 4, 0, true);
    copy64(view, Stat.SIZE_BYTES, to, at + FileStat.SIZE_BYTES);
    this.#writeTime(Stat.ACCESSED, to, at + FileStat.ACCESSED);
    this.#writeTime(Stat.MODIFIED, to, at + FileStat.MODIFIED);
    this.#writeTime(Stat.CHANGED, to, at + FileStat.CHANGED);
  }

  /** WASI has no time before 1970: such a one is its beginning. */
  #writeTime(from: number, to: DataView, at: number): void {
    const { view } = this.#buffer;
    const isNegative = view.getInt32(from + 4, true) < 0;
    const seconds = isNegative ? 0 : getNumber64(view, from);
    setNanoseconds(to, at, seconds, isNegative ? 0 : view.getUint32(from + 8, true));
  }
}
