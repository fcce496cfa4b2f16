/**
 * The register calls of set-up and teardown, each with its structure filled and its return code turned into an error:
 * a failed call that goes unnoticed is a hole (a failed RESTRICTIONS followed by ENABLE_RINGS is an unrestricted
 * ring, kernel-facts 0.6). Shared by the engines that own a kernel ring.
 */
import {
  AsyncCancel,
  FILE_SLOTS,
  OP_SUPPORTED,
  Probe,
  ProbeOp,
  Register,
  RSRC_REGISTER_SPARSE,
  RsrcRegister,
  SyncCancelReg,
} from "../abi";
import { errnoName, WasmUringError } from "../errors";
import type { Syscalls } from "../ffi/syscalls";
import type { GrantSlot } from "./engine";
import { filesUpdate } from "./files";

function fail(what: string, errno: number, likelyCause: string): WasmUringError {
  return new WasmUringError("ERR_SETUP", {
    what,
    why: errnoName(errno),
    likelyCause,
    whatToDo: "see `wasm-uring probe`, or use the emulated engine",
    syscall: "io_uring_register",
    errno,
  });
}

/** A sparse table of FILE_SLOTS slots (FILES2, 5.19), then the grants into their slots. */
export function registerFiles(
  syscalls: Syscalls,
  ringFd: number,
  slots: readonly GrantSlot[],
): void {
  const table = new DataView(new ArrayBuffer(RsrcRegister.SIZE));
  table.setUint32(RsrcRegister.NR, FILE_SLOTS, true);
  table.setUint32(RsrcRegister.FLAGS, RSRC_REGISTER_SPARSE, true);
  const bytes = new Uint8Array(table.buffer);
  const made = syscalls.ioUringRegister(ringFd, Register.FILES2, bytes, RsrcRegister.SIZE);
  if (made < 0) {
    throw fail(
      `registering a sparse table of ${FILE_SLOTS} files`,
      -made,
      "a kernel before 5.19, or RLIMIT_NOFILE below 64",
    );
  }
  for (const grant of slots) updateFile(syscalls, ringFd, grant.slot, grant.fd, grant.name);
}

/**
 * Puts one descriptor into a slot.
 *
 * @throws WasmUringError ERR_SETUP
 */
export function updateFile(
  syscalls: Syscalls,
  ringFd: number,
  slot: number,
  fd: number,
  name: string,
): void {
  const bytes = filesUpdate(syscalls, slot, fd);
  const done = syscalls.ioUringRegister(ringFd, Register.FILES_UPDATE, bytes, 1);
  if (done !== 1) {
    throw fail(
      `putting grant "${name}" into slot ${slot}`,
      done < 0 ? -done : 5,
      "the descriptor is closed, or an io_uring",
    );
  }
}

/** The opcodes this kernel knows. */
export function probeOpcodes(syscalls: Syscalls, ringFd: number): ReadonlySet<number> {
  const bytes = new Uint8Array(Probe.SIZE + 256 * ProbeOp.SIZE);
  const result = syscalls.ioUringRegister(ringFd, Register.PROBE, bytes, 256);
  if (result < 0) throw fail("probing the kernel's opcodes", -result, "a kernel before 5.6");
  const view = new DataView(bytes.buffer);
  const known = new Set<number>();
  for (let index = 0; index < view.getUint8(Probe.OPS_LEN); index++) {
    const entry = Probe.OPS + index * ProbeOp.SIZE;
    if ((view.getUint16(entry + ProbeOp.FLAGS, true) & OP_SUPPORTED) !== 0) {
      known.add(view.getUint8(entry + ProbeOp.OP));
    }
  }
  return known;
}

/** Any free index of the thread's registered rings. */
const ANY_INDEX = 0xffffffff;

function rsrcUpdate(offset: number, data: bigint): DataView {
  const update = new DataView(new ArrayBuffer(16)); // struct io_uring_rsrc_update
  update.setUint32(0, offset, true);
  update.setBigUint64(8, data, true);
  return update;
}

/**
 * IORING_REGISTER_RING_FDS (5.18): saves a descriptor look-up per enter. The index belongs to this thread, which has
 * 16, and keeps the ring alive after its descriptor is closed: take it back with `unregisterRingFd`.
 *
 * @returns the index, -1 when the kernel does not know the call or none is free
 */
