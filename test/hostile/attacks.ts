/**
 * The corpus: what a hostile guest submits, and the errno that it must get. One table for all engines; an attack whose
 * answer may differ says why. Answers are errno names, or the result as a decimal number.
 */
import { GUEST_ADDRESS_BASE, Op, SqeFlag } from "../../host/abi";
import { type Attacker, PAGE } from "./attacker";
import { Slot } from "./granted";
import type { RawSqe } from "./raw-sqe";

export interface Attack {
  name: string;
  sqe: RawSqe;
  /** Any of these. */
  expect: readonly string[];
}

const TWO_64 = 1n << 64n;
const LENGTH = 64;

/** Addresses of a fixed read or write that are not the arena. All are EFAULT, whoever checks them. */
export function addressAttacks(attacker: Attacker): Attack[] {
  const { arena, ring, host, nativeBase } = attacker;
  const start = attacker.at();
  const end = attacker.at(arena.length);
  const addresses: readonly (readonly [name: string, addr: bigint])[] = [
    ["null", 0n],
    ["8", 8n],
    ["one byte below the arena", start - 1n],
    ["a page below the arena", start - BigInt(PAGE)],
    ["across the arena's start", start - BigInt(LENGTH / 2)],
    ["across the arena's end", end - BigInt(LENGTH / 2)],
    ["at the arena's end", end],
    ["a page above the arena", end + BigInt(PAGE)],
    ["the ring's own page", BigInt(GUEST_ADDRESS_BASE + ring.offset)],
    ["the bare offset, without the base", BigInt(arena.offset)],
    ["the base alone", BigInt(GUEST_ADDRESS_BASE)],
    ["twice the base", start + BigInt(GUEST_ADDRESS_BASE)],
    ["2^63 above the arena", start + (1n << 63n)],
    ["wrapping 2^64", TWO_64 - BigInt(LENGTH / 2)],
    ["-1", TWO_64 - 1n],
    ["a kernel address", 0xffff888000000000n],
    ["a non-canonical address", 0x8000_0000_0000_0000n],
    ["the arena's native address", nativeBase + BigInt(arena.offset)],
    ["the memory's native address", nativeBase],
    ["a host buffer", host.address],
    ["the page after the host buffer", host.address + BigInt(host.bytes.length)],
  ];
  const attacks: Attack[] = [];
  for (const opcode of [Op.READ_FIXED, Op.WRITE_FIXED]) {
    for (const [name, addr] of addresses) {
      const sqe: RawSqe = { opcode, addr, len: LENGTH, slot: Slot.READ_WRITE };
      attacks.push({ name: `${Op[opcode]} at ${name}`, sqe, expect: ["EFAULT"] });
    }
  }
  return attacks;
}

export function lengthAttacks(attacker: Attacker): Attack[] {
  const { arena, host } = attacker;
  const lengths: readonly (readonly [name: string, len: number, addr: bigint, expect: string])[] = [
    ["0 bytes", 0, attacker.at(), "0"],
    ["0 bytes at the arena's last byte", 0, attacker.at(arena.length - 1), "0"],
    ["0 bytes at a host buffer", 0, host.address, "EFAULT"],
    ["the arena and one byte", arena.length + 1, attacker.at(), "EFAULT"],
    ["2 bytes at the last byte", 2, attacker.at(arena.length - 1), "EFAULT"],
    ["2^31 - 1", 0x7fffffff, attacker.at(), "EFAULT"],
    ["2^31", 0x80000000, attacker.at(), "EFAULT"],
    ["2^32 - 4096", 0xfffff000, attacker.at(), "EFAULT"],
    ["2^32 - 1", 0xffffffff, attacker.at(), "EFAULT"],
  ];
  return [Op.READ_FIXED, Op.WRITE_FIXED].flatMap((opcode) =>
    lengths.map(([name, len, addr, expect]) => ({
      name: `${Op[opcode]} of ${name}`,
      sqe: { opcode, addr, len, slot: Slot.READ_WRITE },
      expect: [expect],
    })),
  );
}

