/**
 * A path that a guest named: copied out of its memory once, checked, and split by hand into the
 * directory on the way and the last component. Bytes are never made a string, and nothing is
 * allocated.
 */
import { isUtf8 } from "node:buffer";
import type { NativeBuffer } from "../ffi/native-buffer";
import type { GuestMemory } from "../memory/guest-memory";
import type { NativeCalls } from "./context";
import { WasiErrno } from "./errno";
import { type Parameter, unsigned } from "./parameter";

/** PATH_MAX of Linux, the zero byte included. */
const PATH_MAX_BYTES = 4096;
const SLASH = 0x2f;
const DOT = 0x2e;

export class GuestPath {
  /** Where the last component begins and how long it is, without slashes. */
  nameAt = 0;
  nameLength = 0;
  /** One slash or more after the last component: it must be a directory. */
  trailingSlash = false;
  readonly #buffer: NativeBuffer;
  #lengthBytes = 0;

  constructor(native: NativeCalls) {
    this.#buffer = native.buffer(PATH_MAX_BYTES + 8);
  }

  /** Of the whole path, until it was split for its parent. */
  get address(): number {
    return this.#buffer.address;
  }

  /** Of the last component, after `cutName`. */
  get nameAddress(): number {
    return this.#buffer.address + this.nameAt;
  }

  /** Copies and checks what names a file below a directory. */
  load(guest: GuestMemory, path: Parameter, length: Parameter): WasiErrno {
    const bad = this.loadTarget(guest, path, length);
    if (bad !== WasiErrno.SUCCESS) return bad;
    this.#split();
    return WasiErrno.SUCCESS;
  }

  /**
   * Copies and checks what a symbolic link is to hold, and every other path: relative, UTF-8 and
   * without zero bytes.
   */
  loadTarget(guest: GuestMemory, path: Parameter, length: Parameter): WasiErrno {
    const at = unsigned(path);
    const lengthBytes = unsigned(length);
    if (!guest.contains(at, lengthBytes)) return WasiErrno.EFAULT;
    if (lengthBytes === 0) return WasiErrno.ENOENT;
    if (lengthBytes >= PATH_MAX_BYTES) return WasiErrno.ENAMETOOLONG;
    const from = guest.bytes;
    const to = this.#buffer.bytes;
    let seen = 0;
    for (let index = 0; index < lengthBytes; index++) {
      const byte = from[at + index] ?? 0;
      if (byte === 0) return WasiErrno.EINVAL;
      to[index] = byte;
      seen |= byte;
    }
    to[lengthBytes] = 0;
    this.#lengthBytes = lengthBytes;
    if (seen >= 0x80 && !isUtf8(to.subarray(0, lengthBytes))) return WasiErrno.EILSEQ;
    return to[0] === SLASH ? WasiErrno.ENOTCAPABLE : WasiErrno.SUCCESS;
  }

  #split(): void {
    const { bytes } = this.#buffer;
    let end = this.#lengthBytes;
    while (end > 0 && bytes[end - 1] === SLASH) end--;
    let start = end;
    while (start > 0 && bytes[start - 1] !== SLASH) start--;
    this.trailingSlash = end < this.#lengthBytes;
    this.nameAt = start;
    this.nameLength = end - start;
  }

  /** No directory on the way, and it does not lead up. */
  get isSingle(): boolean {
    return this.nameAt === 0 && !this.trailingSlash && !this.isDotDot;
  }

  get isDotDot(): boolean {
    const { bytes } = this.#buffer;
    const at = this.nameAt;
    return this.nameLength === 2 && bytes[at] === DOT && bytes[at + 1] === DOT;
  }

  /** "." or "..": it names a directory by where it is, and is nobody's entry. */
  get isDot(): boolean {
    return this.isDotDot || (this.nameLength === 1 && this.#buffer.bytes[this.nameAt] === DOT);
  }

  /** Ends the string before the last component: `address` is then that of the parent, if any. */
  cutParent(): void {
    if (this.nameAt > 0) this.#buffer.bytes[this.nameAt - 1] = 0;
  }

  /** Ends the string after the last component, with one slash when there were some and they count. */
  cutName(keepSlash: boolean): void {
    const { bytes } = this.#buffer;
    let end = this.nameAt + this.nameLength;
    if (keepSlash && this.trailingSlash) bytes[end++] = SLASH;
    bytes[end] = 0;
  }
}
