/**
 * Makes the host's ring of the `mirrored` engine ready: files, the arena as buffer 0 at its real
 * address, io-wq caps, restrictions (the engine vets every SQE itself; should it err, the kernel
 * still refuses), enable, self-test. Every return code is checked and a failure undoes everything.
 */
import { EnterFlag, Errno, Op, SetupFlag } from "../../abi";
import { errnoName, WasmUringError } from "../../errors";
import { registerBuffer, registerBufferTable } from "../buffers";
import { confine } from "../confine";
import type { EngineContext } from "../engine";
import { CONFINED, HostRing } from "../host-ring";
import { registerPersonalities } from "../personalities";
import { capIoWorkers, enableRing, registerFiles } from "../register";
import { registerError } from "../relocate";
import { SQE_WORDS, SqeWord } from "../sqe-word";

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

/** A host's ring that is enabled and confined. */
export interface HostRingStart {
  host: HostRing;
  opcodes: readonly number[];
  personalities: ReadonlyMap<string, number>;
}

/**
 * Registers a range of guest memory as a fixed buffer, at its real address, which the guest never sees.
 *
 * @throws WasmUringError ERR_MEMLOCK or ERR_SETUP
 */
export function registerHostArena(
  { memory, syscalls }: EngineContext,
  ringFd: number,
  index: number,
  offset: number,
  length: number,
): void {
  const address = memory.baseAddress(syscalls) + BigInt(offset);
  const registered = registerBuffer(syscalls, ringFd, index, address, length);
  if (registered < 0) throw registerError(syscalls, -registered, length);
}

function prepareRing(context: EngineContext, host: HostRing): HostRingStart {
  const { syscalls, request, plan } = context;
  registerFiles(syscalls, host.fd, plan.slots);
  registerBufferTable(syscalls, host.fd);
  registerHostArena(context, host.fd, 0, request.arenaOffset, request.arenaLength);
  capIoWorkers(syscalls, host.fd, plan.ioWorkersMax);
  const personalities = registerPersonalities(syscalls, host.fd, plan);
  const opcodes = confine(context, host.fd);
  enableRing(syscalls, host.fd);
  selfTest(context, host);
  return { host, opcodes, personalities };
}

/**
 * @returns the enabled ring, or the errno with which the kernel refused to make one
 * @throws WasmUringError when a later step fails; nothing is left behind
 */
export function startHostRing(context: EngineContext): HostRingStart | number {
  const { syscalls, request, plan } = context;
  const { required, optional } = CONFINED;
  const flags =
    plan.iopoll === true ? { required: required | SetupFlag.IOPOLL, optional } : CONFINED;
  const host = HostRing.create(syscalls, request, flags);
  if (typeof host === "number") return host;
  try {
    return prepareRing(context, host);
  } catch (error) {
    syscalls.close(host.fd);
    host.unmap();
    throw error;
  }
}
