/**
 * A disk in memory: anonymous pages, reserved at once and allocated as they are written. Every request is complete when
 * `submit` returns. Native addresses are copied from and to without a view: the vectors come by address.
 */
import { Errno } from "../../abi";
import { errnoName, WasmUringError } from "../../errors";
import { type NativeMemory, nativeMemory } from "../../ffi/native-memory";
import type { Syscalls } from "../../ffi/syscalls";
import {
  type BackendRemains,
  type BlockBackend,
  BlockOperation,
  type Completions,
} from "./backend";
import { Finished } from "./finished";

const PROT_READ_WRITE = 3;
/** MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE. */
const MAP_FLAGS = 0x2 | 0x20 | 0x4000;
const PAGE_BYTES = 4096;
const IOV_MAX = 1024;
const IOVEC_BYTES = 16;
const WORD_VALUES = 0x1_0000_0000;

export interface RamRequest {
  capacityBytes: number;
  depth: number;
  syscalls: Syscalls;
}

class RamDisk implements BlockBackend {
  readonly name = "ram";
  readonly depth: number;
  readonly eventFd = -1;
  readonly remains: BackendRemains;
  readonly #address: number;
  readonly #capacity: number;
  readonly #syscalls: Syscalls;
  readonly #memory: NativeMemory;
  readonly #finished: Finished;
  /** A copy of the vectors at hand: address and length, two words each. */
  readonly #vectors = new Int32Array((IOV_MAX * IOVEC_BYTES) / 4);
  readonly #vectorsAddress: number;
  #inFlight = 0;
  #closed = false;

  constructor({ capacityBytes, depth, syscalls }: RamRequest, address: bigint) {
    this.depth = depth;
    this.#address = Number(address);
    this.#capacity = capacityBytes;
    this.#syscalls = syscalls;
    this.#memory = nativeMemory();
    this.#finished = new Finished(depth);
    this.#vectorsAddress = Number(syscalls.addressOf(this.#vectors));
    this.remains = {
      name: "ram",
      descriptors: [],
      mappings: [{ address: this.#address, length: capacityBytes }],
      ringFd: -1,
      context: 0,
      pool: null,
    };
  }

  get inFlight(): number {
    return this.#inFlight;
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
    this.#inFlight++;
    // At once: there is nothing that a batch would save.
    this.#finished.add(
      tag,
      this.#perform(operation, offset, vectorsAddress, vectorCount, lengthBytes, unmap),
    );
  }

  submit(): void {}

  reap(completions: Completions): number {
    if (this.#closed) return 0;
    const count = this.#finished.drainTo(completions);
    this.#inFlight -= count;
    return count;
  }

  wait(): void {}

  arm(): boolean {
    return this.#finished.isEmpty;
  }

  disarm(): void {}

  settle(): boolean {
    return true;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#inFlight = 0;
    this.#syscalls.munmap(BigInt(this.#address), this.#capacity);
  }

  #perform(
    operation: BlockOperation,
    offset: number,
    vectors: number,
    count: number,
    length: number,
    unmap: boolean,
  ): number {
    if (this.#closed) return -Errno.EBADF;
    if (!(offset >= 0)) return -Errno.EINVAL;
    switch (operation) {
      case BlockOperation.READ:
      case BlockOperation.WRITE:
        return this.#transfer(operation, offset, vectors, count);
      case BlockOperation.FLUSH:
        return 0;
      case BlockOperation.DISCARD:
        return this.#zero(offset, length, true);
      case BlockOperation.WRITE_ZEROES:
        return this.#zero(offset, length, unmap);
    }
  }

  #transfer(operation: BlockOperation, offset: number, vectors: number, count: number): number {
    if (count < 1 || count > IOV_MAX) return -Errno.EINVAL;
    this.#memory.copy(this.#vectorsAddress, vectors, count * IOVEC_BYTES);
    const words = this.#vectors;
    const end = this.#capacity;
    let at = offset;
    for (let index = 0; index < count * 4 && at < end; index += 4) {
      const buffer = ((words[index + 1] ?? 0) >>> 0) * WORD_VALUES + ((words[index] ?? 0) >>> 0);
      const wanted =
        ((words[index + 3] ?? 0) >>> 0) * WORD_VALUES + ((words[index + 2] ?? 0) >>> 0);
      const length = Math.min(wanted, end - at);
      const disk = this.#address + at;
      if (operation === BlockOperation.READ) this.#memory.copy(buffer, disk, length);
      else this.#memory.copy(disk, buffer, length);
      at += length;
    }
    if (at === offset && offset >= end && operation === BlockOperation.WRITE) return -Errno.ENOSPC;
    return at > offset ? at - offset : 0;
  }

  /** Whole pages are given back when they may be; the rest is cleared. */
  #zero(offset: number, length: number, unmap: boolean): number {
    const end = Math.min(offset + length, this.#capacity);
    if (offset >= end) return length === 0 ? 0 : -Errno.ENOSPC;
    const first = Math.ceil(offset / PAGE_BYTES) * PAGE_BYTES;
    const last = Math.floor(end / PAGE_BYTES) * PAGE_BYTES;
    if (!unmap || last <= first) {
      this.#memory.clear(this.#address + offset, end - offset);
      return 0;
    }
    this.#memory.clear(this.#address + offset, first - offset);
    this.#memory.clear(this.#address + last, end - last);
    return this.#memory.drop(this.#address + first, last - first);
  }
}

/** A disk of zeroes at first. @throws WasmUringError ERR_SETUP */
export function openRam(request: RamRequest): BlockBackend {
  const { capacityBytes, syscalls } = request;
  const address = syscalls.mmap(0n, capacityBytes, PROT_READ_WRITE, MAP_FLAGS, -1, 0);
  if (address < 0n) {
    throw new WasmUringError("ERR_SETUP", {
      what: `reserving ${capacityBytes} bytes for a RAM disk`,
      why: errnoName(Number(-address)),
      likelyCause: "address space is limited (ulimit -v), or memory may not be overcommitted",
      whatToDo: "ask for a smaller capacity",
      syscall: "mmap",
      errno: Number(-address),
    });
  }
  return new RamDisk(request, address);
}
