/**
 * A virtio-blk driver in TypeScript, straight over a `BlkDevice`: what a guest's driver does, with every step in the
 * test's hand. A request of tag t uses the descriptors 3t, 3t + 1, 3t + 2 and one buffer.
 */
import {
  VirtioBlkHeader,
  VirtioBlkType,
  VirtioStatus,
  VringAvail,
  VringDesc,
  VringDescFlag,
  VringUsed,
  VringUsedElement,
} from "../../../host/abi";
import type { GuestMemory } from "../../../host/memory/guest-memory";
import type { BlkDevice } from "../../../host/virtio/blk-device";

export const PAGE = 4096;
const WINDOW_OFFSET = 2 * PAGE;
/** The second page of the window: headers of 16 bytes, status bytes. */
const HEADERS = WINDOW_OFFSET + 2 * PAGE;
const STATUSES = HEADERS + 1024;
const BUFFERS = WINDOW_OFFSET + 3 * PAGE;

export const DEPTH = 16;
export const BUFFER_BYTES = 16 * PAGE;
const SIZE = 64;
export const WINDOW_LENGTH = BUFFERS - WINDOW_OFFSET + DEPTH * BUFFER_BYTES;
export const MEMORY_PAGES = Math.ceil((WINDOW_OFFSET + WINDOW_LENGTH) / 65536) + 1;

const DESC = WINDOW_OFFSET;
const AVAIL = DESC + SIZE * VringDesc.SIZE;
const USED = AVAIL + 256;

export interface Completion {
  tag: number;
  status: number;
  /** What the device says that it wrote. */
  length: number;
}

export class DiskDriver {
  readonly #device: BlkDevice;
  readonly #memory: GuestMemory;
  #avail = 0;
  #used = 0;

  constructor(device: BlkDevice, memory: GuestMemory) {
    this.#device = device;
    this.#memory = memory;
  }

  /** Declares the window; once. */
  open(): number {
    return this.#device.setWindow(WINDOW_OFFSET, WINDOW_LENGTH);
  }

  /** From reset to DRIVER_OK. 0 or what the device answered. */
  start(features: bigint): number {
    const device = this.#device;
    device.setStatus(0);
    this.#memory.bytes.fill(0, WINDOW_OFFSET, HEADERS + PAGE);
    this.#avail = 0;
    this.#used = 0;
    device.setStatus(VirtioStatus.ACKNOWLEDGE | VirtioStatus.DRIVER);
    device.setDriverFeatures(features);
    const ready = VirtioStatus.ACKNOWLEDGE | VirtioStatus.DRIVER | VirtioStatus.FEATURES_OK;
    device.setStatus(ready);
    if ((device.getStatus() & VirtioStatus.FEATURES_OK) === 0) throw new Error("features refused");
    device.queue.setSize(SIZE);
    device.queue.setAddresses({ desc: DESC, avail: AVAIL, used: USED });
    const result = device.setQueueReady(true);
    return result < 0 ? result : device.setStatus(ready | VirtioStatus.DRIVER_OK);
  }

  buffer(tag: number): Uint8Array {
    const start = BUFFERS + tag * BUFFER_BYTES;
    return this.#memory.bytes.subarray(start, start + BUFFER_BYTES);
  }

  /** Makes a request available without a kick. */
  submit(tag: number, type: number, sector: number, lengthBytes: number): void {
    const { view } = this.#memory;
    const header = HEADERS + tag * VirtioBlkHeader.SIZE;
    view.setUint32(header + VirtioBlkHeader.TYPE, type, true);
    view.setUint32(header + VirtioBlkHeader.IOPRIO, 0, true);
    view.setBigUint64(header + VirtioBlkHeader.SECTOR, BigInt(sector), true);
    view.setUint8(STATUSES + tag, 0xff);
    const reads = type === VirtioBlkType.IN || type === VirtioBlkType.GET_ID;
    const head = 3 * tag;
    const data = lengthBytes > 0;
    this.#describe(head, header, VirtioBlkHeader.SIZE, VringDescFlag.NEXT, data ? 1 : 2);
    const flags = VringDescFlag.NEXT | (reads ? VringDescFlag.WRITE : 0);
    if (data) this.#describe(head + 1, BUFFERS + tag * BUFFER_BYTES, lengthBytes, flags, 1);
    this.#describe(head + 2, STATUSES + tag, 1, VringDescFlag.WRITE, 0);
    view.setUint16(AVAIL + VringAvail.RING + 2 * (this.#avail % SIZE), head, true);
    this.#avail = (this.#avail + 1) & 0xffff;
    view.setUint16(AVAIL + VringAvail.IDX, this.#avail, true);
  }

  kick(): number {
    return this.#device.kickQueue();
  }

  /** What is complete now. */
  reap(): Completion[] {
    const { view } = this.#memory;
    const found: Completion[] = [];
    while (this.#used !== view.getUint16(USED + VringUsed.IDX, true)) {
      const element = USED + VringUsed.RING + VringUsed.ELEMENT_SIZE * (this.#used % SIZE);
      const tag = view.getUint32(element + VringUsedElement.ID, true) / 3;
      const length = view.getUint32(element + VringUsedElement.LEN, true);
      found.push({ tag, length, status: view.getUint8(STATUSES + tag) });
      this.#used = (this.#used + 1) & 0xffff;
    }
    // With EVENT_IDX: the next completion is wanted.
    view.setUint16(AVAIL + VringAvail.RING + 2 * SIZE, this.#used, true);
    return found;
  }

  /** Waits for `count` completions; throws when the device fails or the time is over. */
  complete(count: number, timeoutMs = 10_000): Completion[] {
    const deadline = performance.now() + timeoutMs;
    const found = this.reap();
    while (found.length < count) {
      if (performance.now() > deadline) throw new Error(`${found.length} of ${count} completed`);
      const result = this.#device.waitInterrupt(1_000_000);
      found.push(...this.reap());
      if (result < 0 && found.length < count) throw new Error(`wait: ${result}`);
    }
    return found;
  }

  /** One request, start to end; its status. */
  request(type: number, sector: number, lengthBytes: number, tag = 0): number {
    this.submit(tag, type, sector, lengthBytes);
    const kicked = this.kick();
    if (kicked < 0) throw new Error(`kick: ${kicked}`);
    const [completion] = this.complete(1);
    return completion?.status ?? -1;
  }

  #describe(index: number, offset: number, length: number, flags: number, skip: number): void {
    const { view } = this.#memory;
    const descriptor = DESC + index * VringDesc.SIZE;
    view.setBigUint64(descriptor + VringDesc.ADDR, BigInt(offset), true);
    view.setUint32(descriptor + VringDesc.LEN, length, true);
    view.setUint16(descriptor + VringDesc.FLAGS, flags, true);
    view.setUint16(descriptor + VringDesc.NEXT, index + skip, true);
  }
}
