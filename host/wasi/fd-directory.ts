/**
 * fd_readdir: the kernel's own entries, "." and ".." among them. A cookie is the number of entries
 * before it: the kernel's own (d_off) take all 64 bits on some file systems, and telldir(3) of a
 * 32-bit guest has a `long` for it. Reading on from where the last call ended, or from what the
 * directory that was read last had shown before, goes by the kernel's cookie, so that entries which
 * come and go meanwhile move nothing; any other cookie counts from the start. One buffer for each
 * guest holds what getdents64 gave, and is read on from when the guest does.
 */
import { Errno } from "../abi";
import type { NativeBuffer } from "../ffi/native-buffer";
import type { GuestMemory } from "../memory/guest-memory";
import type { DescriptorContext } from "./context";
import { type Descriptor, Kind } from "./descriptor";
import { WasiErrno, wasiErrnoOf } from "./errno";
import { copy64, setNumber64, unsigned64 } from "./number64";
import { type Parameter, unsigned, type WasiFunctions } from "./parameter";
import { fileTypeOfFormat, type Status } from "./status";

const BUFFER_BYTES = 32 * 1024;
const DOT = 0x2e;
/** As many cookies of the kernel are kept: half a megabyte. */
const PASSED_MAX = 65536;

/** `struct linux_dirent64`: the name ends with a zero byte. */
const enum LinuxEntry {
  INODE = 0,
  NEXT = 8,
  LENGTH = 16,
  TYPE = 18,
  NAME = 19,
}

/** `dirent`: the name's bytes follow. */
const enum Dirent {
  NEXT = 0,
  INODE = 8,
  NAME_LENGTH = 16,
  TYPE = 20,
  SIZE = 24,
}

export interface DirectoryParts {
  context: DescriptorContext;
  status: Status;
  /** Identities of the preopened directories. */
  roots: () => ReadonlySet<string>;
}

export function directoryFunctions(parts: DirectoryParts): WasiFunctions {
  const reader = new DirectoryReader(parts);
  const { table, memory, interrupted } = parts.context;
  return {
    fd_readdir: (fd = 0, buffer = 0, length = 0, cookie: Parameter = 0, result = 0) => {
      const found = table.get(fd);
      if (found === null) return WasiErrno.EBADF;
      if (found.kind !== Kind.DIRECTORY) return WasiErrno.ENOTDIR;
      const guest = memory();
      const at = unsigned(buffer);
      const roomBytes = unsigned(length);
      const resultAt = unsigned(result);
      if (!guest.contains(at, roomBytes) || !guest.contains(resultAt, 4)) return WasiErrno.EFAULT;
      const used = reader.read(guest, found, at, roomBytes, unsigned64(cookie));
      if (used < 0) return used === -Errno.EINTR ? interrupted() : wasiErrnoOf(-used);
      guest.view.setUint32(resultAt, used, true);
      return WasiErrno.SUCCESS;
    },
  };
}

/** The kernel's cookies of one directory's entries, as far as they were read on end. */
class PassedEntries {
  #owner: Descriptor | null = null;
  /** The number of the first that is held, and how many are. */
  #first = 0;
  #count = 0;
  #offsets = new BigInt64Array(256);

