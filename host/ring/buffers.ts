/**
 * The table of a ring's fixed buffers: ARENAS_MAX places, of which the first is the arena of the set-up request and the
 * others are filled while the guest runs. One update call fills either.
 */
import {
  ARENAS_MAX,
  Errno,
  IoVec,
  Register,
  RSRC_REGISTER_SPARSE,
  RsrcRegister,
  RsrcUpdate2,
} from "../abi";
import { errnoName, WasmUringError } from "../errors";
import type { Syscalls } from "../ffi/syscalls";

/**
 * An empty table (BUFFERS2 with SPARSE, 5.19).
 *
 * @throws WasmUringError ERR_SETUP
 */
export function registerBufferTable(syscalls: Syscalls, ringFd: number): void {
  const table = new DataView(new ArrayBuffer(RsrcRegister.SIZE));
  table.setUint32(RsrcRegister.NR, ARENAS_MAX, true);
  table.setUint32(RsrcRegister.FLAGS, RSRC_REGISTER_SPARSE, true);
  const bytes = new Uint8Array(table.buffer);
  const made = syscalls.ioUringRegister(ringFd, Register.BUFFERS2, bytes, RsrcRegister.SIZE);
  if (made >= 0) return;
  throw new WasmUringError("ERR_SETUP", {
    what: `registering a sparse table of ${ARENAS_MAX} buffers`,
    why: errnoName(-made),
    likelyCause: "a kernel before 5.19",
    whatToDo: "see `wasm-uring probe`, or use the emulated engine",
    syscall: "io_uring_register",
    errno: -made,
  });
}

/**
 * Pins [address, address + length) as buffer `index`, known to the kernel by that address.
 *
 * @returns 0 or a negated errno
 */
export function registerBuffer(
  syscalls: Syscalls,
  ringFd: number,
  index: number,
  address: bigint,
  length: number,
): number {
  // The vector lies behind the structure in the one buffer that the call itself keeps alive.
  const update = new DataView(new ArrayBuffer(RsrcUpdate2.SIZE + IoVec.SIZE));
  update.setUint32(RsrcUpdate2.OFFSET, index, true);
  update.setUint32(RsrcUpdate2.NR, 1, true);
  const vector = syscalls.addressOf(update) + BigInt(RsrcUpdate2.SIZE);
  update.setBigUint64(RsrcUpdate2.DATA, vector, true);
  update.setBigUint64(RsrcUpdate2.SIZE + IoVec.BASE, address, true);
  update.setBigUint64(RsrcUpdate2.SIZE + IoVec.LEN, BigInt(length), true);
  const bytes = new Uint8Array(update.buffer);
  const done = syscalls.ioUringRegister(ringFd, Register.BUFFERS_UPDATE, bytes, RsrcUpdate2.SIZE);
  if (done === 1) return 0;
  return done < 0 ? done : -Errno.EIO;
}
