/**
 * The guest's descriptors by number: dense, the lowest free number is given out, and no more than a
 * limit. What the guest opened on the host is noted in shared memory, so that the embedder's thread
 * can close it when the guest's thread was ended.
 */
import { Errno } from "../abi";
import { assert } from "../errors";
import type { Descriptor } from "./descriptor";
import { type Parameter, unsigned } from "./parameter";

/** Standard streams, preopens and sockets included. */
export const DESCRIPTORS_MAX_DEFAULT = 1024;

/** Host descriptors that the guest's thread must close, in memory that two threads share. */
export class OpenFiles {
  readonly shared: SharedArrayBuffer;
  readonly #words: Int32Array;
  readonly #free: number[];
  readonly #close: (fd: number) => number;

  /** Two places more than the guest has descriptors, for directories on the way to a file. */
  constructor(shared: SharedArrayBuffer | number, close: (fd: number) => number) {
    const made = typeof shared === "number" ? new SharedArrayBuffer((shared + 2) * 4) : shared;
    this.shared = made;
    this.#words = new Int32Array(made);
    this.#free = Array.from(this.#words, (_, index) => this.#words.length - 1 - index);
    this.#close = close;
  }

  /** Notes an open descriptor; the place it is noted at, for `close`. */
  note(fd: number): number {
    const slot = this.#free.pop();
    assert(slot !== undefined, "more files are open for a guest than it may have descriptors");
    this.#words[slot] = fd + 1;
    return slot;
  }

  /** Forgotten first: closing a number twice could hit somebody else's file. */
  close(slot: number): void {
    const fd = (this.#words[slot] ?? 0) - 1;
    this.#words[slot] = 0;
    this.#free.push(slot);
    if (fd >= 0) this.#close(fd);
  }

  /** All that is still open; when nobody uses it any more. */
  closeAll(): void {
    this.#words.forEach((word, slot) => {
      if (word === 0) return;
      this.#words[slot] = 0;
      this.#close(word - 1);
    });
  }
}

export class DescriptorTable {
  readonly openFiles: OpenFiles;
  readonly #entries: (Descriptor | null)[];
  /** No number below it is free. */
  #lowest = 0;

  constructor(limit: number, openFiles: OpenFiles) {
    this.#entries = new Array<Descriptor | null>(limit).fill(null);
    this.openFiles = openFiles;
  }

  get(fd: Parameter): Descriptor | null {
    const number = unsigned(fd);
    return number < this.#entries.length ? (this.#entries[number] ?? null) : null;
  }

  /** The lowest free number, or -EMFILE. */
  insert(descriptor: Descriptor): number {
    const number = this.#entries.indexOf(null, this.#lowest);
    if (number < 0) return -Errno.EMFILE;
    this.#entries[number] = descriptor;
    this.#lowest = number + 1;
    return number;
  }

  get isFull(): boolean {
    return this.#entries.indexOf(null, this.#lowest) < 0;
  }

  close(fd: Parameter): boolean {
    const found = this.get(fd);
    if (found === null) return false;
    const number = unsigned(fd);
    this.#entries[number] = null;
    this.#lowest = Math.min(this.#lowest, number);
    if (found.slot >= 0) this.openFiles.close(found.slot);
    return true;
  }

  /** `to` is closed and becomes what `from` was. Both must be open. */
  renumber(from: Parameter, to: Parameter): boolean {
    const moved = this.get(from);
    const replaced = this.get(to);
    if (moved === null || replaced === null) return false;
    if (moved === replaced) return true;
    this.close(to);
    this.#entries[unsigned(to)] = moved;
    const number = unsigned(from);
    this.#entries[number] = null;
    this.#lowest = Math.min(this.#lowest, number);
    return true;
  }
}
