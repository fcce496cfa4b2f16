/** The register file: a driver's whole way through it, and what a hostile one finds there. */
import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  Errno,
  VIRTIO_ID_BLOCK,
  VIRTIO_MMIO_MAGIC,
  VIRTQUEUE_SIZE_MAX,
  VirtioBlkConfig,
  VirtioInterrupt,
  VirtioRegister,
  VirtioStatus,
} from "../../assembly/abi/index";
import { MmioRegisters } from "../../host/virtio/mmio";
import { DISK_BYTES } from "./blk-driver";
import { makeDevice, PLACE, WINDOW } from "./fake-service";

const test = suite("mmio");

const { ACKNOWLEDGE, DRIVER, DRIVER_OK, FEATURES_OK } = VirtioStatus;

function makeRegisters() {
  const { device, service } = makeDevice();
  return { registers: new MmioRegisters(device), device, service };
}

/** Writes that must succeed. */
function writeAll(registers: MmioRegisters, writes: readonly (readonly [number, number])[]): void {
  for (const [register, value] of writes) {
    assert.is(registers.write(register, value), 0, `register 0x${register.toString(16)}`);
  }
}

function start(registers: MmioRegisters): void {
  writeAll(registers, [
    [VirtioRegister.STATUS, 0],
    [VirtioRegister.STATUS, ACKNOWLEDGE],
    [VirtioRegister.STATUS, ACKNOWLEDGE | DRIVER],
    [VirtioRegister.DEVICE_FEATURES_SEL, 0],
  ]);
  const low = registers.read(VirtioRegister.DEVICE_FEATURES);
  writeAll(registers, [[VirtioRegister.DEVICE_FEATURES_SEL, 1]]);
  const high = registers.read(VirtioRegister.DEVICE_FEATURES);
  assert.is(registers.device.setWindow(WINDOW.offset, WINDOW.length), 0);
  writeAll(registers, [
    [VirtioRegister.DRIVER_FEATURES_SEL, 1],
    [VirtioRegister.DRIVER_FEATURES, high],
    [VirtioRegister.DRIVER_FEATURES_SEL, 0],
    [VirtioRegister.DRIVER_FEATURES, low | 0],
    [VirtioRegister.STATUS, ACKNOWLEDGE | DRIVER | FEATURES_OK],
    [VirtioRegister.QUEUE_SEL, 0],
    [VirtioRegister.QUEUE_NUM, 64],
    [VirtioRegister.QUEUE_DESC_LOW, PLACE.desc],
    [VirtioRegister.QUEUE_DESC_HIGH, 0],
    [VirtioRegister.QUEUE_AVAIL_LOW, PLACE.avail],
    [VirtioRegister.QUEUE_AVAIL_HIGH, 0],
    [VirtioRegister.QUEUE_USED_LOW, PLACE.used],
    [VirtioRegister.QUEUE_USED_HIGH, 0],
    [VirtioRegister.QUEUE_READY, 1],
    [VirtioRegister.STATUS, ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK],
  ]);
}

test("what the device is", () => {
  const { registers } = makeRegisters();
  assert.is(registers.read(VirtioRegister.MAGIC_VALUE), VIRTIO_MMIO_MAGIC);
  assert.is(registers.read(VirtioRegister.VERSION), 2);
  assert.is(registers.read(VirtioRegister.DEVICE_ID), VIRTIO_ID_BLOCK);
  assert.is(registers.read(VirtioRegister.QUEUE_NUM_MAX), VIRTQUEUE_SIZE_MAX);
  assert.is(registers.write(VirtioRegister.QUEUE_SEL, 1), 0);
  assert.is(registers.read(VirtioRegister.QUEUE_NUM_MAX), 0, "there is one queue");
});

test("a driver's way from reset to DRIVER_OK, twice", () => {
  const { registers, device, service } = makeRegisters();
  start(registers);
  assert.is(registers.read(VirtioRegister.QUEUE_READY), 1);
  assert.is(registers.read(VirtioRegister.STATUS), 15);
  assert.is(device.getDriverFeatures(), device.getDeviceFeatures());
  const [setup] = service.starts;
  assert.is(setup?.size, 64);
  assert.is(setup?.descOffset, PLACE.desc);
  assert.is(setup?.availOffset, PLACE.avail);
  assert.is(setup?.usedOffset, PLACE.used);
  service.take();
  writeAll(registers, [[VirtioRegister.QUEUE_NOTIFY, 0]]);
  assert.equal(service.take(), ["kick"]);
  assert.is(registers.write(VirtioRegister.QUEUE_NOTIFY, 1), -Errno.EINVAL, "no such queue");
  service.waitResult = 1;
  assert.is(registers.read(VirtioRegister.INTERRUPT_STATUS), VirtioInterrupt.VRING);
  service.waitResult = -Errno.ETIME;
  writeAll(registers, [[VirtioRegister.INTERRUPT_ACK, VirtioInterrupt.VRING]]);
  assert.is(registers.read(VirtioRegister.INTERRUPT_STATUS), 0);
  writeAll(registers, [[VirtioRegister.STATUS, 0]]);
  assert.is(registers.read(VirtioRegister.STATUS), 0);
  assert.is(registers.read(VirtioRegister.QUEUE_READY), 0);
});

