/**
 * The file table of a ring that is in use: grants made and revoked while the guest runs. FILES_UPDATE changes a
 * slot for what is submitted afterwards; what is in flight on the old file goes on until it is cancelled
 * (kernel-facts 3).
 */
import { AsyncCancel, FilesUpdate, REGISTER_FILES_EMPTY, SyncCancelReg } from "../abi";
import type { Syscalls } from "../ffi/syscalls";
import type { SlotSnapshot } from "../grant/shared-slots";

/** The argument of FILES_UPDATE for one slot; it must stay alive until the call has returned. */
export function filesUpdate(syscalls: Syscalls, slot: number, fd: number): Uint8Array {
  // The descriptor lies behind the structure in the one buffer that the call itself keeps alive.
  const update = new DataView(new ArrayBuffer(FilesUpdate.SIZE + 4));
  update.setInt32(FilesUpdate.SIZE, fd, true);
  update.setUint32(FilesUpdate.OFFSET, slot, true);
  const address = syscalls.addressOf(update) + BigInt(FilesUpdate.SIZE);
  update.setBigUint64(FilesUpdate.FDS, address, true);
  return new Uint8Array(update.buffer);
}

/**
 * The argument of SYNC_CANCEL for everything in flight on one open file. By the host's descriptor: the slot is empty by
 * then, so that nothing new can begin, and the kernel looks for the file that the descriptor means.
 */
export function cancelOnFile(fd: number, timeoutMs: number): Uint8Array {
  const request = new DataView(new ArrayBuffer(SyncCancelReg.SIZE));
  request.setInt32(SyncCancelReg.FD, fd, true);
  request.setUint32(SyncCancelReg.FLAGS, AsyncCancel.ALL | AsyncCancel.FD, true);
  request.setBigInt64(SyncCancelReg.TIMEOUT_TV_SEC, 0n, true);
  request.setBigInt64(SyncCancelReg.TIMEOUT_TV_NSEC, BigInt(timeoutMs) * 1_000_000n, true);
  return new Uint8Array(request.buffer);
}

/** One slot to be written: a descriptor, or REGISTER_FILES_EMPTY. */
export interface SlotChange {
  slot: number;
  fd: number;
}

/** What to write so that a ring that was filled by `before` holds `after`. */
export function slotChanges(before: SlotSnapshot, after: SlotSnapshot): SlotChange[] {
  const changes: SlotChange[] = [];
  after.serials.forEach((serial, slot) => {
    if (serial === before.serials[slot]) return;
    const grant = after.slots.find((candidate) => candidate.slot === slot);
    changes.push({ slot, fd: grant?.fd ?? REGISTER_FILES_EMPTY });
  });
  return changes;
}
