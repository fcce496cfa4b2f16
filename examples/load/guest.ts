/**
 * The load generator: `iodepth` operations in flight on the disk "data" for `runtime` seconds, then
 * one line of JSON. Which path the disk is on, this guest's own ring or one of the virtqueues, is
 * the host's configuration. `wasm-uring bench` runs it; by hand:
 *
 *   wasm-uring run --file data=PATH load.wasm --rw randread --bs 4k --iodepth 32 --runtime 1
 */
import {
  BlockDevice,
  exit,
  openBlockDevice,
  RingBlockDevice,
  VirtioBlockDevice,
} from "../../assembly";
import { virtioWait } from "../../assembly/virtio-host";
import { Load } from "./loop";
import { Options, parseOptions, refuse } from "./options";
import { reportLine } from "./report";

/** Whether any operation failed. */
function measure<Disk extends BlockDevice>(disk: Disk, options: Options): bool {
  const load = new Load<Disk>(disk, options);
  load.run();
  reportLine(
    load.ios,
    load.bytes,
    load.elapsedNs,
    load.cpuNs,
    load.calls,
    load.errors,
    load.firstErrno,
    load.shorts,
    load.histogram,
  );
  return load.errors > 0;
}

function check(disk: BlockDevice, options: Options): void {
  if (options.isWrite && disk.isReadOnly) refuse("the disk does not allow " + options.rw);
  if (disk.capacityBytes < options.bs) refuse("the disk is smaller than one block");
  if (options.bs % disk.blockBytes != 0) {
    refuse("--bs is not a multiple of the disk's blocks, " + disk.blockBytes.toString());
  }
  if (disk.depth < options.iodepth) {
    refuse("the disk has room for no more than --iodepth " + disk.depth.toString());
  }
}

export function _start(): void {
  const options = parseOptions();
  const disk = openBlockDevice("data", options.iodepth, options.bs);
  check(disk, options);
  disk.pollUs = options.pollUs;
  let hasFailed: bool;
  if (disk instanceof RingBlockDevice) {
    const onRing = disk as RingBlockDevice;
    hasFailed = measure<RingBlockDevice>(onRing, options);
    while (options.hold) onRing.ring.submitAndWait(1);
  } else {
    const behindQueue = disk as VirtioBlockDevice;
    hasFailed = measure<VirtioBlockDevice>(behindQueue, options);
    while (options.hold) virtioWait(behindQueue.handle, -1);
  }
  if (hasFailed) exit(1);
}
