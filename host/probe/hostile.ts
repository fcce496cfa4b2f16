/**
 * Plays the hostile guest on a ring that was set up exactly as a guest's: tries what `attempts.ts`
 * lists, and judges by what came back and by what changed in memory.
 */
import { Errno, Op, RwAttr } from "../abi";
import { errnoName } from "../errors";
import type { Syscalls } from "../ffi/syscalls";
import type { GuestMemory } from "../memory/guest-memory";
import type { RingEngine } from "../ring/engine";
import { type Attempt, hostileAttempts, ORDINARY_READ } from "./attempts";
import { NO_ANSWER, type Request, Requester } from "./one-request";
import type { AttributeOracle, HostileCheck } from "./report";
import { changedCanaries, PROBE_REQUEST } from "./stage";

const HOST_PAGE_BYTES = 4096;
const HOST_CANARY = 0x5a;
/** A slot that no grant fills: the oracle's request must fail after the attribute was looked at. */
const EMPTY_SLOT = 63;

export interface HostileFindings {
  checks: HostileCheck[];
  oracle: AttributeOracle;
}

/** What the checks need of the ring under test. */
export interface HostileTarget {
  engine: RingEngine;
  guest: GuestMemory;
  /** null where there are none: real host addresses are then unknown and not tried. */
  syscalls: Syscalls | null;
  /** The descriptor behind slot 0. */
  sourceFd: number;
  /** Opcodes of this kernel; null when it has no io_uring and the engine knows them all. */
  knownOpcodes: ReadonlySet<number> | null;
}

function answerOf(result: number): string {
  if (result === NO_ANSWER) return "no answer";
  return result < 0 ? errnoName(-result) : `${result} bytes`;
}

function judge(attempt: Attempt, result: number): HostileCheck {
  const { name, kind, refusedBy } = attempt;
  const refused = refusedBy.some((errno) => result === -errno);
  return { name, kind, answer: answerOf(result), verdict: refused ? "refused" : "ESCAPED" };
}

function canaryCheck(name: string, changed: number): HostileCheck {
  const answer = changed === 0 ? "unchanged" : `${changed} bytes changed`;
  return { name, kind: "canary", answer, verdict: changed === 0 ? "passed" : "ESCAPED" };
}

function knownNames(known: ReadonlySet<number> | null): ReadonlySet<string> {
  const names = Object.keys(Op).filter((name) => Number.isNaN(Number(name)));
  if (known === null) return new Set(names);
  return new Set([...known].map((opcode) => Op[opcode] ?? ""));
}

export function checkHostile(target: HostileTarget): HostileFindings {
  const { engine, guest, syscalls, sourceFd } = target;
  const requester = new Requester(engine, guest);
  const hostPage = new Uint8Array(HOST_PAGE_BYTES).fill(HOST_CANARY);
  const hostAddresses = {
    buffer: syscalls?.addressOf(hostPage) ?? 0n,
    arena:
      (syscalls === null ? 0n : guest.baseAddress(syscalls)) + BigInt(PROBE_REQUEST.arenaOffset),
  };
  const control = requester.submit(ORDINARY_READ);
  const checks: HostileCheck[] = [
    {
      name: "an ordinary read into the arena",
      kind: "control",
      answer: answerOf(control),
      verdict: control === ORDINARY_READ.length ? "passed" : "failed",
    },
  ];
  for (const attempt of hostileAttempts(knownNames(target.knownOpcodes), sourceFd, hostAddresses)) {
    checks.push(judge(attempt, requester.submit(attempt.request)));
  }
  const changedInHost = hostPage.reduce((sum, byte) => sum + (byte === HOST_CANARY ? 0 : 1), 0);
  checks.push(canaryCheck("guest memory outside ring and arena", changedCanaries(guest)));
  checks.push(canaryCheck("a host buffer", changedInHost));
  return { checks, oracle: askOracle(requester, syscalls) };
}

/**
 * READ_FIXED on an empty slot, with attributes at a host address: a kernel that follows the pointer
 * answers by what lies there (kernel-facts: EFAULT unmapped, EBADF zeroes, EINVAL other bytes). One
 * that does not answers the same thrice.
 */
function askOracle(requester: Requester, syscalls: Syscalls | null): AttributeOracle {
  if (syscalls === null) return { present: null, answers: [] };
  const page = new Uint8Array(HOST_PAGE_BYTES);
  const filled = HOST_PAGE_BYTES / 2;
  page.fill(0xff, filled);
  const start = syscalls.addressOf(page);
  const ask = (attributeAddress: bigint): number => {
    const request: Request = {
      ...ORDINARY_READ,
      slot: EMPTY_SLOT,
      attributeAddress,
      attributeTypes: BigInt(RwAttr.PI),
    };
    return requester.submit(request);
  };
  // Page 0 is never mapped (vm.mmap_min_addr).
  const results = [ask(8n), ask(start), ask(start + BigInt(filled))];
  const present = new Set(results).size > 1 || results[0] === -Errno.EFAULT;
  // Kept reachable until the kernel has looked at it.
  if (page[0] !== 0) return { present: null, answers: [] };
  return { present, answers: results.map(answerOf) };
}
