/**
 * The walk along a descriptor chain, indirect tables included (virtio 1.2 sections 2.7.5 and 2.7.13), into flat arrays
 * that are made once. Everything read here is an attacker's and may change at any time: each word of a descriptor is
 * read once, checked and acted on as the copy that it then is.
 */
import { VIRTQUEUE_SIZE_MAX, VringDesc, VringDescFlag } from "../abi";
import { QueueFault } from "./queue-fault";

/** The window as the device reaches it. */
export interface DeviceWindow {
  /** The device mapping: the window, whole and nothing else. */
  buffer: ArrayBufferLike;
  /** Where the window begins in guest memory; descriptors hold offsets in guest memory. */
  offset: number;
  /** Native address of the device mapping; below 2^48, so exact. */
  deviceAddress: number;
}

export class DescriptorChain {
  /** Where each buffer of the chain begins, relative to the window. Inside it, whatever the driver does later. */
  readonly offsets = new Uint32Array(VIRTQUEUE_SIZE_MAX);
  readonly lengths = new Uint32Array(VIRTQUEUE_SIZE_MAX);
  /** Buffers of the chain: first those that the device reads, then those that it writes. */
  count = 0;
  readableCount = 0;
  /** Why `load` failed. */
  fault = QueueFault.NONE;

  readonly #view: DataView;
  readonly #windowOffset: number;
  readonly #windowLength: number;
  readonly #table: number;
  readonly #size: number;
  readonly #indirect: boolean;

  /** @param table offset of the descriptor table, relative to the window; `size` entries lie inside it */
  constructor(window: DeviceWindow, table: number, size: number, indirect: boolean) {
    this.#view = new DataView(window.buffer);
    this.#windowOffset = window.offset;
    this.#windowLength = window.buffer.byteLength;
    this.#table = table;
    this.#size = size;
    this.#indirect = indirect;
  }

  /** Copies the chain that begins with `head`. False when it is malformed: `fault` says how. */
  load(head: number): boolean {
    this.count = 0;
    this.readableCount = 0;
    this.fault = this.#walk(head);
    return this.fault === QueueFault.NONE;
  }

  #walk(head: number): QueueFault {
    const view = this.#view;
    let table = this.#table;
    let entries = this.#size;
    let nested = false;
    // A chain that visits more descriptors than its table has is a loop.
    let left = entries;
    let index = head;
    if (index >= entries) return QueueFault.HEAD;
    for (;;) {
      if (left-- === 0) return QueueFault.CHAIN_TOO_LONG;
      const at = table + index * VringDesc.SIZE;
      const addressLow = view.getUint32(at + VringDesc.ADDR, true);
      const addressHigh = view.getUint32(at + VringDesc.ADDR + 4, true);
      const length = view.getUint32(at + VringDesc.LEN, true);
      const flagsAndNext = view.getUint32(at + VringDesc.FLAGS, true);
      const offset = addressLow - this.#windowOffset;
      if (addressHigh !== 0 || offset < 0 || offset + length > this.#windowLength) {
        return QueueFault.OUTSIDE_WINDOW;
      }
      if ((flagsAndNext & VringDescFlag.INDIRECT) !== 0) {
        const fault = this.#indirectFault(nested, length, flagsAndNext);
        if (fault !== QueueFault.NONE) return fault;
        nested = true;
        table = offset;
        entries = length / VringDesc.SIZE;
        left = Math.min(entries, VIRTQUEUE_SIZE_MAX - this.count);
        index = 0;
        continue;
      }
      if (length === 0) return QueueFault.EMPTY_BUFFER;
      if ((flagsAndNext & VringDescFlag.WRITE) === 0) {
        if (this.readableCount !== this.count) return QueueFault.ORDER;
        this.readableCount++;
      }
      this.offsets[this.count] = offset;
      this.lengths[this.count++] = length;
      if ((flagsAndNext & VringDescFlag.NEXT) === 0) return QueueFault.NONE;
      index = flagsAndNext >>> 16;
      if (index >= entries) return QueueFault.NEXT;
    }
  }

  #indirectFault(nested: boolean, length: number, flags: number): QueueFault {
    if (!this.#indirect) return QueueFault.INDIRECT_NOT_NEGOTIATED;
    if (nested) return QueueFault.INDIRECT_NESTED;
    if ((flags & VringDescFlag.NEXT) !== 0) return QueueFault.INDIRECT_WITH_NEXT;
    if (length === 0 || length % VringDesc.SIZE !== 0) return QueueFault.INDIRECT_LENGTH;
    return QueueFault.NONE;
  }
}
