/**
 * A disk by its name, on whichever path the host gives it: a virtio device of that name, else the grant of that name on
 * this guest's own ring.
 */
import { Errno } from "../abi";
import { BLOCK_BUFFER_ALIGNMENT, BlockDevice } from "../block";
import { findGrant, Grant } from "../grant";
import { Ring } from "../ring";
import { alignUp } from "../ring-size";
import { exit, printError } from "../wasi/process";
import { RingBlockDevice } from "./ring-block";
import { shareError, shareRing } from "./ring-share";
import { VirtioBlockDevice } from "./virtio-block";

/** Ends the program as tools do for bad usage. */
function refuse(name: string, error: i32): void {
  const isMissing = error == -(<i32>Errno.ENOENT);
  const reason = isMissing ? "the host gave no device and no file of that name" : Errno[-error];
  printError('block device "' + name + '": ' + reason);
  exit(2);
}

/** The virtio device of this name, or null when there is none. */
function findBehindQueue(name: string, depth: u32, bufferBytes: u32): BlockDevice | null {
  const device = new VirtioBlockDevice();
  const error = device.setup(name, depth, bufferBytes);
  if (error == -(<i32>Errno.ENOENT)) return null;
  if (error != 0) refuse(name, error);
  return device;
}

function openOnRing(
  name: string,
  grant: Grant,
  depth: u32,
  bufferBytes: u32,
  ring: Ring | null,
): BlockDevice {
  const device = new RingBlockDevice();
  const error = device.setup(grant, depth, bufferBytes, ring);
  if (error != 0) refuse(name, error);
  return device;
}

/**
 * The disk of this name, or null when the host gave none. Ends the program with exit code 2 and a clear message when
 * there is one that cannot be opened.
 *
 * @param depth requests in flight; the disk's own `depth` tells what it has room for
 * @param bufferBytes of each of `depth` buffers
 * @param ring the guest's ring, if it made one: its arena must have room for the buffers. Without, the first disk on
 *   the passthrough path makes one that fits itself; `openBlockDevices` is for several
 */
export function findBlockDevice(
  name: string,
  depth: u32,
  bufferBytes: u32,
  ring: Ring | null = null,
): BlockDevice | null {
  const device = findBehindQueue(name, depth, bufferBytes);
  if (device !== null) return device;
  const grant = findGrant(name);
  return grant === null ? null : openOnRing(name, grant, depth, bufferBytes, ring);
}

/** Like `findBlockDevice`; ends the program as well when there is no such disk. */
export function openBlockDevice(
  name: string,
  depth: u32,
  bufferBytes: u32,
  ring: Ring | null = null,
): BlockDevice {
  const device = findBlockDevice(name, depth, bufferBytes, ring);
  if (device === null) refuse(name, -(<i32>Errno.ENOENT));
  return device!;
}

/** Opens several disks; those on the passthrough path share one ring, made with room for all of them. */
export function openBlockDevices(names: string[], depth: u32, bufferBytes: u32): BlockDevice[] {
  const devices = new Array<BlockDevice>();
  const grants = new Array<Grant | null>();
  const behindQueue = new Array<BlockDevice | null>();
  let onRing: u32 = 0;
  for (let index = 0; index < names.length; index++) {
    const device = findBehindQueue(names[index], depth, bufferBytes);
    const grant = device === null ? findGrant(names[index]) : null;
    if (device === null && grant === null) refuse(names[index], -(<i32>Errno.ENOENT));
    if (grant !== null) onRing++;
    behindQueue.push(device);
    grants.push(grant);
  }
  let ring: Ring | null = null;
  if (onRing != 0) {
    const arenaBytes = <u64>alignUp(bufferBytes, BLOCK_BUFFER_ALIGNMENT) * depth * onRing;
    if (arenaBytes > <u64>i32.MAX_VALUE) refuse(names[0], -(<i32>Errno.ENOMEM));
    const share = shareRing(null, depth * onRing, <u32>arenaBytes);
    if (share === null) refuse(names[0], shareError);
    ring = share!.ring;
  }
  for (let index = 0; index < names.length; index++) {
    const grant = grants[index];
    const device = behindQueue[index];
    if (device !== null) devices.push(device);
    else devices.push(openOnRing(names[index], grant!, depth, bufferBytes, ring));
  }
  return devices;
}
