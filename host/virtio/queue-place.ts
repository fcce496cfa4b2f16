/**
 * The registers that say where a device's queue lies and whether it may be served. Filled by the driver piece by piece,
 * judged as a whole when it makes the queue ready.
 */
import { Errno } from "../abi";
import type { QueueSetup, WindowRange } from "./service";
import { queueFits } from "./virtqueue";

/** The areas of the queue: offsets in guest memory. Beyond 2^53 rounded, and then outside every window. */
export interface QueueAddresses {
  desc: number;
  avail: number;
  used: number;
}

/** What the driver may do with them; making the queue ready is the device's. */
export type QueueRegisters = Pick<
  QueuePlace,
  "sizeMax" | "size" | "addresses" | "ready" | "setSize" | "setAddresses"
>;

export class QueuePlace {
  readonly sizeMax: number;
  /** Where the service begins, or where it stopped. */
  availIndex = 0;
  #size: number;
  #addresses: QueueAddresses = { desc: 0, avail: 0, used: 0 };
  #ready = false;

  constructor(sizeMax: number) {
    this.sizeMax = sizeMax;
    this.#size = sizeMax;
  }

  get size(): number {
    return this.#size;
  }

  get addresses(): Readonly<QueueAddresses> {
    return this.#addresses;
  }

  get ready(): boolean {
    return this.#ready;
  }

  setSize(size: number): number {
    if (this.#ready) return -Errno.EBUSY;
    if (size < 1 || size > this.sizeMax || (size & (size - 1)) !== 0) return -Errno.EINVAL;
    this.#size = size;
    return 0;
  }

  setAddresses(addresses: QueueAddresses): number {
    if (this.#ready) return -Errno.EBUSY;
    this.#addresses = addresses;
    return 0;
  }

  /** -EINVAL without a window, -EFAULT when an area is misaligned or not inside it. */
  makeReady(window: WindowRange | null): number {
    if (window === null) return -Errno.EINVAL;
    if (!queueFits(this.setup(0n), window.offset, window.length)) return -Errno.EFAULT;
    this.#ready = true;
    return 0;
  }

  makeUnready(): void {
    this.#ready = false;
  }

  reset(): void {
    this.availIndex = 0;
    this.#size = this.sizeMax;
    this.#addresses = { desc: 0, avail: 0, used: 0 };
    this.#ready = false;
  }

  setup(features: bigint): QueueSetup {
    return {
      size: this.#size,
      descOffset: this.#addresses.desc,
      availOffset: this.#addresses.avail,
      usedOffset: this.#addresses.used,
      availIndex: this.availIndex,
      features,
    };
  }
}
