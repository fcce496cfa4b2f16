/**
 * A window in native memory between two canaries, and where the guest believes it to be: what a device may touch and
 * what it may not.
 */
import * as assert from "uvu/assert";
import { linuxSyscalls } from "../../host/ffi/linux";
import type { DeviceWindow } from "../../host/virtio/descriptor-chain";

const CANARY_BYTES = 64 * 1024;
const CANARY = 0xc5;
const PROT_READ_WRITE = 3;
const MAP_PRIVATE_ANONYMOUS = 0x22;

export class CanaryArea {
  readonly window: DeviceWindow;
  readonly #all: Uint8Array;
  readonly #address: bigint;

  /** @param offset of the window in guest memory */
  constructor(lengthBytes: number, offset = 0x20000) {
    const syscalls = linuxSyscalls();
    const total = lengthBytes + 2 * CANARY_BYTES;
    this.#address = syscalls.mmap(0n, total, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0);
    assert.ok(this.#address > 0n, `mmap of ${total} bytes: ${this.#address}`);
    this.#all = new Uint8Array(syscalls.viewOf(this.#address, total));
    this.#all.fill(CANARY, 0, CANARY_BYTES);
    this.#all.fill(CANARY, CANARY_BYTES + lengthBytes);
    const deviceAddress = this.#address + BigInt(CANARY_BYTES);
    this.window = {
      buffer: syscalls.viewOf(deviceAddress, lengthBytes),
      offset,
      deviceAddress: Number(deviceAddress),
    };
  }

  get bytes(): Uint8Array {
    return new Uint8Array(this.window.buffer);
  }

  /** Bytes [start, end) of the window, by guest offset. */
  at(offset: number, lengthBytes: number): Uint8Array {
    return new Uint8Array(this.window.buffer, offset - this.window.offset, lengthBytes);
  }

  /** The window's bytes behind a native address, which must all lie inside it. */
  native(address: number, lengthBytes: number): Uint8Array {
    const offset = address - this.window.deviceAddress;
    const inside = offset >= 0 && offset + lengthBytes <= this.window.buffer.byteLength;
    assert.ok(inside, `the device handed out [${offset}, +${lengthBytes}), outside the window`);
    return new Uint8Array(this.window.buffer, offset, lengthBytes);
  }

  /** Fails when a byte outside the window changed. */
  check(): void {
    const end = this.#all.length;
    const before = this.#all.subarray(0, CANARY_BYTES).findIndex((byte) => byte !== CANARY);
    const after = this.#all.subarray(end - CANARY_BYTES).findIndex((byte) => byte !== CANARY);
    assert.is(before, -1, "a byte before the window changed");
    assert.is(after, -1, "a byte after the window changed");
  }

  /** No view of it may be used afterwards. */
  release(): void {
    linuxSyscalls().munmap(this.#address, this.#all.length);
  }
}
