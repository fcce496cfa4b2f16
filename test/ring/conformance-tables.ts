/**
 * What an SQE with a hostile field, and what a link chain comes to: taken from Linux 6.18 with the
 * kernel itself consuming the rings. Slots, files and bounds are those of the fixture in
 * `conformance.ts`.
 */
import { type Errno, Op, SqeFlag } from "../../host/abi";
import type { SqeFields } from "./guest-driver";

const { FIXED_FILE, IO_LINK, IO_HARDLINK, CQE_SKIP_SUCCESS } = SqeFlag;

/** Slots of the fixture that the tables are for. */
export const RW = 0;
export const RO = 1;
export const WO = 2;
export const PIPE_READ = 3;
export const PIPE_WRITE = 4;
export const EVENT = 5;
export const EMPTY_SLOT = 40;

export const FILE_BYTES = 10_000;
export const ARENA_BYTES = 16 * 4096;

/** A result as the tables write it: an errno's name, or the number. */
export type Answer = keyof typeof Errno | number;

export const linked = (sqe: SqeFields, flags: number): SqeFields => ({
  ...sqe,
  flags: FIXED_FILE | flags,
});

/** SQEs that have one hostile field each, and what comes of it. */
export function hostileFields(at: bigint): [name: string, sqe: SqeFields, answer: Answer][] {
  const read: SqeFields = { opcode: Op.READ_FIXED, fd: RW, addr: at, len: 100 };
  const write: SqeFields = { ...read, opcode: Op.WRITE_FIXED };
  const end = at + BigInt(ARENA_BYTES);
  return [
    ["a read", read, 100],
    ["length 0", { ...read, len: 0 }, 0],
    ["length 0 outside", { ...read, len: 0, addr: 0n }, "EFAULT"],
    ["length 0 at the end", { ...read, len: 0, addr: end }, 0],
    ["one byte below", { ...read, addr: at - 1n }, "EFAULT"],
    ["across the end", { ...read, addr: end - 50n }, "EFAULT"],
    ["above the end", { ...read, addr: end }, "EFAULT"],
    ["length 2^32-1", { ...read, len: 0xffff_ffff }, "EFAULT"],
    ["wrapping address", { ...read, addr: 0xffff_ffff_ffff_ffffn }, "EFAULT"],
    ["address modulo 2^32", { ...read, addr: at & 0xffff_ffffn }, "EFAULT"],
    ["address plus 2^33", { ...read, addr: at + (1n << 33n) }, "EFAULT"],
    ["address plus 2^63", { ...read, addr: at + (1n << 63n) }, "EFAULT"],
    ["buf_index 1", { ...read, bufIndex: 1 }, "EFAULT"],
    ["slot -1", { ...read, fd: -1 }, "EBADF"],
    ["slot empty", { ...read, fd: EMPTY_SLOT }, "EBADF"],
    ["slot beyond the table", { ...read, fd: 64 }, "EBADF"],
    ["slot 2^31-1", { ...read, fd: 0x7fff_ffff }, "EBADF"],
    ["slot before address", { ...read, fd: EMPTY_SLOT, addr: 0n }, "EBADF"],
    ["personality before slot", { ...read, fd: EMPTY_SLOT, personality: 2 }, "EINVAL"],
    ["read of write-only", { ...read, fd: WO }, "EBADF"],
    ["write of read-only", { ...write, fd: RO }, "EBADF"],
    ["address before access", { ...write, fd: RO, addr: 0n }, "EFAULT"],
    ["access before flags", { ...read, fd: WO, opFlags: 1 << 20 }, "EBADF"],
    ["address before flags", { ...read, addr: 0n, opFlags: 1 << 20 }, "EFAULT"],
    ["flags before position", { ...read, off: -2n, opFlags: 1 << 20 }, "EOPNOTSUPP"],
    ["RWF_HIPRI", { ...read, opFlags: 1 }, "EINVAL"],
    ["RWF_SYNC", { ...write, opFlags: 4 }, 100],
    ["RWF unknown", { ...read, opFlags: 1 << 12 }, "EOPNOTSUPP"],
    ["RWF bit 31", { ...write, opFlags: 0x8000_0000 }, "EOPNOTSUPP"],
    ["offset -2", { ...read, off: -2n }, "EINVAL"],
    ["offset 2^63-1", { ...read, off: (1n << 63n) - 1n }, "EINVAL"],
    ["offset 2^62 read", { ...read, off: 1n << 62n }, 0],
    ["offset 2^62 write", { ...write, off: 1n << 62n }, "EFBIG"],
    ["offset 2^53+1 read", { ...read, off: (1n << 53n) + 1n }, 0],
    ["ioprio level without class", { ...read, ioprio: 1 }, "EINVAL"],
    ["ioprio best effort", { ...read, ioprio: 0x4000 }, 100],
    ["ioprio class 4", { ...read, ioprio: 0x8000 }, "EINVAL"],
    ["personality", { ...read, personality: 1 }, "EINVAL"],
    ["splice_fd_in", { ...read, spliceFdIn: 5 }, 100],
    ["attr_ptr without mask", { ...read, addr3: 5n }, 100],
    ["attr_type_mask 2", { ...read, pad2: 2n }, "EINVAL"],
    ["attr_type_mask 2^40", { ...read, pad2: 1n << 40n }, "EINVAL"],
    ["without FIXED_FILE", { ...read, flags: 0 }, "EACCES"],
    ["ASYNC", { ...read, flags: FIXED_FILE | SqeFlag.ASYNC }, "EACCES"],
    ["IO_DRAIN", { ...read, flags: FIXED_FILE | SqeFlag.IO_DRAIN }, "EACCES"],
    ["BUFFER_SELECT", { ...read, flags: FIXED_FILE | SqeFlag.BUFFER_SELECT }, "EOPNOTSUPP"],
    ["flag bit 7", { ...read, flags: FIXED_FILE | 128 }, "EINVAL"],
    ["opcode NOP", { opcode: Op.NOP }, "EACCES"],
    ["opcode READ", { opcode: Op.READ, addr: at, len: 8 }, "EACCES"],
    ["opcode READ, BUFFER_SELECT", { opcode: Op.READ, flags: FIXED_FILE | 32 }, "EACCES"],
    ["opcode MADVISE", { opcode: Op.MADVISE, len: 4096, opFlags: 4 }, "EACCES"],
    ["opcode 200", { opcode: 200 }, "EINVAL"],
    ["write of an eventfd", { ...write, fd: EVENT, len: 8 }, "EFAULT"],
  ];
}

