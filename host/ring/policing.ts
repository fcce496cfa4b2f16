/**
 * The policy's judgement of one copied SQE, with the kernel's own answers in the kernel's own order
 * (io_uring/io_uring.c: io_init_req, io_check_restriction): unknown opcodes and flag bits first,
 * then what the restrictions refuse. For the engines that consume a guest's SQ in the host.
 */
import { Errno, Op, SqeFlag } from "../abi";
import type { CompiledPolicy } from "../policy";
import { flagsOf, opcodeOf } from "./sqe-word";

const FLAGS_KNOWN =
  SqeFlag.FIXED_FILE |
  SqeFlag.IO_DRAIN |
  SqeFlag.IO_LINK |
  SqeFlag.IO_HARDLINK |
  SqeFlag.ASYNC |
  SqeFlag.BUFFER_SELECT |
  SqeFlag.CQE_SKIP_SUCCESS;

/**
 * Opcodes that know BUFFER_SELECT (`buffer_select` in io_uring/opdef.c); the others answer
 * EOPNOTSUPP to it.
 */
const BUFFER_SELECTING: readonly number[] = [
  Op.READV,
  Op.RECVMSG,
  Op.READ,
  Op.SEND,
  Op.RECV,
  Op.URING_CMD,
  Op.READ_MULTISHOT,
];

const ALLOWED = 1;
const BUFFER_SELECT = 2;

export class Policing {
  /** What is known of each of the 256 opcodes: bits of ALLOWED and BUFFER_SELECT. */
  readonly #opcodes = new Uint8Array(256);
  readonly #flagsAllowed: number;
  readonly #flagsRequired: number;
  /** The first CQE_SKIP_SUCCESS rules IO_DRAIN out for the rest of a ring's life. */
  #drainDisabled = false;

  constructor(policy: CompiledPolicy) {
    for (const opcode of BUFFER_SELECTING) this.#opcodes[opcode] = BUFFER_SELECT;
    for (const opcode of policy.opcodes) this.#opcodes[opcode] = this.#of(opcode) | ALLOWED;
    this.#flagsRequired = policy.sqeFlagsRequired;
    this.#flagsAllowed = policy.sqeFlagsAllowed | policy.sqeFlagsRequired;
  }

  /** @returns 0 when the policy lets the SQE pass, else a negated errno */
  judge(head: number): number {
    const opcode = opcodeOf(head);
    const flags = flagsOf(head);
    if (opcode >= Op.LAST) return -Errno.EINVAL;
    if ((flags & ~FLAGS_KNOWN) !== 0) return -Errno.EINVAL;
    const known = this.#of(opcode);
    if ((flags & SqeFlag.BUFFER_SELECT) !== 0 && (known & BUFFER_SELECT) === 0) {
      return -Errno.EOPNOTSUPP;
    }
    if ((flags & SqeFlag.CQE_SKIP_SUCCESS) !== 0) this.#drainDisabled = true;
    if ((flags & SqeFlag.IO_DRAIN) !== 0 && this.#drainDisabled) return -Errno.EOPNOTSUPP;
    if ((known & ALLOWED) === 0) return -Errno.EACCES;
    if ((flags & this.#flagsRequired) !== this.#flagsRequired) return -Errno.EACCES;
    if ((flags & ~this.#flagsAllowed) !== 0) return -Errno.EACCES;
    return 0;
  }

  #of(opcode: number): number {
    return this.#opcodes[opcode] ?? 0;
  }
}