  note(of: Descriptor, number: number, offset: bigint): void {
    if (of !== this.#owner || number < this.#first || number > this.#first + this.#count) {
      this.#owner = of;
      this.#first = number;
    }
    const index = number - this.#first;
    if (index >= PASSED_MAX) return;
    if (index === this.#offsets.length) {
      const longer = new BigInt64Array(index * 2);
      longer.set(this.#offsets);
      this.#offsets = longer;
    }
    this.#offsets[index] = offset;
    this.#count = index + 1;
  }

  offsetOf(of: Descriptor, number: number): bigint | null {
    const index = number - this.#first;
    if (of !== this.#owner || index < 0 || index >= this.#count) return null;
    return this.#offsets[index] ?? null;
  }
}

class DirectoryReader {
  readonly #context: DescriptorContext;
  readonly #status: Status;
  readonly #roots: () => ReadonlySet<string>;
  readonly #buffer: NativeBuffer;
  /** Whose entries are in the buffer, up to where, and what comes next of them. */
  #owner: Descriptor | null = null;
  #length = 0;
  #at = 0;
  /** How many entries of the directory come before #at. */
  #before = 0;
  readonly #passed = new PassedEntries();

  constructor({ context, status, roots }: DirectoryParts) {
    this.#context = context;
    this.#status = status;
    this.#roots = roots;
    this.#buffer = context.native.buffer(BUFFER_BYTES);
  }

  /** Bytes written to the guest; all of its buffer when there is more. A negated errno. */
  read(guest: GuestMemory, of: Descriptor, at: number, roomBytes: number, cookie: number): number {
    const failure = this.#goTo(of, cookie);
    if (failure < 0) return failure;
    let used = 0;
    while (used < roomBytes) {
      const filled = this.#at < this.#length ? this.#length : this.#fill(of);
      if (filled < 0 && used === 0) return filled;
      if (filled <= 0) break;
      used += this.#copyEntry(guest, of, at + used, roomBytes - used);
    }
    return used;
  }

  /** A guest that reads on finds its entries in the buffer; from the start they are always new. */
  #goTo(of: Descriptor, cookie: number): number {
    if (of === this.#owner && cookie === this.#before && cookie !== 0) return 0;
    this.#owner = null;
    this.#length = 0;
    this.#at = 0;
    const isNext = cookie !== 0 && cookie === of.entriesRead;
    const offset = isNext ? of.entriesOffset : this.#passed.offsetOf(of, cookie);
    this.#before = offset === null ? 0 : cookie;
    const { files } = this.#context.native;
    const failure = files.seekDirectory(of.hostFd, offset ?? 0n);
    if (failure < 0) return failure;
    this.#owner = of;
    return this.#skipTo(of, cookie);
  }

  #skipTo(of: Descriptor, cookie: number): number {
    while (this.#before < cookie) {
      if (this.#at >= this.#length) {
        if (this.#context.stopped()) return -Errno.EINTR;
        const filled = this.#fill(of);
        if (filled <= 0) return filled;
      }
      this.#pass(of);
    }
    return 0;
  }

  /** Goes on to the next entry of the buffer. */
  #pass(of: Descriptor): void {
    const { view } = this.#buffer;
    of.entriesOffset = view.getBigInt64(this.#at + LinuxEntry.NEXT, true);
    this.#at += view.getUint16(this.#at + LinuxEntry.LENGTH, true);
    of.entriesRead = ++this.#before;
    this.#passed.note(of, this.#before, of.entriesOffset);
  }

  #fill(of: Descriptor): number {
    const { files } = this.#context.native;
    this.#length = 0;
    this.#at = 0;
    const filled = files.readDirectory(of.hostFd, this.#buffer.address, BUFFER_BYTES);
    if (filled < 0) this.#owner = null;
    else this.#length = filled;
    return filled;
  }

  /** One entry, cut off at the end of the guest's buffer; then it stays the next one. */
  #copyEntry(guest: GuestMemory, of: Descriptor, at: number, roomBytes: number): number {
    const { bytes, view } = this.#buffer;
    const entry = this.#at;
    const nameAt = entry + LinuxEntry.NAME;
    const nameLength = bytes.indexOf(0, nameAt) - nameAt;
    if (roomBytes < Dirent.SIZE) {
      // Bytes of a head that the guest cannot read anyway: its buffer is full, and that is all.
      guest.bytes.fill(0, at, at + roomBytes);
      return roomBytes;
    }
    setNumber64(guest.view, at + Dirent.NEXT, this.#before + 1);
    copy64(view, entry + LinuxEntry.INODE, guest.view, at + Dirent.INODE);
    guest.view.setUint32(at + Dirent.NAME_LENGTH, nameLength, true);
    const type = fileTypeOfFormat(view.getUint8(entry + LinuxEntry.TYPE));
    guest.view.setUint32(at + Dirent.TYPE, type, true);
    if (nameLength === 2 && bytes[nameAt] === DOT && bytes[nameAt + 1] === DOT) {
      this.#hideParent(of, guest, at);
    }
    const room = roomBytes - Dirent.SIZE;
    const copied = nameLength < room ? nameLength : room;
    guest.bytes.set(bytes.subarray(nameAt, nameAt + copied), at + Dirent.SIZE);
    if (copied < nameLength) return roomBytes;
    this.#pass(of);
    return Dirent.SIZE + nameLength;
  }

  /** The parent of the root that a guest sees is that root, as it is for "/". */
  #hideParent(of: Descriptor, guest: GuestMemory, at: number): void {
    if (of.isRoot === false) return;
    const failure = this.#context.native.files.status(of.hostFd, this.#status.address);
    of.isRoot ??= failure < 0 || this.#roots().has(this.#status.identity);
    if (of.isRoot) this.#status.copyInode(guest.view, at + Dirent.INODE);
  }
}
