/**
 * A virtio-blk device without its I/O: negotiation of features, the state machine of the status register (virtio 1.2
 * sections 2.1 and 3.1.1), the configuration space, and the life-cycle of vDPA (struct vdpa_config_ops, in full words).
 * Who serves the queue is a `QueueService`, which this starts and stops. A guest reaches it through `mmio.ts`: every
 * argument from there is hostile, and every answer is 0 or a negated errno.
 */
import {
  Errno,
  VIRTIO_BLK_SECTOR_BYTES,
  VIRTQUEUE_SIZE_MAX,
  VirtioBlkConfig,
  VirtioBlkFeature,
  VirtioFeature,
  VirtioInterrupt,
  VirtioStatus,
} from "../abi";
import { QueuePlace, type QueueRegisters } from "./queue-place";
import type { QueueService, WindowRange } from "./service";
import { hasFeature } from "./virtqueue";

/** What a device offers: made by `describeDisk`, or told by a vhost-user daemon. */
export interface BlkDescription {
  /** VERSION_1 among them. */
  features: bigint;
  /** The configuration space, struct virtio_blk_config. */
  config: Uint8Array;
  /** A power of two; VIRTQUEUE_SIZE_MAX when left out. */
  queueSizeMax?: number;
}

export interface BlkDeviceOptions {
  description: BlkDescription;
  service: QueueService;
  /** What the window must be made of. */
  pageBytes: number;
}

const INITIAL = VirtioStatus.ACKNOWLEDGE | VirtioStatus.DRIVER;
/** What the driver may set. */
const STATUS_OF_DRIVER =
  INITIAL | VirtioStatus.FEATURES_OK | VirtioStatus.DRIVER_OK | VirtioStatus.FAILED;
const UNUSABLE = VirtioStatus.NEEDS_RESET | VirtioStatus.FAILED;

export class BlkDevice {
  readonly #description: BlkDescription;
  readonly #service: QueueService;
  readonly #pageBytes: number;
  readonly #queue: QueuePlace;
  /** Size and addresses of the queue, to be told before it is made ready. */
  readonly queue: QueueRegisters;

  #status = 0;
  #driverFeatures = 0n;
  /** Bits of VirtioInterrupt that the driver has not acknowledged. */
  #interrupts = 0;
  #window: WindowRange | null = null;
  #running = false;
  #suspended = false;
  #kickedWhileSuspended = false;
  #closed = false;

  constructor({ description, service, pageBytes }: BlkDeviceOptions) {
    this.#description = description;
    this.#service = service;
    this.#pageBytes = pageBytes;
    this.#queue = new QueuePlace(description.queueSizeMax ?? VIRTQUEUE_SIZE_MAX);
    this.queue = this.#queue;
  }

  /** Whether the used ring advances without calls from the guest's thread. */
  get selfRunning(): boolean {
    return this.#service.selfRunning;
  }