/** The fields of an SQE that the opcodes beside reads and writes may or may not use. */
export const FIELDS: Readonly<Record<string, Partial<SqeFields>>> = {
  none: {},
  ioprio: { ioprio: 0x4000 },
  off: { off: 4096n },
  "off < 0": { off: -5n },
  addr: { addr: 4096n },
  len: { len: 4096 },
  "len max": { len: 0xffff_ffff },
  "flags 1": { opFlags: 1 },
  "flags 8": { opFlags: 8 },
  "flags max": { opFlags: 0xffff_ffff },
  buf_index: { bufIndex: 1 },
  personality: { personality: 1 },
  splice_fd_in: { spliceFdIn: 1 },
  addr3: { addr3: 1n },
  pad2: { pad2: 1n },
  "slot -1": { fd: -1 },
  "slot empty": { fd: EMPTY_SLOT },
  "read-only": { fd: RO },
  "pipe's read end": { fd: PIPE_READ },
};

/**
 * Rows: an opcode, its harmless fields, and one answer for each of FIELDS in turn.
 */
export const FIELD_ANSWERS: [opcode: keyof typeof Op, base: Partial<SqeFields>, answers: string][] =
  [
    [
      "FSYNC",
      {},
      "0 EINVAL 0 EINVAL EINVAL 0 0 0 EINVAL EINVAL EINVAL EINVAL EINVAL 0 0 EBADF EBADF 0 " +
        "EINVAL",
    ],
    [
      "SYNC_FILE_RANGE",
      {},
      "0 EINVAL 0 EINVAL EINVAL 0 0 0 EINVAL EINVAL EINVAL EINVAL EINVAL 0 0 EBADF EBADF 0 " +
        "ESPIPE",
    ],
    [
      "FALLOCATE",
      { addr: 20_000n },
      "0 EINVAL 0 EINVAL 0 EOPNOTSUPP EOPNOTSUPP EINVAL EINVAL EINVAL EINVAL EINVAL EINVAL " +
        "0 0 EBADF EBADF EBADF EBADF",
    ],
    [
      "FADVISE",
      {},
      "0 EINVAL 0 0 0 0 0 0 EINVAL EINVAL EINVAL EINVAL EINVAL 0 0 EBADF EBADF 0 ESPIPE",
    ],
    [
      "FTRUNCATE",
      { off: 15_000n },
      "0 EINVAL 0 EINVAL EINVAL EINVAL EINVAL EINVAL EINVAL EINVAL EINVAL EINVAL EINVAL " +
        "EINVAL 0 EBADF EBADF EINVAL EINVAL",
    ],
    [
      "POLL_ADD",
      { opFlags: 1 },
      "1 EINVAL EINVAL EINVAL EINVAL EINVAL EINVAL 1 EINVAL 325 EINVAL EINVAL 1 1 1 EBADF " +
        "EBADF 1 1",
    ],
    [
      "POLL_REMOVE",
      { addr: 999n },
      "ENOENT EINVAL EINVAL EINVAL ENOENT EINVAL EINVAL EINVAL EINVAL EINVAL EINVAL EINVAL " +
        "EINVAL ENOENT ENOENT ENOENT ENOENT ENOENT ENOENT",
    ],
    [
      "ASYNC_CANCEL",
      { addr: 999n },
      "ENOENT EINVAL EINVAL EINVAL ENOENT ENOENT ENOENT 0 ENOENT EINVAL ENOENT EINVAL " +
        "EINVAL ENOENT ENOENT ENOENT ENOENT ENOENT ENOENT",
    ],
    [
      "SHUTDOWN",
      {},
      "ENOTSOCK EINVAL EINVAL EINVAL EINVAL ENOTSOCK ENOTSOCK EINVAL EINVAL EINVAL EINVAL " +
        "EINVAL EINVAL ENOTSOCK ENOTSOCK EBADF EBADF ENOTSOCK ENOTSOCK",
    ],
  ];