const BAD_SLOTS: readonly (readonly [name: string, slot: number])[] = [
  ["-1", -1],
  ["an empty slot", Slot.EMPTY],
  ["one beyond the table", 64],
  ["1000", 1000],
  ["INT_MAX", 0x7fffffff],
  ["INT_MIN", -0x80000000],
];

export function slotAttacks(attacker: Attacker): Attack[] {
  const requests: readonly RawSqe[] = [
    { opcode: Op.READ_FIXED, addr: attacker.at(), len: LENGTH },
    { opcode: Op.WRITE_FIXED, addr: attacker.at(), len: LENGTH },
    { opcode: Op.FSYNC },
    { opcode: Op.FADVISE },
    { opcode: Op.SYNC_FILE_RANGE },
    { opcode: Op.FTRUNCATE },
    { opcode: Op.FALLOCATE, addr: BigInt(LENGTH) },
    { opcode: Op.POLL_ADD, opFlags: 1 },
    { opcode: Op.SHUTDOWN },
  ];
  const attacks: Attack[] = [];
  for (const request of requests) {
    for (const [name, slot] of BAD_SLOTS) {
      const title = `${Op[request.opcode]} on slot ${name}`;
      attacks.push({ name: title, sqe: { ...request, slot }, expect: ["EBADF"] });
    }
  }
  return attacks;
}

/** What a grant's access forbids. The kernel checks the mode of the open file, so must every engine. */
export function accessAttacks(attacker: Attacker): Attack[] {
  const data = { addr: attacker.at(), len: LENGTH };
  return [
    {
      name: "WRITE_FIXED to a read-only grant",
      sqe: { opcode: Op.WRITE_FIXED, slot: Slot.READ_ONLY, ...data },
      expect: ["EBADF"],
    },
    {
      name: "WRITE_FIXED to the read end of a pipe",
      sqe: { opcode: Op.WRITE_FIXED, slot: Slot.PIPE_OUT, off: TWO_64 - 1n, ...data },
      expect: ["EBADF"],
    },
    {
      name: "READ_FIXED from the write end of a pipe",
      sqe: { opcode: Op.READ_FIXED, slot: Slot.PIPE_IN, off: TWO_64 - 1n, ...data },
      expect: ["EBADF"],
    },
    {
      name: "FTRUNCATE of a read-only grant",
      sqe: { opcode: Op.FTRUNCATE, slot: Slot.READ_ONLY },
      expect: ["EINVAL"],
    },
    {
      name: "FALLOCATE in a read-only grant",
      sqe: { opcode: Op.FALLOCATE, slot: Slot.READ_ONLY, addr: 4096n },
      expect: ["EBADF"],
    },
  ];
}

/** Fields that the restrictions of a ring cannot see. */
export function hiddenFieldAttacks(attacker: Attacker): Attack[] {
  const read: RawSqe = {
    opcode: Op.READ_FIXED,
    addr: attacker.at(),
    len: LENGTH,
    slot: Slot.READ_WRITE,
  };
  return [
    { name: "buffer 1", sqe: { ...read, bufIndex: 1 }, expect: ["EFAULT"] },
    { name: "buffer 65535", sqe: { ...read, bufIndex: 0xffff }, expect: ["EFAULT"] },
    { name: "personality 1", sqe: { ...read, personality: 1 }, expect: ["EINVAL"] },
    { name: "personality 65535", sqe: { ...read, personality: 0xffff }, expect: ["EINVAL"] },
    { name: "I/O priority class 7", sqe: { ...read, ioprio: 0xe000 }, expect: ["EINVAL"] },
    { name: "an unknown attribute", sqe: { ...read, pad2: 2n }, expect: ["EINVAL"] },
    { name: "all attributes", sqe: { ...read, pad2: TWO_64 - 1n }, expect: ["EINVAL"] },
    {
      name: "a negative offset",
      sqe: { ...read, off: 1n << 63n },
      expect: ["EINVAL"],
    },
    {
      name: "SHUTDOWN of what is no socket",
      sqe: { opcode: Op.SHUTDOWN, slot: Slot.READ_WRITE },
      expect: ["ENOTSOCK"],
    },
    {
      name: "ASYNC_CANCEL of nobody",
      sqe: { opcode: Op.ASYNC_CANCEL, addr: attacker.host.address },
      expect: ["ENOENT"],
    },
    {
      name: "POLL_REMOVE of nobody",
      sqe: { opcode: Op.POLL_REMOVE, addr: attacker.host.address },
      expect: ["ENOENT"],
    },
  ];
}

