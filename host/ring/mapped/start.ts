/**
 * Starts the `mapped` engine: the set-up sequence of kernel-facts 9 with every return code checked and everything
 * undone when a step fails.
 */
import { CqOffset, Errno, Params, RingMode, SetupFlag, SqOffset } from "../../abi";
import { registerBufferTable } from "../buffers";
import { confine } from "../confine";
import type { CheckedRequest, EngineContext, RingLayout } from "../engine";
import { registerPersonalities } from "../personalities";
import {
  capIoWorkers,
  enableRing,
  registerEventfd,
  registerFiles,
  registerRingFd,
  unregisterRingFd,
} from "../register";
import { registerArena } from "../relocate";
import { closeRing } from "./close";
import { createKernelRing, isDenied, type KernelRing, type Placement, unmapRing } from "./create";
import { MappedEngine } from "./engine";
import { findPollThread, waitForPollThread } from "./poll-thread";
import { selfTest } from "./self-test";

export interface MappedStart {
  engine: MappedEngine;
  setupFlags: number;
  features: number;
}

function layoutOf(ring: KernelRing, request: CheckedRequest): RingLayout {
  const sq = (field: number) => ring.params.getUint32(Params.SQ_OFF + field, true);
  const cq = (field: number) => ring.params.getUint32(Params.CQ_OFF + field, true);
  const at = request.ringOffset;
  const hasArray = (ring.flags & SetupFlag.NO_SQARRAY) === 0;
  return {
    // Without a poll thread, what completes later (COOP_TASKRUN) is posted when this thread enters the kernel.
    mode:
      RingMode.MAPPED |
      ((ring.flags & SetupFlag.SQPOLL) !== 0 ? RingMode.SQPOLL : RingMode.DEFER_TASKRUN) |
      ((ring.flags & SetupFlag.IOPOLL) !== 0 ? RingMode.IOPOLL : 0),
    sqHead: at + sq(SqOffset.HEAD),
    sqTail: at + sq(SqOffset.TAIL),
    sqFlags: at + sq(SqOffset.FLAGS),
    sqDropped: at + sq(SqOffset.DROPPED),
    sqArray: hasArray ? at + sq(SqOffset.ARRAY) : 0,
    sqes: request.sqesOffset,
    cqHead: at + cq(CqOffset.HEAD),
    cqTail: at + cq(CqOffset.TAIL),
    cqOverflow: at + cq(CqOffset.OVERFLOW),
    cqFlags: at + cq(CqOffset.FLAGS),
    cqes: at + cq(CqOffset.CQES),
    sqEntries: ring.params.getUint32(Params.SQ_ENTRIES, true),
    cqEntries: ring.params.getUint32(Params.CQ_ENTRIES, true),
  };
}

function clearRing(context: EngineContext): void {
  const { memory, request } = context;
  memory.bytes.fill(0, request.ringOffset, request.ringOffset + request.ringLength);
  memory.bytes.fill(0, request.sqesOffset, request.sqesOffset + request.sqesLength);
}

function prepare(
  context: EngineContext,
  ring: KernelRing,
  base: bigint,
  registeredIndex: number,
  unwind: () => void,
): MappedEngine {
  const { syscalls, request, plan, memory } = context;
  registerFiles(syscalls, ring.fd, plan.slots);
  const arena = base + BigInt(request.arenaOffset);
  registerBufferTable(syscalls, ring.fd);
  registerArena(syscalls, ring.fd, arena, request.arenaOffset, request.arenaLength);
  capIoWorkers(syscalls, ring.fd, plan.ioWorkersMax);
  const personalities = registerPersonalities(syscalls, ring.fd, plan);
  const opcodes = confine(context, ring.fd);
  enableRing(syscalls, ring.fd);
  const layout = layoutOf(ring, request);
  const [opcode] = plan.policy.opcodes;
  selfTest(syscalls, ring.fd, memory, layout, opcode ?? 0);
  // Only now: the self-test's completions are nobody's business.
  if (plan.eventFd !== undefined) registerEventfd(syscalls, ring.fd, plan.eventFd);
  const terms = { layout, opcodes, personalities };
  return new MappedEngine(context, ring, terms, registeredIndex, unwind);
}

/**
 * @returns the engine, or the errno with which the kernel refused the placement
 * @throws WasmUringError when a later step fails; the ring is closed and the pages are the guest's again
 */
export function startMapped(context: EngineContext, placement: Placement): MappedStart | number {
  const { syscalls, request, plan, memory } = context;
  const base = memory.baseAddress(syscalls);
  clearRing(context);
  const ring = createKernelRing(syscalls, request, plan, placement, base);
  if (typeof ring === "number") {
    // The kernel may have made one before it refused (EMFILE), which goes later, as in `unwind`.
    const wasMade = placement === "NO_MMAP" && ring !== Errno.EINVAL && !isDenied(ring);
    if (wasMade) unmapRing(syscalls, base, request);
    return ring;
  }
  const registeredIndex = registerRingFd(syscalls, ring.fd);
  let pollThread = -1;
  const unwind = () => {
    waitForPollThread(pollThread);
    // A closed ring goes some milliseconds later, in a worker of the kernel, and writes its CQ tail and flags once
    // more then. So the guest gets other pages, where another ring or the host's own words may lie by then.
    unmapRing(syscalls, base, request);
  };
  try {
    const engine = prepare(context, ring, base, registeredIndex, unwind);
    // It has run by now: it answered the self-test.
    if (plan.sqpoll !== null) pollThread = findPollThread(ring.fd);
    return { engine, setupFlags: ring.flags, features: ring.features };
  } catch (error) {
    if (plan.sqpoll !== null) pollThread = findPollThread(ring.fd);
    unregisterRingFd(syscalls, ring.fd, registeredIndex);
    closeRing(syscalls, ring.fd);
    unwind();
    throw error;
  }
}
