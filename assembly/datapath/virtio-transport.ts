/**
 * A virtio device over its MMIO registers up to the point where its queue can be placed: identification, status
 * handshake, feature negotiation, configuration (virtio 1.2 sections 3.1.1 and 4.2.3). The queue and the requests are
 * in virtq.ts and virtio-block.ts.
 */
import {
  Errno,
  VIRTIO_MMIO_MAGIC,
  VIRTIO_MMIO_VERSION,
  VirtioFeature,
  VirtioRegister,
  VirtioStatus,
} from "../abi";
import { virtioRead, virtioWrite } from "../virtio-host";

// @ts-ignore: decorator
@inline
export function featureBit(bit: u32): u64 {
  return <u64>1 << <u64>bit;
}

export class VirtioTransport {
  /** The negotiated features, a bit each. */
  features: u64 = 0;

  constructor(readonly handle: i32) {}

  @inline read(register: u32): u32 {
    return virtioRead(this.handle, register);
  }

  @inline write(register: u32, value: u32): i32 {
    return virtioWrite(this.handle, register, value);
  }

  @inline has(feature: u32): bool {
    return (this.features & featureBit(feature)) != 0;
  }

  /**
   * Resets the device and agrees on features: those of `wanted` that it offers.
   *
   * @returns 0 or a negated errno: -ENODEV another kind of device, -EPROTONOSUPPORT it is not virtio 1
   */
  negotiate(deviceId: u32, wanted: u64): i32 {
    if (this.read(VirtioRegister.MAGIC_VALUE) != VIRTIO_MMIO_MAGIC) return -(<i32>Errno.ENODEV);
    if (this.read(VirtioRegister.VERSION) != VIRTIO_MMIO_VERSION) {
      return -(<i32>Errno.EPROTONOSUPPORT);
    }
    if (this.read(VirtioRegister.DEVICE_ID) != deviceId) return -(<i32>Errno.ENODEV);
    const reset = this.write(VirtioRegister.STATUS, 0);
    if (reset < 0) return reset;
    if (this.status != 0) return -(<i32>Errno.EIO);
    this.addStatus(VirtioStatus.ACKNOWLEDGE);
    this.addStatus(VirtioStatus.DRIVER);
    this.features = this.offered() & (wanted | featureBit(VirtioFeature.VERSION_1));
    if (!this.has(VirtioFeature.VERSION_1)) return this.fail(-(<i32>Errno.EPROTONOSUPPORT));
    for (let half: u32 = 0; half < 2; half++) {
      this.write(VirtioRegister.DRIVER_FEATURES_SEL, half);
      this.write(VirtioRegister.DRIVER_FEATURES, <u32>(this.features >> <u64>(half * 32)));
    }
    this.addStatus(VirtioStatus.FEATURES_OK);
    const isAgreed = (this.status & VirtioStatus.FEATURES_OK) != 0;
    return isAgreed ? 0 : this.fail(-(<i32>Errno.EPROTONOSUPPORT));
  }

  private offered(): u64 {
    this.write(VirtioRegister.DEVICE_FEATURES_SEL, 1);
    const high = <u64>this.read(VirtioRegister.DEVICE_FEATURES) << 32;
    this.write(VirtioRegister.DEVICE_FEATURES_SEL, 0);
    return high | <u64>this.read(VirtioRegister.DEVICE_FEATURES);
  }

  get status(): u32 {
    return this.read(VirtioRegister.STATUS);
  }

  addStatus(bit: u32): i32 {
    return this.write(VirtioRegister.STATUS, this.status | bit);
  }

  /** Tells the device that its driver gave up; the error goes on. */
  fail(error: i32): i32 {
    this.addStatus(VirtioStatus.FAILED);
    return error;
  }

  /** The device found itself broken. */
  get needsReset(): bool {
    return (this.status & VirtioStatus.NEEDS_RESET) != 0;
  }

  config32(offset: u32): u32 {
    return this.read(VirtioRegister.CONFIG + offset);
  }

  /** A field of two words, which may change between them: read until the generation stays. */
  config64(offset: u32): u64 {
    let value: u64;
    let generation: u32;
    do {
      generation = this.read(VirtioRegister.CONFIG_GENERATION);
      value = <u64>this.config32(offset) | (<u64>this.config32(offset + 4) << 32);
    } while (this.read(VirtioRegister.CONFIG_GENERATION) != generation);
    return value;
  }

  /** An address, into the pair of registers that begins at `low`. */
  writeAddress(low: u32, address: usize): void {
    this.write(low, <u32>address);
    this.write(low + 4, 0);
  }
}
