/**
 * How a guest finds and drives a virtio device: the registers of virtio over MMIO (virtio 1.2 section 4.2.2, version 2,
 * <linux/virtio_mmio.h>), reached by imports instead of loads and stores.
 *
 * Imports of module "virtio" (all parameters i32, all results i32):
 *
 *   find(name, nameLength, info)        a device handle >= 0, fills a `VirtioDeviceInfo` unless 0; or a negated errno
 *   window(device, offset, length)      declares the page-aligned range of guest memory that holds queue and buffers;
 *                                       once, before the queue is made ready. Addresses in descriptors and in the queue
 *                                       registers are linear-memory offsets inside it. 0 or a negated errno
 *   read(device, register)              the register's 32 bits; 0 for what does not exist
 *   write(device, register, value)      0 or a negated errno. QUEUE_NOTIFY is the kick
 *   wait(device, timeoutUs)             waits for an interrupt, -1 without end: > 0 are bits of INTERRUPT_STATUS (which
 *                                       it acknowledges), -ETIME when the time ran out, other negated errno on failure
 *
 * With a device that is not SELF_RUNNING, requests are completed only inside `write` of QUEUE_NOTIFY and `wait`: a guest
 * that merely looks at the used ring may look for ever.
 */

/** Byte offsets in the answer to `find`. */
export const enum VirtioDeviceInfo {
  /** Bits of `VirtioDeviceFlag`. */
  FLAGS = 0,
  /** Alignment of the window. */
  PAGE_SIZE = 4,
  /** What offsets, lengths and buffer addresses of requests should be multiples of: logical block size, bytes. */
  BLOCK_SIZE = 8,
  RESERVED = 12,
  SIZE = 16,
}

export enum VirtioDeviceFlag {
  /** A thread or a process of its own serves the queue: the used ring advances without a call. */
  SELF_RUNNING = 1,
}

/** Registers: VIRTIO_MMIO_*. */
export enum VirtioRegister {
  /** "virt". */
  MAGIC_VALUE = 0x000,
  /** 2. */
  VERSION = 0x004,
  DEVICE_ID = 0x008,
  VENDOR_ID = 0x00c,
  DEVICE_FEATURES = 0x010,
  DEVICE_FEATURES_SEL = 0x014,
  DRIVER_FEATURES = 0x020,
  DRIVER_FEATURES_SEL = 0x024,
  QUEUE_SEL = 0x030,
  QUEUE_NUM_MAX = 0x034,
  QUEUE_NUM = 0x038,
  QUEUE_READY = 0x044,
  QUEUE_NOTIFY = 0x050,
  INTERRUPT_STATUS = 0x060,
  INTERRUPT_ACK = 0x064,
  STATUS = 0x070,
  QUEUE_DESC_LOW = 0x080,
  QUEUE_DESC_HIGH = 0x084,
  QUEUE_AVAIL_LOW = 0x090,
  QUEUE_AVAIL_HIGH = 0x094,
  QUEUE_USED_LOW = 0x0a0,
  QUEUE_USED_HIGH = 0x0a4,
  CONFIG_GENERATION = 0x0fc,
  /** The device's own configuration begins here. */
  CONFIG = 0x100,
}

export const VIRTIO_MMIO_MAGIC = 0x74726976;
export const VIRTIO_MMIO_VERSION = 2;

/** VIRTIO_MMIO_INT_*. */
export enum VirtioInterrupt {
  VRING = 1,
  CONFIG = 2,
}

/** VIRTIO_CONFIG_S_*. */
export enum VirtioStatus {
  ACKNOWLEDGE = 1,
  DRIVER = 2,
  DRIVER_OK = 4,
  FEATURES_OK = 8,
  NEEDS_RESET = 64,
  FAILED = 128,
}
