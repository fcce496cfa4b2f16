/**
 * Opening the file behind a disk, on the embedder's side and once: vetted as a grant is, because what may not be
 * granted may not be a disk either, and of a size that a disk can have.
 */
import { type Stats, statSync } from "node:fs";
import { GrantKind, VIRTIO_BLK_SECTOR_BYTES } from "../abi";
import { WasmUringError } from "../errors";
import type { Syscalls } from "../ffi/syscalls";
import { type GrantSlot, type OpenedGrants, openGrants, type PathGrant } from "../grant";
import { badDevice, describeDevice } from "./check";
import type { DeviceRequest } from "./options";

export type FileRequest = Extract<DeviceRequest, { file: string }>;

const MAKE_ONE = "make one: truncate -s 1G FILE";

/** How messages begin: `device "disk" by vhost-blk (disk.img, read-only, direct)`. */
export function describeDisk(name: string, request: FileRequest): string {
  const words = [request.file];
  if (request.readOnly === true) words.push("read-only");
  if (request.direct === true) words.push("direct");
  return `${describeDevice(name, request.path)} (${words.join(", ")})`;
}

/** @throws WasmUringError ERR_BAD_OPTION when no disk has this size */
function checkSize(what: string, sizeBytes: number): void {
  if (sizeBytes === 0) throw badDevice(what, "it is empty: a disk without sectors", MAKE_ONE);
  if (sizeBytes % VIRTIO_BLK_SECTOR_BYTES === 0) return;
  const whole = Math.ceil(sizeBytes / VIRTIO_BLK_SECTOR_BYTES) * VIRTIO_BLK_SECTOR_BYTES;
  throw badDevice(
    what,
    `its ${sizeBytes} bytes are not whole sectors of ${VIRTIO_BLK_SECTOR_BYTES} bytes`,
    `make it larger: truncate -s ${whole} FILE`,
  );
}

/** null when it is not to be looked at: opening it tells why. */
function statusOf(path: string): Stats | null | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    return null;
  }
}

/**
 * A device as a grant of the same file. A disk is there before it is used: granting would create a missing file.
 *
 * @throws WasmUringError ERR_BAD_OPTION
 */
export function grantOf(name: string, request: FileRequest): PathGrant {
  const what = describeDisk(name, request);
  const status = statusOf(request.file);
  if (status === undefined) {
    throw badDevice(what, "there is no such file (ENOENT)", MAKE_ONE);
  }
  if (status?.isDirectory() === true) {
    throw badDevice(what, "it is a directory", "name a file in it, or a block device");
  }
  if (status?.isFile() === true) checkSize(what, status.size);
  return {
    path: request.file,
    access: request.readOnly === true ? "read" : "read-write",
    ...(request.direct === undefined ? {} : { direct: request.direct }),
  };
}

/** Whether what was opened can be a disk. @throws WasmUringError ERR_BAD_OPTION */
export function checkDisk(name: string, request: FileRequest, slot: GrantSlot): void {
  const what = describeDisk(name, request);
  if (slot.kind !== GrantKind.FILE && slot.kind !== GrantKind.BLOCK_DEVICE) {
    throw badDevice(what, "it is neither a regular file nor a block device");
  }
  checkSize(what, slot.sizeBytes);
}

export interface DiskFile {
  slot: GrantSlot;
  close(): void;
}

/**
 * Opens the file for a device that this process serves.
 *
 * @throws WasmUringError ERR_BAD_OPTION or ERR_BAD_GRANT, naming device, path and file; nothing is left open then
 */
export function openDisk(name: string, request: FileRequest, syscalls: Syscalls): DiskFile {
  const grant = grantOf(name, request);
  let opened: OpenedGrants;
  try {
    opened = openGrants({ [name]: grant }, syscalls);
  } catch (error) {
    if (!(error instanceof WasmUringError)) throw error;
    throw new WasmUringError(error.code, { ...error.detail, what: describeDisk(name, request) });
  }
  try {
    const [slot] = opened.slots;
    if (slot === undefined) throw badDevice(describeDisk(name, request), "it was not opened");
    checkDisk(name, request, slot);
    return { slot, close: () => opened.close() };
  } catch (error) {
    opened.close();
    throw error;
  }
}