/** Chains: SQEs, and the CQEs that come of them. */
export function chains(at: bigint): [name: string, sqes: SqeFields[], completions: string][] {
  const ok: SqeFields = { opcode: Op.READ_FIXED, fd: RW, addr: at, len: 100 };
  const bad: SqeFields = { ...ok, fd: EMPTY_SLOT };
  const short: SqeFields = { ...ok, off: BigInt(FILE_BYTES - 50) };
  const denied: SqeFields = { opcode: Op.NOP };
  const invalid: SqeFields = { ...ok, personality: 1 };
  const badSync: SqeFields = { opcode: Op.FSYNC, fd: PIPE_READ };
  const nothing: SqeFields = { opcode: Op.ASYNC_CANCEL, addr: 77n };
  const link = (sqe: SqeFields) => linked(sqe, IO_LINK);
  const hard = (sqe: SqeFields) => linked(sqe, IO_HARDLINK);
  const skip = (sqe: SqeFields, flags = 0) => linked(sqe, flags | CQE_SKIP_SUCCESS);
  return [
    ["both succeed", [link(ok), ok], "0:100 1:100"],
    ["the first fails", [link(bad), link(ok), ok], "0:EBADF 1:ECANCELED 2:ECANCELED"],
    ["a hard link holds", [hard(bad), link(ok), ok], "0:EBADF 1:100 2:100"],
    ["a short read breaks", [link(short), ok], "0:50 1:ECANCELED"],
    ["not a hard link", [hard(short), ok], "0:50 1:100"],
    ["nor both bits", [linked(short, IO_LINK | IO_HARDLINK), ok], "0:50 1:100"],
    ["denied inside", [link(ok), link(denied), ok], "0:ECANCELED 1:EACCES 2:ECANCELED"],
    ["denied, hard", [hard(ok), hard(denied), ok], "0:ECANCELED 1:EACCES 2:ECANCELED"],
    ["denied first", [link(denied), ok], "0:EACCES 1:ECANCELED"],
    ["refused last", [link(ok), link(ok), invalid], "0:ECANCELED 1:ECANCELED 2:EINVAL"],
    ["two refused", [link(denied), link(invalid), ok], "0:EACCES 1:EINVAL 2:ECANCELED"],
    [
      "only a link flag",
      [link(ok), { ...ok, flags: IO_LINK }, ok],
      "0:ECANCELED 1:EACCES 2:ECANCELED",
    ],
    ["unknown opcode", [link(ok), link({ opcode: 200 }), ok], "0:ECANCELED 1:EINVAL 2:ECANCELED"],
    ["ends with the submission", [link(ok)], "0:100"],
    ["a failed fsync does not break", [link(badSync), ok], "0:EINVAL 1:100"],
    ["an fsync without file does", [link({ ...badSync, fd: 40 }), ok], "0:EBADF 1:ECANCELED"],
    [
      "a failed fadvise breaks",
      [link({ opcode: Op.FADVISE, fd: PIPE_READ }), ok],
      "0:ESPIPE 1:ECANCELED",
    ],
    ["a failed ftruncate does not", [link({ opcode: Op.FTRUNCATE, fd: RO }), ok], "0:EINVAL 1:100"],
    [
      "a failed shutdown breaks",
      [link({ opcode: Op.SHUTDOWN, fd: RW }), ok],
      "0:ENOTSOCK 1:ECANCELED",
    ],
    ["a fruitless cancel breaks", [link(nothing), ok], "0:ENOENT 1:ECANCELED"],
    ["a fruitless cancel of all does not", [link({ ...nothing, opFlags: 1 }), ok], "0:0 1:100"],
    ["skip success", [skip(ok), ok], "1:100"],
    ["skip in a chain", [skip(ok, IO_LINK), ok], "1:100"],
    ["a failure silences its chain", [skip(bad, IO_LINK), ok], "0:EBADF"],
    ["so does a short read", [skip(short, IO_LINK), ok], "0:50"],
    ["a short read is told", [skip(short)], "0:50"],
    [
      "who is cancelled is told",
      [link(bad), skip(ok, IO_LINK), ok],
      "0:EBADF 1:ECANCELED 2:ECANCELED",
    ],
    ["a skipping head hides a denial", [skip(ok, IO_LINK), link(denied), ok], "0:ECANCELED"],
    ["silence begins behind", [link(ok), skip(bad, IO_LINK), ok], "0:100 1:EBADF"],
    ["hard and skipped", [skip(bad, IO_HARDLINK), ok], "0:EBADF 1:100"],
    ["a denial is told", [skip(denied)], "0:EACCES"],
    ["a denied head silences", [skip(denied, IO_LINK), ok], "0:EACCES"],
    ["a failed fsync is not told", [skip(badSync, IO_LINK), ok], "1:100"],
  ];
}
