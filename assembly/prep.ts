/**
 * One function per opcode that a policy can allow: each fills a whole SQE (all 64 bytes, so that nothing of the last
 * use remains) for a granted slot. Names and parameter order follow liburing's io_uring_prep_*.
 */
import { Op, Sqe, SqeFlag } from "./abi";
import { guestAddress } from "./arena";

// @ts-ignore: decorator
@inline
function prep(sqe: usize, op: Op, slot: i32, offset: u64, address: u64, length: u32, userData: u64): void {
  // opcode, flags, ioprio and fd are one 64-bit word.
  store<u64>(sqe, <u64>op | (<u64>SqeFlag.FIXED_FILE << 8) | (<u64>(<u32>slot) << 32));
  store<u64>(sqe, offset, Sqe.OFF);
  store<u64>(sqe, address, Sqe.ADDR);
  store<u64>(sqe, <u64>length, Sqe.LEN); // and op_flags, 0
  store<u64>(sqe, userData, Sqe.USER_DATA);
  store<u64>(sqe, 0, Sqe.BUF_INDEX); // and personality, splice_fd_in
  store<u64>(sqe, 0, Sqe.ADDR3);
  store<u64>(sqe, 0, Sqe.PAD2);
}

/** pread(2) into the arena. `offset` u64.MAX_VALUE reads at the file's position (streams). */
// @ts-ignore: decorator
@inline
export function prepReadFixed(sqe: usize, slot: i32, buffer: usize, length: u32, offset: u64, userData: u64): void {
  prep(sqe, Op.READ_FIXED, slot, offset, guestAddress(buffer), length, userData);
}

/** pwrite(2) from the arena. */
// @ts-ignore: decorator
@inline
export function prepWriteFixed(sqe: usize, slot: i32, buffer: usize, length: u32, offset: u64, userData: u64): void {
  prep(sqe, Op.WRITE_FIXED, slot, offset, guestAddress(buffer), length, userData);
}

/** fsync(2), or fdatasync(2) with Fsync.DATASYNC. */
// @ts-ignore: decorator
@inline
export function prepFsync(sqe: usize, slot: i32, fsyncFlags: u32, userData: u64): void {
  prep(sqe, Op.FSYNC, slot, 0, 0, 0, userData);
  store<u32>(sqe, fsyncFlags, Sqe.OP_FLAGS);
}

/** sync_file_range(2). */
// @ts-ignore: decorator
@inline
export function prepSyncFileRange(sqe: usize, slot: i32, length: u32, offset: u64, flags: u32, userData: u64): void {
  prep(sqe, Op.SYNC_FILE_RANGE, slot, offset, 0, length, userData);
  store<u32>(sqe, flags, Sqe.OP_FLAGS);
}

/** posix_fadvise(2). */
// @ts-ignore: decorator
@inline
export function prepFadvise(sqe: usize, slot: i32, offset: u64, length: u32, advice: u32, userData: u64): void {
  prep(sqe, Op.FADVISE, slot, offset, 0, length, userData);
  store<u32>(sqe, advice, Sqe.OP_FLAGS);
}

/** fallocate(2); the kernel takes the length in `addr`. */
// @ts-ignore: decorator
@inline
export function prepFallocate(sqe: usize, slot: i32, mode: u32, offset: u64, length: u64, userData: u64): void {
  prep(sqe, Op.FALLOCATE, slot, offset, length, mode, userData);
}

/** ftruncate(2), 6.9. */
// @ts-ignore: decorator
@inline
export function prepFtruncate(sqe: usize, slot: i32, length: u64, userData: u64): void {
  prep(sqe, Op.FTRUNCATE, slot, length, 0, 0, userData);
}

/** One-shot poll(2). */
// @ts-ignore: decorator
@inline
export function prepPollAdd(sqe: usize, slot: i32, pollMask: u32, userData: u64): void {
  prep(sqe, Op.POLL_ADD, slot, 0, 0, 0, userData);
  store<u32>(sqe, pollMask, Sqe.OP_FLAGS);
}

/** Ends the poll whose user_data is `target`. */
// @ts-ignore: decorator
@inline
export function prepPollRemove(sqe: usize, target: u64, userData: u64): void {
  prep(sqe, Op.POLL_REMOVE, -1, 0, target, 0, userData);
}

/** Cancels operations of this ring by user_data, or by AsyncCancel flags. */
// @ts-ignore: decorator
@inline
export function prepCancel(sqe: usize, slot: i32, target: u64, cancelFlags: u32, userData: u64): void {
  prep(sqe, Op.ASYNC_CANCEL, slot, 0, target, 0, userData);
  store<u32>(sqe, cancelFlags, Sqe.OP_FLAGS);
}

/** shutdown(2). */
// @ts-ignore: decorator
@inline
export function prepShutdown(sqe: usize, slot: i32, how: u32, userData: u64): void {
  prep(sqe, Op.SHUTDOWN, slot, 0, 0, how, userData);
}
