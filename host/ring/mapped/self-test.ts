/**
 * Proves the allowlist on the ring itself before the guest gets it (design D4): the host submits one opcode that no
 * policy allows and one allowed opcode without FIXED_FILE, and goes on only if the kernel answers -EACCES twice.
 * The guest is inside its set-up call; both harmless even if they were executed (MADV_NORMAL of nothing, a read of no
 * bytes).
 */
import { Cqe, EnterFlag, Errno, GUEST_ADDRESS_BASE, Op, Sqe } from "../../abi";
import { errnoName, WasmUringError } from "../../errors";
import type { Syscalls } from "../../ffi/syscalls";
import type { GuestMemory } from "../../memory/guest-memory";
import type { RingLayout } from "../engine";

const TESTS = 2;
const TRIES = 2000;

function selfTestError(why: string): WasmUringError {
  return new WasmUringError("ERR_SELF_TEST", {
    what: "checking that the kernel enforces the allowlist on the new ring",
    why,
    likelyCause: "a kernel whose restrictions work otherwise than those of 5.10 to 6.18",
    whatToDo: "use the mirrored or the emulated engine, and report the kernel's version",
  });
}

function writeSqes(memory: GuestMemory, layout: RingLayout, opcode: number): void {
  const { view, words } = memory;
  const tail = Atomics.load(words, layout.sqTail >>> 2);
  for (let index = 0; index < TESTS; index++) {
    const slot = (tail + index) & (layout.sqEntries - 1);
    const sqe = layout.sqes + slot * Sqe.SIZE;
    memory.bytes.fill(0, sqe, sqe + Sqe.SIZE);
    view.setUint8(sqe + Sqe.OPCODE, index === 0 ? Op.MADVISE : opcode);
    view.setInt32(sqe + Sqe.FD, -1, true);
    view.setBigUint64(sqe + Sqe.ADDR, index === 0 ? 0n : BigInt(GUEST_ADDRESS_BASE), true);
    view.setUint32(sqe + Sqe.USER_DATA, index, true);
    if (layout.sqArray !== 0) view.setUint32(layout.sqArray + slot * 4, slot, true);
  }
  // Pairs with the kernel's acquire load of the SQ tail.
  Atomics.store(words, layout.sqTail >>> 2, tail + TESTS);
}

/**
 * @param opcode an opcode that the policy allows
 * @throws WasmUringError ERR_SELF_TEST
 */
export function selfTest(
  syscalls: Syscalls,
  ringFd: number,
  memory: GuestMemory,
  layout: RingLayout,
  opcode: number,
): void {
  const head = Atomics.load(memory.words, layout.cqHead >>> 2);
  writeSqes(memory, layout, opcode);
  // Under SQPOLL the thread consumes them by itself; waking is harmless. Bounded tries: never wait without end.
  const flags = EnterFlag.GETEVENTS | EnterFlag.SQ_WAKEUP;
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const toSubmit = attempt === 0 ? TESTS : 0;
    const result = syscalls.ioUringEnter(ringFd, toSubmit, 0, flags, 0, 0);
    if (result < 0 && result !== -Errno.EINTR) throw selfTestError(`io_uring_enter: ${errnoName(-result)}`);
    if (Atomics.load(memory.words, layout.cqTail >>> 2) - head >= TESTS) break;
    if (attempt > 8) Atomics.wait(pause, 0, 0, 1);
  }
  const posted = Atomics.load(memory.words, layout.cqTail >>> 2) - head;
  if (posted !== TESTS) throw selfTestError(`${posted} of ${TESTS} denied operations were answered`);
  for (let index = 0; index < TESTS; index++) {
    const slot = (head + index) & (layout.cqEntries - 1);
    const result = memory.view.getInt32(layout.cqes + slot * Cqe.SIZE + Cqe.RES, true);
    const what = index === 0 ? "MADVISE" : `${Op[opcode]} without FIXED_FILE`;
    if (result !== -Errno.EACCES) {
      const answer = result < 0 ? errnoName(-result) : `result ${result}`;
      throw selfTestError(`${what} came back with ${answer} instead of EACCES`);
    }
  }
  Atomics.store(memory.words, layout.cqHead >>> 2, head + TESTS);
}

const pause = new Int32Array(new SharedArrayBuffer(4));
