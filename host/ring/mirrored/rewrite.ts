/**
 * One copied SQE of a guest becomes a fresh SQE for the host's ring. What passes is rebuilt from
 * nothing: the fields that its opcode uses, everything else zero (no ioprio, splice_fd_in, addr3,
 * attr_ptr), the address rebased from guest to host, a personality that was registered. What does
 * not pass becomes an inert SQE with the guest's user_data and link flags that makes the kernel
 * itself answer with the right errno: so the order of CQEs, link chains and CQE_SKIP_SUCCESS are
 * the kernel's own, and nothing hostile of the guest's SQE reaches the kernel.
 */
import { Errno, GrantKind, Op, Rwf, SqeFlag } from "../../abi";
import { ArenaWindows } from "../arena-window";
import type { CheckedRequest, RingPlan } from "../engine";
import { Policing } from "../policing";
import { Preparation } from "../preparation";
import type { SlotTable } from "../slot-table";
import { flagsOf, opcodeOf, personalityOf, SQE_WORDS, SqeWord } from "../sqe-word";

const LINK_FLAGS = SqeFlag.IO_LINK | SqeFlag.IO_HARDLINK | SqeFlag.CQE_SKIP_SUCCESS;

/** No kernel has it: io_uring answers EINVAL. */
const OPCODE_UNKNOWN = 0xff;
/**
 * Never on an allowlist (a policy cannot name it) and harmless should the restrictions fail:
 * EACCES.
 */
const OPCODE_DENIED = Op.NOP;
/** Known since 5.1 and never knew BUFFER_SELECT: EOPNOTSUPP with it. */
const OPCODE_WITHOUT_SELECT = Op.FSYNC;
/** Below every buffer: EFAULT. */
const ADDRESS_NOWHERE = 0;

const RWF_KNOWN =
  Rwf.HIPRI |
  Rwf.DSYNC |
  Rwf.SYNC |
  Rwf.NOWAIT |
  Rwf.APPEND |
  Rwf.NOAPPEND |
  Rwf.ATOMIC |
  Rwf.DONTCACHE |
  Rwf.NOSIGNAL;
/** Stands for any flag that this library does not know: EOPNOTSUPP. */
const RWF_UNKNOWN = 1 << 31;

export class Rewriter {
  /** SQEs that the policy refused. */
  denied = 0;
  readonly #policing: Policing;
  readonly #slots: SlotTable;
  readonly #preparation: Preparation;
  readonly #windows: ArenaWindows;
  /** Host address of linear-memory offset 0. */
  readonly #base: number;

  /** @param personalities ids that the host's ring knows */
  constructor(
    plan: RingPlan,
    request: CheckedRequest,
    slots: SlotTable,
    personalities: Iterable<number>,
    base: number,
  ) {
    this.#policing = new Policing(plan.policy);
    this.#slots = slots;
    this.#preparation = new Preparation(personalities);
    this.#windows = new ArenaWindows(request);
    this.#base = base;
  }

  addArena(index: number, offset: number, length: number): void {
    this.#windows.add(index, offset, length);
  }

  /**
   * @param source a private copy of the guest's SQE
   * @param at index of the first word of the target
   */
  rewrite(source: Int32Array, target: Int32Array, at: number): void {
    for (let word = 0; word < SQE_WORDS; word++) target[at + word] = 0;
    target[at + SqeWord.USER_DATA_LOW] = source[SqeWord.USER_DATA_LOW] ?? 0;
    target[at + SqeWord.USER_DATA_HIGH] = source[SqeWord.USER_DATA_HIGH] ?? 0;
    const head = source[SqeWord.HEAD] ?? 0;
    let verdict = this.#policing.judge(head);
    if (verdict === 0) verdict = this.#preparation.prepare(source, 0);
    else if (verdict === -Errno.EACCES) this.denied++;
    if (verdict !== 0) {
      target[at] = poisonedHead(verdict, flagsOf(head));
      return;
    }
    target[at] = head & 0xffff; // opcode and flags, no ioprio
    target[at + SqeWord.FD] = source[SqeWord.FD] ?? 0;
    target[at + SqeWord.OFF_LOW] = source[SqeWord.OFF_LOW] ?? 0;
    target[at + SqeWord.OFF_HIGH] = source[SqeWord.OFF_HIGH] ?? 0;
    target[at + SqeWord.LEN] = source[SqeWord.LEN] ?? 0;
    target[at + SqeWord.OP_FLAGS] = source[SqeWord.OP_FLAGS] ?? 0;
    const buffer = source[SqeWord.BUFFER] ?? 0;
    target[at + SqeWord.BUFFER] = personalityOf(buffer) << 16;
    const opcode = opcodeOf(head);
    if (opcode === Op.READ_FIXED || opcode === Op.WRITE_FIXED) {
      this.#rewriteTransfer(opcode, source, target, at);
      return;
    }
    // Not an address in these opcodes: a length or a user_data.
    target[at + SqeWord.ADDR_LOW] = source[SqeWord.ADDR_LOW] ?? 0;
    target[at + SqeWord.ADDR_HIGH] = source[SqeWord.ADDR_HIGH] ?? 0;
  }

  #rewriteTransfer(opcode: number, source: Int32Array, target: Int32Array, at: number): void {
    const grant = this.#slots.get(source[SqeWord.FD] ?? 0);
    const offset = this.#windows.locate(source, 0);
    // An eventfd is written by the submitter's address instead of the pinned pages, so `mapped`
    // cannot do it.
    const unwritable = opcode === Op.WRITE_FIXED && grant?.kind === GrantKind.EVENTFD;
    if (offset < 0 || unwritable) {
      target[at + SqeWord.ADDR_LOW] = ADDRESS_NOWHERE;
      return;
    }
    // Below ARENAS_MAX: the window was found by it. The personality stays.
    target[at + SqeWord.BUFFER] = source[SqeWord.BUFFER] ?? 0;
    const address = this.#base + offset;
    target[at + SqeWord.ADDR_LOW] = address | 0;
    target[at + SqeWord.ADDR_HIGH] = Math.floor(address / 0x1_0000_0000);
    if (((source[SqeWord.OP_FLAGS] ?? 0) & ~RWF_KNOWN) !== 0)
      target[at + SqeWord.OP_FLAGS] = RWF_UNKNOWN;
  }
}

/**
 * Opcode and flags of an SQE to which the kernel answers with `verdict` before it looks at any
 * other field.
 */
function poisonedHead(verdict: number, guestFlags: number): number {
  const flags = SqeFlag.FIXED_FILE | (guestFlags & LINK_FLAGS);
  switch (verdict) {
    case -Errno.EACCES:
      return OPCODE_DENIED | (flags << 8);
    case -Errno.EOPNOTSUPP:
      return OPCODE_WITHOUT_SELECT | ((flags | SqeFlag.BUFFER_SELECT) << 8);
    default:
      return OPCODE_UNKNOWN | (flags << 8);
  }
}
