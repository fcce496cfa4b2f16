/**
 * A driver of a split virtqueue, written from virtio 1.2 sections 2.7.13 and 2.7.14 for tests: on an ArrayBuffer in the
 * place of guest memory. It does what a good driver does; a test that wants a bad one writes with `view` itself.
 */
import * as assert from "uvu/assert";
import {
  VirtioFeature,
  VRING_AVAIL_F_NO_INTERRUPT,
  VRING_USED_F_NO_NOTIFY,
  VringAvail,
  VringDesc,
  VringDescFlag,
  VringUsed,
} from "../../assembly/abi/index";
import type { DeviceWindow } from "../../host/virtio/descriptor-chain";
import type { QueueSetup } from "../../host/virtio/service";
import { queueAreaBytes } from "../../host/virtio/virtqueue";

/** A buffer of a chain; the offset is one of guest memory. */
export interface ChainBuffer {
  offset: number;
  length: number;
  /** The device writes it. */
  write: boolean;
}

export interface UsedElement {
  id: number;
  length: number;
}

export interface DriverOptions {
  window: DeviceWindow;
  size: number;
  eventIndex?: boolean;
  indirect?: boolean;
  /** More negotiated features. */
  features?: bigint;
  /** Where both sides begin. */
  index?: number;
}

function alignUp(value: number, alignment: number): number {
  return Math.ceil(value / alignment) * alignment;
}

export class ModelDriver {
  readonly setup: QueueSetup;
  readonly size: number;
  /** The window, by offsets relative to it. */
  readonly view: DataView;
  /** First guest offset behind the queue's areas. */
  readonly end: number;
  /** Free-running: chains made available, and used elements taken. */
  availIndex: number;
  usedIndex: number;
  readonly #window: DeviceWindow;
  readonly #eventIndex: boolean;
  readonly #halves: Uint16Array;
  readonly #free: number[];
  /** By head: the descriptors that its chain takes. */
  readonly #taken = new Map<number, number[]>();
  #availPublished: number;

  constructor(options: DriverOptions) {
    const { window, size, eventIndex = true, indirect = true, features = 0n, index = 0 } = options;
    const bytes = queueAreaBytes(size);
    const descOffset = window.offset;
    const availOffset = descOffset + bytes.desc;
    const usedOffset = alignUp(availOffset + bytes.avail, 4);
    const bits = (eventIndex ? [VirtioFeature.EVENT_IDX] : []).concat(
      indirect ? [VirtioFeature.INDIRECT_DESC] : [],
      [VirtioFeature.VERSION_1],
    );
    this.setup = {
      size,
      descOffset,
      availOffset,
      usedOffset,
      availIndex: index,
      features: bits.reduce((all, bit) => all | (1n << BigInt(bit)), features),
    };
    this.size = size;
    this.view = new DataView(window.buffer);
    this.end = alignUp(usedOffset + bytes.used, 16);
    this.availIndex = index;
    this.usedIndex = index;
    this.#availPublished = index;
    this.#window = window;
    this.#eventIndex = eventIndex;
    this.#halves = new Uint16Array(window.buffer);
    this.#free = Array.from({ length: size }, (_, entry) => entry);
    this.#halves[this.#availHalf(VringAvail.IDX)] = index;
    this.#halves[this.#usedHalf(VringUsed.IDX)] = index;
    this.#setUsedEvent(index);
  }

  get freeDescriptors(): number {
    return this.#free.length;
  }

  get inFlight(): number {
    return this.#taken.size;
  }

  /** Writes one descriptor of the table at a guest offset. */
  writeDescriptor(table: number, index: number, buffer: ChainBuffer, flags: number, next = 0) {
    const at = table - this.#window.offset + index * VringDesc.SIZE;
    this.view.setBigUint64(at + VringDesc.ADDR, BigInt(buffer.offset), true);
    this.view.setUint32(at + VringDesc.LEN, buffer.length, true);
    this.view.setUint16(at + VringDesc.FLAGS, flags, true);
    this.view.setUint16(at + VringDesc.NEXT, next, true);
  }

