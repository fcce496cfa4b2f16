/**
 * The register file of virtio over MMIO, version 2 (virtio 1.2 section 4.2.2), in front of a `BlkDevice`: 32-bit
 * registers, 64-bit values in halves. One guest thread reads and writes it, through imports; what does not exist reads
 * as zero and is refused with -EINVAL.
 */
import {
  Errno,
  VIRTIO_ID_BLOCK,
  VIRTIO_MMIO_MAGIC,
  VIRTIO_MMIO_VERSION,
  VirtioRegister,
} from "../abi";
import type { BlkDevice } from "./blk-device";
import type { QueueAddresses } from "./queue-place";

/** "WURG": who made the device. */
export const VIRTIO_VENDOR_ID = 0x47525557;

const TWO_POW_32 = 0x1_0000_0000;
const LOW_32 = 0xffffffffn;

function half(value: number, high: boolean): number {
  return high ? Math.floor(value / TWO_POW_32) >>> 0 : value >>> 0;
}

function withHalf(value: number, word: number, high: boolean): number {
  return high ? word * TWO_POW_32 + half(value, false) : half(value, true) * TWO_POW_32 + word;
}

/** Registers of the queue's areas: which one, and which half. */
const AREA_REGISTERS = new Map<number, [area: keyof QueueAddresses, high: boolean]>([
  [VirtioRegister.QUEUE_DESC_LOW, ["desc", false]],
  [VirtioRegister.QUEUE_DESC_HIGH, ["desc", true]],
  [VirtioRegister.QUEUE_AVAIL_LOW, ["avail", false]],
  [VirtioRegister.QUEUE_AVAIL_HIGH, ["avail", true]],
  [VirtioRegister.QUEUE_USED_LOW, ["used", false]],
  [VirtioRegister.QUEUE_USED_HIGH, ["used", true]],
]);

export class MmioRegisters {
  readonly device: BlkDevice;
  #deviceFeaturesSelect = 0;
  #driverFeaturesSelect = 0;
  #queueSelect = 0;

  constructor(device: BlkDevice) {
    this.device = device;
  }

  /** The 32 bits of a register, unsigned. Any byte of the configuration space may be the first of four. */
  read(register: number): number {
    if (register >= VirtioRegister.CONFIG) {
      return this.device.getConfigWord(register - VirtioRegister.CONFIG);
    }
    switch (register) {
      case VirtioRegister.MAGIC_VALUE:
        return VIRTIO_MMIO_MAGIC;
      case VirtioRegister.VERSION:
        return VIRTIO_MMIO_VERSION;
      case VirtioRegister.DEVICE_ID:
        return VIRTIO_ID_BLOCK;
      case VirtioRegister.VENDOR_ID:
        return VIRTIO_VENDOR_ID;
      case VirtioRegister.DEVICE_FEATURES:
        return this.#deviceFeatures();
      case VirtioRegister.INTERRUPT_STATUS:
        return this.device.getInterruptStatus();
      case VirtioRegister.STATUS:
        return this.device.getStatus();
      // The device has one queue: all others are of size 0 and never ready.
      case VirtioRegister.QUEUE_NUM_MAX:
        return this.#queueSelect === 0 ? this.device.queue.sizeMax : 0;
      case VirtioRegister.QUEUE_READY:
        return this.#queueSelect === 0 && this.device.queue.ready ? 1 : 0;
      // CONFIG_GENERATION among them: the configuration never changes.
      default:
        return 0;
    }
  }

  /** 0 or a negated errno. */
  write(register: number, value: number): number {
    const word = value >>> 0;
    switch (register) {
      // The kick comes first: it is the one of the data path.
      case VirtioRegister.QUEUE_NOTIFY:
        return word === 0 ? this.device.kickQueue() : -Errno.EINVAL;
      case VirtioRegister.INTERRUPT_ACK:
        this.device.acknowledgeInterrupt(word);
        return 0;
      case VirtioRegister.DEVICE_FEATURES_SEL:
        this.#deviceFeaturesSelect = word;
        return 0;
      case VirtioRegister.DRIVER_FEATURES_SEL:
        this.#driverFeaturesSelect = word;
        return 0;
      case VirtioRegister.DRIVER_FEATURES:
        return this.#writeDriverFeatures(word);
      case VirtioRegister.QUEUE_SEL:
        this.#queueSelect = word;
        return 0;
      case VirtioRegister.STATUS:
        return this.#writeStatus(word);
      default:
        return this.#queueSelect === 0 ? this.#writeQueue(register, word) : -Errno.EINVAL;
    }
  }

  #writeQueue(register: number, word: number): number {
    if (register === VirtioRegister.QUEUE_NUM) return this.device.queue.setSize(word);
    if (register === VirtioRegister.QUEUE_READY) {
      return word > 1 ? -Errno.EINVAL : this.device.setQueueReady(word === 1);
    }
    const found = AREA_REGISTERS.get(register);
    if (found === undefined) return -Errno.EINVAL;
    const [area, high] = found;
    const addresses = this.device.queue.addresses;
    const address = withHalf(addresses[area], word, high);
    return this.device.queue.setAddresses({ ...addresses, [area]: address });
  }

  #deviceFeatures(): number {
    const select = this.#deviceFeaturesSelect;
    if (select > 1) return 0;
    return Number((this.device.getDeviceFeatures() >> BigInt(select * 32)) & LOW_32);
  }

  #writeDriverFeatures(word: number): number {
    const select = this.#driverFeaturesSelect;
    // No feature is numbered 64 or above.
    if (select > 1) return word === 0 ? 0 : -Errno.EINVAL;
    const shift = BigInt(select * 32);
    const others = this.device.getDriverFeatures() & ~(LOW_32 << shift);
    return this.device.setDriverFeatures(others | (BigInt(word) << shift));
  }

  #writeStatus(word: number): number {
    if (word === 0) {
      this.#deviceFeaturesSelect = 0;
      this.#driverFeaturesSelect = 0;
      this.#queueSelect = 0;
    }
    return this.device.setStatus(word);
  }
}