export function registerRingFd(syscalls: Syscalls, ringFd: number): number {
  const update = rsrcUpdate(ANY_INDEX, BigInt(ringFd));
  const bytes = new Uint8Array(update.buffer);
  return syscalls.ioUringRegister(ringFd, Register.RING_FDS, bytes, 1) === 1
    ? update.getUint32(0, true)
    : -1;
}

/** Undoes `registerRingFd`, on the same thread; nothing for -1. The end of a thread does it as well. */
export function unregisterRingFd(syscalls: Syscalls, ringFd: number, index: number): void {
  if (index < 0) return;
  const bytes = new Uint8Array(rsrcUpdate(index, 0n).buffer);
  syscalls.ioUringRegister(ringFd, Register.UNREGISTER_RING_FDS, bytes, 1);
}

export function registerEventfd(syscalls: Syscalls, ringFd: number, eventFd: number): void {
  const bytes = new Uint8Array(new Int32Array([eventFd]).buffer);
  const result = syscalls.ioUringRegister(ringFd, Register.EVENTFD, bytes, 1);
  if (result < 0)
    throw fail(`registering eventfd ${eventFd}`, -result, "the descriptor is not an eventfd");
}

/** Nothing when none is registered. */
export function unregisterEventfd(syscalls: Syscalls, ringFd: number): void {
  syscalls.ioUringRegister(ringFd, Register.UNREGISTER_EVENTFD, null, 0);
}

/** Caps the bounded and unbounded io-wq workers (5.15). */
export function capIoWorkers(
  syscalls: Syscalls,
  ringFd: number,
  caps: readonly [number, number],
): void {
  const bytes = new Uint8Array(new Uint32Array(caps).buffer);
  const result = syscalls.ioUringRegister(ringFd, Register.IOWQ_MAX_WORKERS, bytes, 2);
  if (result < 0)
    throw fail(`capping io-wq at ${caps.join("/")} workers`, -result, "a kernel before 5.15");
}

export function registerRestrictions(
  syscalls: Syscalls,
  ringFd: number,
  entries: Uint8Array,
  count: number,
): void {
  const result = syscalls.ioUringRegister(ringFd, Register.RESTRICTIONS, entries, count);
  if (result < 0) throw fail(`installing ${count} restrictions`, -result, "a kernel before 5.10");
}

export function enableRing(syscalls: Syscalls, ringFd: number): void {
  const result = syscalls.ioUringRegister(ringFd, Register.ENABLE_RINGS, null, 0);
  if (result < 0) throw fail("enabling the ring", -result, "the ring was not created disabled");
}

/**
 * Gives the arena's pages back at once. Closing does so too, but later, in a worker of the kernel: until then they
 * count against RLIMIT_MEMLOCK, and the next guest of this user may find no room. Before 6.13 the call waits for
 * what uses the buffer, so cancel first.
 */
export function unregisterBuffers(syscalls: Syscalls, ringFd: number): void {
  syscalls.ioUringRegister(ringFd, Register.UNREGISTER_BUFFERS, null, 0);
}

/**
 * Cancels everything that is in flight (6.0). The call does not wait for all of it: repeat it until it finds nothing.
 *
 * @returns how many operations it found, or a negated errno
 */
export function cancelAll(syscalls: Syscalls, ringFd: number, timeoutMs: number): number {
  const request = new DataView(new ArrayBuffer(SyncCancelReg.SIZE));
  request.setInt32(SyncCancelReg.FD, -1, true);
  request.setUint32(SyncCancelReg.FLAGS, AsyncCancel.ALL | AsyncCancel.ANY, true);
  request.setBigInt64(SyncCancelReg.TIMEOUT_TV_SEC, BigInt(Math.floor(timeoutMs / 1000)), true);
  request.setBigInt64(SyncCancelReg.TIMEOUT_TV_NSEC, BigInt((timeoutMs % 1000) * 1_000_000), true);
  const bytes = new Uint8Array(request.buffer);
  return syscalls.ioUringRegister(ringFd, Register.SYNC_CANCEL, bytes, 1);
}