  /** Puts a chain into the descriptor table and its head into the avail ring; the device sees it after `publish`. */
  add(buffers: readonly ChainBuffer[]): number {
    assert.ok(buffers.length <= this.#free.length, "the model's table is full");
    const entries = this.#free.splice(0, buffers.length);
    this.#writeChain(this.setup.descOffset, entries, buffers);
    return this.#makeAvailable(entries);
  }

  /** The same by an indirect table at a guest offset: takes one descriptor, or more with `direct` ones before it. */
  addIndirect(buffers: readonly ChainBuffer[], table: number, direct: readonly ChainBuffer[] = []) {
    const entries = this.#free.splice(0, direct.length + 1);
    assert.is(entries.length, direct.length + 1, "the model's table is full");
    const own = buffers.map((_, index) => index);
    this.#writeChain(table, own, buffers);
    const last = entries[direct.length] ?? 0;
    const length = buffers.length * VringDesc.SIZE;
    this.#writeChain(this.setup.descOffset, entries.slice(0, -1), direct, last);
    const tableBuffer = { offset: table, length, write: false };
    this.writeDescriptor(this.setup.descOffset, last, tableBuffer, VringDescFlag.INDIRECT);
    return this.#makeAvailable(entries);
  }

  /** A head put into the avail ring as it is, whatever it is. */
  offer(head: number): void {
    const slot = this.availIndex & (this.size - 1);
    this.#halves[this.#availHalf(VringAvail.RING) + slot] = head;
    this.availIndex = (this.availIndex + 1) & 0xffff;
  }

  /** Shows the device what was added. Whether it wants a kick. */
  publish(): boolean {
    const old = this.#availPublished;
    this.#availPublished = this.availIndex;
    // Pairs with the device's load of avail.idx.
    Atomics.store(this.#halves, this.#availHalf(VringAvail.IDX), this.availIndex);
    if (!this.#eventIndex) {
      const flags = Atomics.load(this.#halves, this.#usedHalf(VringUsed.FLAGS));
      return (flags & VRING_USED_F_NO_NOTIFY) === 0;
    }
    const at = this.#usedHalf(VringUsed.RING) + this.size * 4;
    const event = Atomics.load(this.#halves, at);
    return ((this.availIndex - event - 1) & 0xffff) < ((this.availIndex - old) & 0xffff);
  }

  /** Takes everything used. */
  reap(): UsedElement[] {
    const elements: UsedElement[] = [];
    // Pairs with the device's store of used.idx.
    const now = Atomics.load(this.#halves, this.#usedHalf(VringUsed.IDX));
    while (this.usedIndex !== now) {
      const slot = this.usedIndex & (this.size - 1);
      const at = this.setup.usedOffset - this.#window.offset + VringUsed.RING + slot * 8;
      const element = {
        id: this.view.getUint32(at, true),
        length: this.view.getUint32(at + 4, true),
      };
      const entries = this.#taken.get(element.id);
      assert.ok(entries !== undefined, `head ${element.id} was given back and is not in flight`);
      this.#taken.delete(element.id);
      this.#free.push(...entries);
      elements.push(element);
      this.usedIndex = (this.usedIndex + 1) & 0xffff;
    }
    return elements;
  }

  /** Asks for an interrupt at the next used element. */
  wantInterrupts(): void {
    if (this.#eventIndex) this.#setUsedEvent(this.usedIndex);
    else Atomics.store(this.#halves, this.#availHalf(VringAvail.FLAGS), 0);
  }

  /** Asks for an interrupt when `count` more elements are used; event index only. */
  wantInterruptAfter(count: number): void {
    this.#setUsedEvent((this.usedIndex + count - 1) & 0xffff);
  }

  suppressInterrupts(): void {
    if (this.#eventIndex) this.#setUsedEvent((this.usedIndex - 1) & 0xffff);
    else {
      const at = this.#availHalf(VringAvail.FLAGS);
      Atomics.store(this.#halves, at, VRING_AVAIL_F_NO_INTERRUPT);
    }
  }

  #setUsedEvent(index: number): void {
    if (!this.#eventIndex) return;
    Atomics.store(this.#halves, this.#availHalf(VringAvail.RING) + this.size, index);
  }

  #makeAvailable(entries: number[]): number {
    const head = entries[0] ?? 0;
    this.#taken.set(head, entries);
    this.offer(head);
    return head;
  }

  #writeChain(
    table: number,
    entries: readonly number[],
    buffers: readonly ChainBuffer[],
    continued?: number,
  ): void {
    buffers.forEach((buffer, index) => {
      const next = entries[index + 1] ?? continued;
      const flags =
        (buffer.write ? VringDescFlag.WRITE : 0) | (next === undefined ? 0 : VringDescFlag.NEXT);
      this.writeDescriptor(table, entries[index] ?? 0, buffer, flags, next ?? 0);
    });
  }

  #availHalf(field: number): number {
    return (this.setup.availOffset - this.#window.offset + field) / 2;
  }

  #usedHalf(field: number): number {
    return (this.setup.usedOffset - this.#window.offset + field) / 2;
  }
}
