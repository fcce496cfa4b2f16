/** A model driver and the device's side of its queue on one ArrayBuffer. */
import type { DeviceWindow } from "../../host/virtio/descriptor-chain";
import { DeviceQueue } from "../../host/virtio/virtqueue";
import { type ChainBuffer, type DriverOptions, ModelDriver } from "./driver";

export const SIZES = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024];

export function makeWindow(lengthBytes = 256 * 1024): DeviceWindow {
  return { buffer: new ArrayBuffer(lengthBytes), offset: 0x10000, deviceAddress: 0x7000_0000_0000 };
}

export function makePair(options: Partial<DriverOptions> & { size: number }) {
  const window = options.window ?? makeWindow();
  const driver = new ModelDriver({ ...options, window });
  return { window, driver, queue: new DeviceQueue(window, driver.setup) };
}

export function buffer(
  driver: ModelDriver,
  index: number,
  length: number,
  write: boolean,
): ChainBuffer {
  return { offset: driver.end + index * 16, length, write };
}

/** What the device sees of its chain, by guest offsets. */
export function chainOf(queue: DeviceQueue, window: DeviceWindow): ChainBuffer[] {
  const { chain } = queue;
  return Array.from({ length: chain.count }, (_, index) => ({
    offset: (chain.offsets[index] ?? 0) + window.offset,
    length: chain.lengths[index] ?? 0,
    write: index >= chain.readableCount,
  }));
}
