/**
 * Bytes that no guest may change: the guest's own memory outside ring and arena, and a buffer of the host whose native
 * address the attacker is told, which no real guest ever is.
 */
import type { Syscalls } from "../../host/ffi/syscalls";

const HOST_PATTERN = 0x5a;
const GUEST_PATTERN = 0xc5;
const HOST_BYTES = 4 * 4096;

/** Half of it holds a pattern, half zeroes: the oracle's two answers. */
export class HostCanary {
  readonly bytes = new Uint8Array(new SharedArrayBuffer(HOST_BYTES));
  readonly address: bigint;

  constructor(syscalls: Syscalls) {
    this.bytes.fill(HOST_PATTERN, 0, HOST_BYTES / 2);
    this.address = syscalls.addressOf(this.bytes);
  }

  /** Where its zeroes begin. */
  get zeroAddress(): bigint {
    return this.address + BigInt(HOST_BYTES / 2);
  }

  changedBytes(): number {
    const expected = (index: number) => (index < HOST_BYTES / 2 ? HOST_PATTERN : 0);
    return this.bytes.reduce((sum, byte, index) => sum + (byte === expected(index) ? 0 : 1), 0);
  }
}

export interface Range {
  start: number;
  end: number;
}

/** The ranges of a guest's memory that neither the kernel nor the host may write. */
export class GuestCanary {
  readonly #memory: WebAssembly.Memory;
  readonly #ranges: readonly Range[];

  constructor(memory: WebAssembly.Memory, ranges: readonly Range[]) {
    this.#memory = memory;
    this.#ranges = ranges;
    const bytes = new Uint8Array(memory.buffer);
    for (const { start, end } of ranges) bytes.fill(GUEST_PATTERN, start, end);
  }

  changedBytes(): number {
    const bytes = new Uint8Array(this.#memory.buffer);
    let changed = 0;
    for (const { start, end } of this.#ranges) {
      for (let offset = start; offset < end; offset++) {
        if (bytes[offset] !== GUEST_PATTERN) changed++;
      }
    }
    return changed;
  }
}
