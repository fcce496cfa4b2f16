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

const TRIES = 2000;

function selfTestError(why: string): WasmUringError {
  return new WasmUringError("ERR_SELF_TEST", {
    what: "checking that the kernel enforces the allowlist on the new ring",
    why,
    likelyCause: "a kernel whose restrictions work otherwise than those of 5.10 to 6.18",
    whatToDo: "use the mirrored or the emulated engine, and report the kernel's version",
  });
}

/** Publishes one SQE: a ring of one entry has room for no more. */
function writeSqe(memory: GuestMemory, layout: RingLayout, opcode: number, address: bigint): void {
  const { view, words } = memory;
  const tail = Atomics.load(words, layout.sqTail >>> 2);
  const slot = tail & (layout.sqEntries - 1);
  const sqe = layout.sqes + slot * Sqe.SIZE;
  memory.bytes.fill(0, sqe, sqe + Sqe.SIZE);
  view.setUint8(sqe + Sqe.OPCODE, opcode);
  view.setInt32(sqe + Sqe.FD, -1, true);
  view.setBigUint64(sqe + Sqe.ADDR, address, true);
  if (layout.sqArray !== 0) view.setUint32(layout.sqArray + slot * 4, slot, true);
  // Pairs with the kernel's acquire load of the SQ tail.
  Atomics.store(words, layout.sqTail >>> 2, tail + 1);
}

/** Has the one published SQE consumed and takes its CQE; undefined when none comes. */
function answer(
  syscalls: Syscalls,
  ringFd: number,
  memory: GuestMemory,
  layout: RingLayout,
): number | undefined {
  const { words } = memory;
  const head = Atomics.load(words, layout.cqHead >>> 2);
  // Under SQPOLL the thread consumes it by itself; waking is harmless. Bounded tries: never wait without end.
  const flags = EnterFlag.GETEVENTS | EnterFlag.SQ_WAKEUP;
  let submitted = false;
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const result = syscalls.ioUringEnter(ringFd, submitted ? 0 : 1, 0, flags, 0, 0);
    submitted ||= result > 0;
    if (result < 0 && result !== -Errno.EINTR)
      throw selfTestError(`io_uring_enter: ${errnoName(-result)}`);
    // Pairs with the kernel's store-release of the CQ tail.
    if (Atomics.load(words, layout.cqTail >>> 2) !== head) {
      const cqe = layout.cqes + (head & (layout.cqEntries - 1)) * Cqe.SIZE;
      const found = memory.view.getInt32(cqe + Cqe.RES, true);
      Atomics.store(words, layout.cqHead >>> 2, head + 1);
      return found;
    }
    if (attempt > 8) Atomics.wait(pause, 0, 0, 1);
  }
  return undefined;
}

const pause = new Int32Array(new SharedArrayBuffer(4));

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
  const tests = [
    { what: "MADVISE", opcode: Op.MADVISE, address: 0n },
    { what: `${Op[opcode]} without FIXED_FILE`, opcode, address: BigInt(GUEST_ADDRESS_BASE) },
  ];
  for (const test of tests) {
    writeSqe(memory, layout, test.opcode, test.address);
    const result = answer(syscalls, ringFd, memory, layout);
    if (result === undefined) throw selfTestError(`${test.what} was never answered`);
    if (result === -Errno.EACCES) continue;
    const name = result < 0 ? errnoName(-result) : `result ${result}`;
    throw selfTestError(`${test.what} came back with ${name} instead of EACCES`);
  }
}