/** Every bit of the flags byte besides FIXED_FILE. The kernel's order of checks decides which errno. */
export function flagAttacks(attacker: Attacker): Attack[] {
  const read: RawSqe = {
    opcode: Op.READ_FIXED,
    addr: attacker.at(),
    len: LENGTH,
    slot: Slot.READ_WRITE,
  };
  const answers: readonly (readonly [flags: number, expect: readonly string[]])[] = [
    [0, ["EACCES"]],
    // EOPNOTSUPP once CQE_SKIP_SUCCESS was used on the ring.
    [SqeFlag.FIXED_FILE | SqeFlag.IO_DRAIN, ["EACCES", "EOPNOTSUPP"]],
    [SqeFlag.FIXED_FILE | SqeFlag.ASYNC, ["EACCES"]],
    [SqeFlag.FIXED_FILE | SqeFlag.BUFFER_SELECT, ["EOPNOTSUPP"]],
    [SqeFlag.FIXED_FILE | 0x80, ["EINVAL"]],
    [0xff, ["EINVAL"]],
    [SqeFlag.IO_LINK, ["EACCES"]],
    [SqeFlag.IO_HARDLINK, ["EACCES"]],
    [SqeFlag.CQE_SKIP_SUCCESS, ["EACCES"]],
    [SqeFlag.ASYNC, ["EACCES"]],
  ];
  return answers.map(([flags, expect]) => ({
    name: `flags 0x${flags.toString(16)}`,
    sqe: { ...read, flags },
    expect,
  }));
}

/** The newest opcodes of the table: a kernel that does not know one says EINVAL before it looks at the policy. */
const MAYBE_UNKNOWN_FROM = Op.RECV_ZC;

/** The answer to an opcode of 0..255, given what the policy allows; null: it may be carried out. */
export function opcodeAnswer(
  opcode: number,
  flags: number,
  allowed: readonly number[],
): readonly string[] | null {
  if (opcode >= Op.LAST) return ["EINVAL"];
  if (allowed.includes(opcode)) return (flags & SqeFlag.FIXED_FILE) !== 0 ? null : ["EACCES"];
  return opcode >= MAYBE_UNKNOWN_FROM ? ["EACCES", "EINVAL"] : ["EACCES"];
}

/** Every pointer field of an SQE, set to places where no guest may reach. */
export function pointerSweep(attacker: Attacker, opcode: number): RawSqe[] {
  const { arena, host, nativeBase } = attacker;
  const targets = [
    host.address,
    host.zeroAddress,
    attacker.at(),
    nativeBase + BigInt(arena.offset),
    8n,
    0x8000_0000_0000_0000n,
  ];
  const sqes: RawSqe[] = [];
  for (const flags of [SqeFlag.FIXED_FILE, 0]) {
    const base: RawSqe = { opcode, flags, slot: Slot.READ_WRITE, len: LENGTH };
    for (const target of targets) {
      sqes.push({ ...base, addr: target });
      sqes.push({ ...base, off: target });
      sqes.push({ ...base, addr3: target, pad2: 1n });
      sqes.push({ ...base, addr3: target, spliceFdIn: 0, opFlags: 1 });
      sqes.push({ ...base, addr: target, off: target, addr3: target, pad2: target, len: 1 });
    }
    // Descriptors of the host's own table: 0, 1, 2 are always there.
    for (const raw of [0, 1, 2])
      sqes.push({ ...base, slot: raw, spliceFdIn: raw, off: BigInt(raw) });
    sqes.push({ ...base, addr: attacker.at(), bufIndex: 0xffff, personality: 0, spliceFdIn: -1 });
  }
  return sqes;
}
