/**
 * The slots of a guest's file table in memory that the embedder's thread and the guest's share, so that a grant made or
 * revoked while the guest runs is known at once: a thread that is busy in wasm receives no messages. The embedder's
 * thread alone writes; a sequence lock tells readers of a change. Host-private memory; no guest sees it.
 *
 * A descriptor is closed only when the guest's thread cannot be using it: that thread says when it does (`beginUse`),
 * and up to which change it has looked (`acknowledge`).
 *
 *   0          4          8             16
 *   | sequence | in use   | acknowledged| entry 0 | entry 1 | ... an entry: 40 bytes, then the name
 */
import { FILE_SLOTS } from "../abi";
import { NAME_BYTES_MAX } from "./check";
import type { GrantSlot } from "./slot";

const enum Header {
  /** Odd while an entry is being written; each change adds 2. */
  SEQUENCE = 0,
  IN_USE = 1,
  ACKNOWLEDGED = 2,
  BYTES = 16,
}

/** Byte offsets in an entry. */
const enum Entry {
  /** The name's bytes, 0 for an empty slot: no name is empty. */
  NAME_LENGTH = 0,
  FD = 4,
  ACCESS = 8,
  KIND = 12,
  DIRECT = 16,
  ALIGNMENT = 20,
  /** f64: exact to 2^53. */
  SIZE_BYTES = 24,
  /** Another for every grant: a descriptor's number may come again. */
  SERIAL = 32,
  NAME = 40,
  SIZE = 40 + 256,
}

const LENGTH_BYTES = Header.BYTES + FILE_SLOTS * Entry.SIZE;
/** A writer is done after microseconds, unless its thread was put off its CPU. */
const READ_SPINS = 64;
const READ_PAUSE_MS = 1;

export interface SlotSnapshot {
  slots: GrantSlot[];
  /** By slot: tells one grant from the next in the same slot; 0 when it is empty. */
  serials: Int32Array;
  /** Names the state that was seen; any later change gives another. */
  generation: number;
}

export class SharedSlots {
  readonly shared: SharedArrayBuffer;
  readonly #words: Int32Array;
  readonly #view: DataView;
  readonly #bytes: Uint8Array;

  constructor(shared: SharedArrayBuffer = new SharedArrayBuffer(LENGTH_BYTES)) {
    this.shared = shared;
    this.#words = new Int32Array(shared);
    this.#view = new DataView(shared);
    this.#bytes = new Uint8Array(shared);
  }

  /** A table that holds these. */
  static of(slots: readonly GrantSlot[]): SharedSlots {
    const table = new SharedSlots();
    for (const slot of slots) table.put(slot);
    return table;
  }

  get generation(): number {
    return Atomics.load(this.#words, Header.SEQUENCE) >>> 1;
  }

  /** Fills a slot. By the embedder's thread only. @returns the generation from which on it is */
  put(grant: GrantSlot): number {
    const at = Header.BYTES + grant.slot * Entry.SIZE;
    const name = Buffer.from(grant.name, "utf8").subarray(0, NAME_BYTES_MAX);
    const serial = Atomics.add(this.#words, Header.SEQUENCE, 1) + 1;
    const word = (field: Entry, value: number) => this.#view.setInt32(at + field, value, true);
    word(Entry.NAME_LENGTH, name.length);
    word(Entry.FD, grant.fd);
    word(Entry.ACCESS, grant.access);
    word(Entry.KIND, grant.kind);
    word(Entry.DIRECT, grant.direct ? 1 : 0);
    word(Entry.ALIGNMENT, grant.alignmentBytes);
    word(Entry.SERIAL, serial);
    this.#view.setFloat64(at + Entry.SIZE_BYTES, grant.sizeBytes, true);
    this.#bytes.set(name, at + Entry.NAME);
    return this.#written();
  }

  /** Empties a slot. By the embedder's thread only. @returns the generation from which on it is */
  clear(slot: number): number {
    Atomics.add(this.#words, Header.SEQUENCE, 1);
    this.#view.setInt32(Header.BYTES + slot * Entry.SIZE + Entry.NAME_LENGTH, 0, true);
    return this.#written();
  }

  #written(): number {
    const sequence = Atomics.add(this.#words, Header.SEQUENCE, 1) + 1;
    Atomics.notify(this.#words, Header.SEQUENCE);
    return sequence >>> 1;
  }

  /** All filled slots, as they were at one moment. */
  snapshot(): SlotSnapshot {
    for (let attempt = 0; ; attempt++) {
      const before = Atomics.load(this.#words, Header.SEQUENCE);
      if ((before & 1) === 0) {
        const serials = new Int32Array(FILE_SLOTS);
        const slots: GrantSlot[] = [];
        for (let slot = 0; slot < FILE_SLOTS; slot++) {
          const grant = this.#read(slot);
          if (grant === undefined) continue;
          slots.push(grant);
          serials[slot] = this.#word(slot, Entry.SERIAL);
        }
        // A load may overtake the reads above on some processors; a read-modify-write does not.
        if (Atomics.or(this.#words, Header.SEQUENCE, 0) === before)
          return { slots, serials, generation: before >>> 1 };
      } else if (attempt > READ_SPINS) {
        // The writer waits for nobody, so that this ends.
        Atomics.wait(this.#words, Header.SEQUENCE, before, READ_PAUSE_MS);
      }
    }
  }

  #read(slot: number): GrantSlot | undefined {
    const at = Header.BYTES + slot * Entry.SIZE;
    const word = (field: Entry) => this.#word(slot, field);
    const nameLength = Math.min(word(Entry.NAME_LENGTH), NAME_BYTES_MAX);
    if (nameLength <= 0) return undefined;
    // Buffer copies: a decoder would not take shared memory.
    const name = Buffer.from(this.#bytes.slice(at + Entry.NAME, at + Entry.NAME + nameLength));
    return {
      slot,
      name: name.toString("utf8"),
      fd: word(Entry.FD),
      access: word(Entry.ACCESS),
      kind: word(Entry.KIND),
      direct: word(Entry.DIRECT) !== 0,
      alignmentBytes: word(Entry.ALIGNMENT),
      sizeBytes: this.#view.getFloat64(at + Entry.SIZE_BYTES, true),
    };
  }

  #word(slot: number, field: Entry): number {
    return this.#view.getInt32(Header.BYTES + slot * Entry.SIZE + field, true);
  }

  /**
   * The guest's thread is going to use descriptors. It must look at `generation` afterwards: then either it sees a
   * change, or who made the change sees that it is at work.
   */
  beginUse(): void {
    Atomics.store(this.#words, Header.IN_USE, 1);
  }

  endUse(): void {
    Atomics.store(this.#words, Header.IN_USE, 0);
  }

  /** The guest's thread uses no descriptor of an earlier generation any more. */
  acknowledge(generation: number): void {
    Atomics.store(this.#words, Header.ACKNOWLEDGED, generation);
  }

  /** Whether the guest's thread may still be using a descriptor that was taken out with this generation. */
  isInUse(generation: number): boolean {
    if (Atomics.load(this.#words, Header.IN_USE) === 0) return false;
    return Atomics.load(this.#words, Header.ACKNOWLEDGED) < generation;
  }
}