  /** The logical block size that the configuration states, bytes. */
  get blockBytes(): number {
    const offered = hasFeature(this.#description.features, VirtioBlkFeature.BLK_SIZE);
    return offered ? this.getConfigWord(VirtioBlkConfig.BLK_SIZE) : VIRTIO_BLK_SECTOR_BYTES;
  }

  getDeviceFeatures(): bigint {
    return this.#description.features;
  }

  getDriverFeatures(): bigint {
    return this.#driverFeatures;
  }

  /** Judged when the driver sets FEATURES_OK, and fixed then. */
  setDriverFeatures(features: bigint): number {
    if ((this.#status & VirtioStatus.FEATURES_OK) !== 0) return -Errno.EBUSY;
    this.#driverFeatures = features;
    return 0;
  }

  getConfigSize(): number {
    return this.#description.config.length;
  }

  /** Fills `target` from the configuration space; what lies beyond it is zero. */
  getConfig(offset: number, target: Uint8Array): void {
    target.fill(0);
    target.set(this.#description.config.subarray(offset, offset + target.length));
  }

  /** The 32 bits at any byte of the configuration space; what lies beyond it is zero. */
  getConfigWord(offset: number): number {
    const { config } = this.#description;
    let word = 0;
    for (let byte = 0; byte < 4; byte++) word |= (config[offset + byte] ?? 0) << (byte * 8);
    return word >>> 0;
  }

  getStatus(): number {
    if (this.#running && this.#service.failure !== 0) this.#needReset();
    return this.#status;
  }

  /**
   * The driver's write of the status register: 0 resets; otherwise bits are added, never taken away. Features that are
   * not acceptable leave FEATURES_OK clear, for the driver to see when it reads the register again.
   */
  setStatus(value: number): number {
    if (value === 0) return this.reset();
    const old = this.#status & STATUS_OF_DRIVER;
    if ((value & old) !== old) return -Errno.EINVAL;
    const added = value & STATUS_OF_DRIVER & ~old;
    if ((added & VirtioStatus.FAILED) !== 0) {
      this.#status |= VirtioStatus.FAILED;
      this.#stop();
      return 0;
    }
    this.#status |= added & INITIAL;
    if ((added & VirtioStatus.FEATURES_OK) !== 0 && this.#featuresAcceptable()) {
      this.#status |= VirtioStatus.FEATURES_OK;
    }
    if ((added & VirtioStatus.DRIVER_OK) === 0) return 0;
    const needed = INITIAL | VirtioStatus.FEATURES_OK;
    if ((this.#status & needed) !== needed) return -Errno.EINVAL;
    this.#status |= VirtioStatus.DRIVER_OK;
    return this.#startWhenReady();
  }

  /** Completes what was taken, then forgets all but the window. */
  reset(): number {
    this.#stop();
    this.#status = 0;
    this.#driverFeatures = 0n;
    this.#interrupts = 0;
    this.#queue.reset();
    this.#suspended = false;
    this.#kickedWhileSuspended = false;
    return 0;
  }

  /** Stops the service between two requests: what was taken is completed, the queue's state can be read. */
  suspend(): number {
    if ((this.#status & VirtioStatus.DRIVER_OK) === 0 || this.#suspended) return 0;
    this.#suspended = true;
    return this.#stop();
  }

  /** Goes on where `suspend` stopped, or where `setQueueState` says. */
  resume(): number {
    if (!this.#suspended) return 0;
    this.#suspended = false;
    const result = this.#startWhenReady();
    if (result < 0 || !this.#kickedWhileSuspended) return result;
    this.#kickedWhileSuspended = false;
    return this.kickQueue();
  }

  /** The end of the device: nothing touches the window afterwards. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.reset();
    this.#service.close();
  }

  /** Once, before the queue is made ready. Whether it lies in the guest's memory is for the service to check. */
  setWindow(offset: number, length: number): number {
    if (this.#closed) return -Errno.ENODEV;
    if (this.#window !== null) return -Errno.EBUSY;
    if (length === 0 || offset % this.#pageBytes !== 0 || length % this.#pageBytes !== 0) {
      return -Errno.EINVAL;
    }
    const result = this.#service.setWindow({ offset, length });
    if (result === 0) this.#window = { offset, length };
    return result;
  }

  /** Making it unready completes what was taken; made ready again it goes on there. */
  setQueueReady(ready: boolean): number {
    if (!ready) {
      this.#queue.makeUnready();
      return this.#stop();
    }
    if (this.#queue.ready) return 0;
    const result = this.#queue.makeReady(this.#window);
    return result < 0 ? result : this.#startWhenReady();
  }

  /** Free-running index of the next avail entry to take; -EBUSY while the queue is served. */
  getQueueState(): number {
    return this.#running ? -Errno.EBUSY : this.#queue.availIndex;
  }

  setQueueState(availIndex: number): number {
    if (this.#running) return -Errno.EBUSY;
    if ((availIndex & 0xffff) !== availIndex) return -Errno.EINVAL;
    this.#queue.availIndex = availIndex;
    return 0;
  }

  /** The guest's kick; -EINVAL when nothing is served. As all that follows on the data path: it does not allocate. */
  kickQueue(): number {
    if (!this.#running) {
      if (!this.#suspended) return -Errno.EINVAL;
      this.#kickedWhileSuspended = true;
      return 0;
    }
    const result = this.#service.kick();
    if (result < 0) this.#endUnlessPassing(result);
    return result;
  }

  /**
   * Waits for an interrupt and acknowledges it: bits of `VirtioInterrupt`, or a negated errno: -ETIME, -EINTR when the
   * guest is to end, -EAGAIN while suspended, -EINVAL when nothing is served.
   */
  waitInterrupt(timeoutUs: number): number {
    if (this.#interrupts === 0) {
      if (!this.#running) return this.#suspended ? -Errno.EAGAIN : -Errno.EINVAL;
      const result = this.#waitService(timeoutUs);
      if (this.#interrupts === 0) return result;
    }
    const bits = this.#interrupts;
    this.#interrupts = 0;
    return bits;
  }

  getInterruptStatus(): number {
    if (this.#running) this.#waitService(0);
    return this.#interrupts;
  }

  acknowledgeInterrupt(bits: number): void {
    this.#interrupts &= ~bits;
  }

  #waitService(timeoutUs: number): number {
    const result = this.#service.wait(timeoutUs);
    if (result > 0) this.#interrupts |= VirtioInterrupt.VRING;
    else this.#endUnlessPassing(result);
    return result;
  }

  #featuresAcceptable(): boolean {
    const unknown = this.#driverFeatures & ~this.#description.features;
    return unknown === 0n && hasFeature(this.#driverFeatures, VirtioFeature.VERSION_1);
  }

  #startWhenReady(): number {
    const driverIsOk = (this.#status & VirtioStatus.DRIVER_OK) !== 0;
    if (!driverIsOk || (this.#status & UNUSABLE) !== 0 || this.#closed) return 0;
    if (!this.#queue.ready || this.#suspended || this.#running) return 0;
    const result = this.#service.start(this.#queue.setup(this.#driverFeatures));
    if (result < 0) this.#needReset();
    else this.#running = true;
    return result;
  }

  #stop(): number {
    if (!this.#running) return 0;
    this.#running = false;
    const availIndex = this.#service.stop();
    // Something taken will never complete: where to go on is not known.
    if (availIndex < 0) this.#needReset();
    else {
      this.#queue.availIndex = availIndex;
      // Of what completed while it stopped, the service did not tell.
      if ((this.#status & UNUSABLE) === 0) this.#interrupts |= VirtioInterrupt.VRING;
    }
    return Math.min(availIndex, 0);
  }

  /** Time that ran out and a guest that is to end are no failures of the service. */
  #endUnlessPassing(result: number): void {
    if (result !== -Errno.ETIME && result !== -Errno.EINTR) this.#needReset();
  }

  /** The device cannot go on: the driver is told by the status and by an interrupt. */
  #needReset(): void {
    if ((this.#status & VirtioStatus.NEEDS_RESET) !== 0) return;
    this.#status |= VirtioStatus.NEEDS_RESET;
    if ((this.#status & VirtioStatus.DRIVER_OK) !== 0) this.#interrupts |= VirtioInterrupt.CONFIG;
    this.#stop();
  }
}
