/**
 * A block back end of a test: a disk in memory between canaries, which reaches the window only through the vectors that
 * it is given and checks each of them. It completes in the order that the test chooses, and fails when told to.
 */
import * as assert from "uvu/assert";
import { linuxSyscalls } from "../../host/ffi/linux";
import {
  type BackendRemains,
  type BlockBackend,
  BlockOperation,
  type Completions,
} from "../../host/virtio/aio/backend";
import type { CanaryArea } from "./canary-area";

const CANARY = 0x3c;
const CANARY_BYTES = 4096;
const IOVEC_BYTES = 16;

/** A request as it was prepared. */
export interface Prepared {
  operation: BlockOperation;
  tag: number;
  offset: number;
  vectors: { address: number; length: number }[];
  lengthBytes: number;
  unmap: boolean;
}

export class MemoryBackend implements BlockBackend {
  readonly name = "ram";
  readonly depth: number;
  readonly eventFd = -1;
  readonly remains: BackendRemains = {
    name: "ram",
    ringFd: -1,
    descriptors: [],
    mappings: [],
    context: 0,
    pool: null,
  };
  /** The disk's contents. */
  readonly disk: Uint8Array;
  /** Of the next requests, instead of performing them. */
  readonly results: number[] = [];
  /** How many of those submitted complete at a `reap`; all by default. */
  completeAtMost = Infinity;
  /** Whether the last submitted completes first. */
  reversed = false;
  flushes = 0;
  readonly log: Prepared[] = [];
  readonly #all: Uint8Array;
  readonly #area: CanaryArea;
  #prepared: Prepared[] = [];
  #submitted: Prepared[] = [];

  constructor(area: CanaryArea, capacityBytes: number, depth: number) {
    this.#area = area;
    this.depth = depth;
    this.#all = new Uint8Array(capacityBytes + 2 * CANARY_BYTES).fill(CANARY);
    this.disk = this.#all.subarray(CANARY_BYTES, CANARY_BYTES + capacityBytes).fill(0);
  }

  prepare(
    operation: BlockOperation,
    tag: number,
    offset: number,
    vectorsAddress: number,
    vectorCount: number,
    lengthBytes: number,
    unmap: boolean,
  ): void {
    assert.ok(tag >= 0 && tag < this.depth, `tag ${tag} of ${this.depth}`);
    assert.not(
      [...this.#prepared, ...this.#submitted].some((request) => request.tag === tag),
      `tag ${tag} is in flight`,
    );
    const vectors = readVectors(vectorsAddress, vectorCount);
    const request = { operation, tag, offset, vectors, lengthBytes, unmap };
    this.#prepared.push(request);
    this.log.push(request);
  }

  submit(): void {
    this.#submitted.push(...this.#prepared);
    this.#prepared = [];
  }

  reap({ tags, results }: Completions): number {
    const count = Math.min(this.#submitted.length, this.completeAtMost, tags.length);
    for (let index = 0; index < count; index++) {
      const request = this.reversed ? this.#submitted.pop() : this.#submitted.shift();
      assert.ok(request !== undefined);
      tags[index] = request.tag;
      results[index] = this.results.shift() ?? this.#perform(request);
    }
    return count;
  }

  wait(): void {}

  arm(): boolean {
    return this.#submitted.length === 0;
  }

  disarm(): void {}

  get inFlight(): number {
    return this.#prepared.length + this.#submitted.length;
  }

  settle(): boolean {
    return true;
  }

  close(): void {
    this.#prepared = [];
    this.#submitted = [];
  }

  /** Fails when a byte outside the disk changed. */
  check(): void {
    const end = this.#all.length - CANARY_BYTES;
    const outside = this.#all.findIndex(
      (byte, index) => byte !== CANARY && (index < CANARY_BYTES || index >= end),
    );
    assert.is(outside, -1, "a byte outside the disk changed");
  }

  #perform({ operation, offset, vectors, lengthBytes }: Prepared): number {
    if (operation === BlockOperation.FLUSH) {
      this.flushes++;
      return 0;
    }
    assert.ok(offset >= 0 && offset + lengthBytes <= this.disk.length, "outside the disk");
    if (operation >= BlockOperation.DISCARD) {
      this.disk.fill(0, offset, offset + lengthBytes);
      return 0;
    }
    let at = offset;
    for (const { address, length } of vectors) {
      const memory = this.#area.native(address, length);
      if (operation === BlockOperation.READ) memory.set(this.disk.subarray(at, at + length));
      else this.disk.set(memory, at);
      at += length;
    }
    assert.is(at - offset, lengthBytes, "the vectors and the length differ");
    return lengthBytes;
  }
}

function readVectors(address: number, count: number): { address: number; length: number }[] {
  if (count === 0) return [];
  const view = new DataView(linuxSyscalls().viewOf(BigInt(address), count * IOVEC_BYTES));
  return Array.from({ length: count }, (_, index) => ({
    address: Number(view.getBigUint64(index * IOVEC_BYTES, true)),
    length: Number(view.getBigUint64(index * IOVEC_BYTES + 8, true)),
  }));
}
