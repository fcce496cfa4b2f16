/**
 * Makes the host's ring of the `mirrored` engine ready: files, the arena as buffer 0 at its real
 * address, io-wq caps, restrictions (the engine vets every SQE itself; should it err, the kernel
 * still refuses), enable, self-test. Every return code is checked and a failure undoes everything.
 */
import { EnterFlag, Errno, Op } from "../../abi";
import { errnoName, WasmUringError } from "../../errors";
import { confine } from "../confine";
import type { EngineContext } from "../engine";
import { capIoWorkers, enableRing, registerFiles } from "../register";
import { registerBuffer, registerError } from "../relocate";
import { SQE_WORDS, SqeWord } from "../sqe-word";
import { HostRing } from "./host-ring";

function selfTestError(why: string): WasmUringError {
  return new WasmUringError("ERR_SELF_TEST", {
    what: "checking that the kernel enforces the allowlist on the host's ring",
    why,
    likelyCause: "a kernel whose restrictions work otherwise than those of 5.10 to 6.18",
    whatToDo: "use the emulated engine, and report the kernel's version",
  });
}

/** A denied opcode, and an allowed one without FIXED_FILE: both must come back with EACCES. */
function selfTest(context: EngineContext, ring: HostRing): void {
  const opcodes = [Op.MADVISE, context.plan.policy.opcodes[0] ?? Op.NOP];
  // One at a time: a ring of one entry has room for no more.
  for (const opcode of opcodes) {
    const at = ring.sqeAt(0);
    ring.sqes.fill(0, at, at + SQE_WORDS);
    ring.sqes[at] = opcode;
    ring.sqes[at + SqeWord.FD] = -1;
    ring.publish(1);
    const result = context.syscalls.ioUringEnter(ring.fd, 1, 0, EnterFlag.GETEVENTS, 0, 0);
    if (result !== 1) {
      throw selfTestError(
        result < 0 ? `io_uring_enter: ${errnoName(-result)}` : `${result} SQEs were taken`,
      );
    }
    const answer = ring.takeResult();
    if (answer === -Errno.EACCES) continue;
    const what = opcode === Op.MADVISE ? "MADVISE" : `${Op[opcode]} without FIXED_FILE`;
    throw selfTestError(
      `${what} came back with ${answer === undefined ? "nothing" : answer}, not EACCES`,
    );
  }
}

function prepareRing(context: EngineContext, ring: HostRing): void {
  const { syscalls, request, plan, memory } = context;
  registerFiles(syscalls, ring.fd, plan.slots);
  const arena = memory.baseAddress(syscalls) + BigInt(request.arenaOffset);
  const registered = registerBuffer(syscalls, ring.fd, arena, request.arenaLength);
  if (registered < 0) throw registerError(syscalls, -registered, request.arenaLength);
  capIoWorkers(syscalls, ring.fd, plan.ioWorkersMax);
  confine(context, ring.fd);
  enableRing(syscalls, ring.fd);
  selfTest(context, ring);
}

/**
 * @returns the enabled ring, or the errno with which the kernel refused to make one
 * @throws WasmUringError when a later step fails; nothing is left behind
 */
export function startHostRing(context: EngineContext): HostRing | number {
  const ring = HostRing.create(context.syscalls, context.request);
  if (typeof ring === "number") return ring;
  try {
    prepareRing(context, ring);
    return ring;
  } catch (error) {
    context.syscalls.close(ring.fd);
    ring.unmap();
    throw error;
  }
}