test("addresses above 4 GiB are kept whole, and lie outside every window", () => {
  const { registers, device } = makeRegisters();
  device.setWindow(WINDOW.offset, WINDOW.length);
  writeAll(registers, [
    [VirtioRegister.QUEUE_NUM, 64],
    [VirtioRegister.QUEUE_DESC_LOW, PLACE.desc],
    [VirtioRegister.QUEUE_AVAIL_LOW, PLACE.avail],
    [VirtioRegister.QUEUE_USED_LOW, PLACE.used],
    [VirtioRegister.QUEUE_DESC_HIGH, 1],
  ]);
  assert.is(device.queue.addresses.desc, 2 ** 32 + PLACE.desc);
  assert.is(registers.write(VirtioRegister.QUEUE_READY, 1), -Errno.EFAULT);
  writeAll(registers, [[VirtioRegister.QUEUE_DESC_HIGH, -1]]);
  assert.is(registers.write(VirtioRegister.QUEUE_READY, 1), -Errno.EFAULT);
  writeAll(registers, [
    [VirtioRegister.QUEUE_DESC_HIGH, 0],
    [VirtioRegister.QUEUE_DESC_LOW, PLACE.desc],
    [VirtioRegister.QUEUE_READY, 1],
  ]);
});

test("features above 63 do not exist", () => {
  const { registers } = makeRegisters();
  writeAll(registers, [
    [VirtioRegister.DEVICE_FEATURES_SEL, 2],
    [VirtioRegister.DRIVER_FEATURES_SEL, 2],
    [VirtioRegister.DRIVER_FEATURES, 0],
  ]);
  assert.is(registers.read(VirtioRegister.DEVICE_FEATURES), 0);
  assert.is(registers.write(VirtioRegister.DRIVER_FEATURES, 1), -Errno.EINVAL);
});

test("configuration by words and by any byte", () => {
  const { registers, device } = makeRegisters();
  const at = VirtioRegister.CONFIG;
  assert.is(registers.read(at + VirtioBlkConfig.CAPACITY), DISK_BYTES / 512);
  assert.is(registers.read(at + VirtioBlkConfig.CAPACITY + 4), 0);
  assert.is(registers.read(at + VirtioBlkConfig.BLK_SIZE), 512);
  const config = new Uint8Array(64);
  device.getConfig(0, config);
  const view = new DataView(config.buffer);
  for (let offset = 0; offset <= 60; offset++) {
    assert.is(registers.read(at + offset), view.getUint32(offset, true), `byte ${offset}`);
  }
  for (const beyond of [VirtioBlkConfig.SIZE, 4096, 0x7fff_ffff, 0xffff_ffff - at]) {
    assert.is(registers.read(at + beyond), 0);
  }
  assert.is(registers.write(at + VirtioBlkConfig.WCE, 1), -Errno.EINVAL, "nothing to write");
});

test("registers that do not exist, or are not aligned, or are for the other direction", () => {
  const { registers } = makeRegisters();
  const readable = new Set<number>([
    VirtioRegister.MAGIC_VALUE,
    VirtioRegister.VERSION,
    VirtioRegister.DEVICE_ID,
    VirtioRegister.VENDOR_ID,
    VirtioRegister.DEVICE_FEATURES,
    VirtioRegister.QUEUE_NUM_MAX,
  ]);
  const writable = new Set<number>([
    VirtioRegister.DEVICE_FEATURES_SEL,
    VirtioRegister.DRIVER_FEATURES_SEL,
    VirtioRegister.DRIVER_FEATURES,
    VirtioRegister.QUEUE_SEL,
    VirtioRegister.QUEUE_NUM,
    VirtioRegister.QUEUE_READY,
    VirtioRegister.QUEUE_NOTIFY,
    VirtioRegister.INTERRUPT_ACK,
    VirtioRegister.STATUS,
    VirtioRegister.QUEUE_DESC_LOW,
    VirtioRegister.QUEUE_DESC_HIGH,
    VirtioRegister.QUEUE_AVAIL_LOW,
    VirtioRegister.QUEUE_AVAIL_HIGH,
    VirtioRegister.QUEUE_USED_LOW,
    VirtioRegister.QUEUE_USED_HIGH,
  ]);
  for (let register = 0; register < VirtioRegister.CONFIG; register++) {
    if (!readable.has(register)) assert.is(registers.read(register), 0);
    if (!writable.has(register)) assert.is(registers.write(register, 0), -Errno.EINVAL);
  }
  for (const register of [-1, -4096, 0.5, Number.NaN, Infinity]) {
    assert.is(registers.read(register), 0);
    assert.is(registers.write(register, 1), -Errno.EINVAL);
  }
});

test("random writes: an errno or 0, never an exception, and never a service without a queue", () => {
  const register = fc.oneof(fc.constantFrom(...Object.values(VirtioRegister)), fc.nat(0x140));
  const value = fc.oneof(fc.constantFrom(0, 1, 3, 15, 11, 64, 128, 0x10000), fc.integer());
  fc.assert(
    fc.property(fc.array(fc.tuple(register, value), { maxLength: 80 }), (writes) => {
      const { registers, device, service } = makeRegisters();
      device.setWindow(WINDOW.offset, WINDOW.length);
      for (const [at, word] of writes) {
        const result = registers.write(Number(at), word);
        assert.ok(Number.isInteger(result) && result <= 0 && result > -4096);
        const answer = registers.read(Number(at));
        assert.ok(Number.isInteger(answer) && answer >= 0 && answer <= 0xffff_ffff);
      }
      for (const { size, descOffset, availOffset, usedOffset } of service.starts) {
        assert.ok(size >= 1 && size <= VIRTQUEUE_SIZE_MAX);
        for (const offset of [descOffset, availOffset, usedOffset]) {
          assert.ok(offset >= WINDOW.offset && offset < WINDOW.offset + WINDOW.length);
        }
      }
    }),
    { numRuns: 500 },
  );
});

test.run();
