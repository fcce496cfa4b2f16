/** What a virtio-blk device says of the disk behind it: its configuration space and its features. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { VirtioBlkConfig, VirtioBlkFeature } from "../../assembly/abi/index";
import { BLK_SEGMENTS_MAX, describeDisk } from "../../host/virtio/blk-config";
import { DISK, DISK_BYTES } from "./blk-driver";
import { makeDevice } from "./fake-service";

const test = suite("blk-config");

test("the configuration says what the disk is", () => {
  const { device } = makeDevice();
  const config = new Uint8Array(VirtioBlkConfig.SIZE);
  device.getConfig(0, config);
  const view = new DataView(config.buffer);
  assert.is(view.getBigUint64(VirtioBlkConfig.CAPACITY, true), BigInt(DISK_BYTES / 512));
  assert.is(view.getUint32(VirtioBlkConfig.SEG_MAX, true), BLK_SEGMENTS_MAX);
  assert.is(view.getUint32(VirtioBlkConfig.BLK_SIZE, true), 512);
  assert.is(view.getUint32(VirtioBlkConfig.MAX_DISCARD_SEG, true), 1);
  assert.is(view.getUint32(VirtioBlkConfig.MAX_WRITE_ZEROES_SEG, true), 1);
  assert.is(view.getUint8(VirtioBlkConfig.WRITE_ZEROES_MAY_UNMAP), 1);
  assert.is(device.blockBytes, 512);
  const beyond = new Uint8Array(8).fill(1);
  device.getConfig(56, beyond);
  assert.equal([...beyond], [1, 0, 0, 0, 0, 0, 0, 0]);
});

test("features follow the disk", () => {
  const offers = (change: object, bit: number) =>
    (describeDisk({ ...DISK, ...change }).features >> BigInt(bit)) & 1n;
  assert.is(offers({}, VirtioBlkFeature.RO), 0n);
  assert.is(offers({}, VirtioBlkFeature.DISCARD), 1n);
  assert.is(offers({ discard: false }, VirtioBlkFeature.DISCARD), 0n);
  assert.is(offers({ writeZeroes: false }, VirtioBlkFeature.WRITE_ZEROES), 0n);
  assert.is(offers({ readOnly: true }, VirtioBlkFeature.RO), 1n);
  assert.is(offers({ readOnly: true }, VirtioBlkFeature.DISCARD), 0n);
  assert.is(offers({}, VirtioBlkFeature.CONFIG_WCE), 0n);
});

test.run();
