/**
 * READ_FIXED is allowed; here every operand of it is spoilt in turn: flags, descriptor, address,
 * length, the rest.
 */
import {
  Errno,
  GrantInfo,
  GUEST_ADDRESS_BASE,
  guestAddress,
  Limits,
  Op,
  Sqe,
  SqeFlag,
  GrantAccess,
  RwAttr,
} from "../../../assembly";
import { uringGrant } from "../../../assembly/host";
import { isAllowed, PROGRAM_TEXT } from "./opcodes";
import { nameOf, Report } from "./report";

/** A read of one page from slot 0 to the start of the arena: what a good guest does. */
function ordinary(report: Report): usize {
  const sqe = report.ring.sqe();
  store<u8>(sqe, <u8>Op.READ_FIXED);
  store<u8>(sqe, SqeFlag.FIXED_FILE, Sqe.FLAGS);
  store<u64>(sqe, guestAddress(report.ring.arena), Sqe.ADDR);
  store<u32>(sqe, <u32>report.ring.page, Sqe.LEN);
  return sqe;
}

/** The proof that the ring works: a refusal of everything would otherwise prove nothing. */
export function tryOrdinary(report: Report, when: string): void {
  ordinary(report);
  report.control("(control) an ordinary read" + when, report.ring.run());
}

function tryFlags(
  report: Report,
  attempt: string,
  gain: string,
  flags: u32,
  fd: i32,
  expected: Errno,
  or: Errno,
): void {
  const sqe = ordinary(report);
  store<u8>(sqe, <u8>flags, Sqe.FLAGS);
  store<i32>(sqe, fd, Sqe.FD);
  report.refusal(attempt, gain, report.ring.run(), expected, or);
}

function trySlot(report: Report, slot: i32): void {
  const sqe = ordinary(report);
  store<i32>(sqe, slot, Sqe.FD);
  report.refusal(
    "slot " + slot.toString(),
    "a file that was not granted",
    report.ring.run(),
    Errno.EBADF,
  );
}

function tryRange(report: Report, attempt: string, gain: string, address: u64, length: u32): void {
  const sqe = ordinary(report);
  store<u64>(sqe, address, Sqe.ADDR);
  store<u32>(sqe, length, Sqe.LEN);
  report.refusal(attempt, gain, report.ring.run(), Errno.EFAULT);
}

export function tryDescriptors(report: Report): void {
  const stream: StaticArray<string> = ["stdin", "stdout", "stderr"];
  for (let fd = 0; fd < 24; fd += fd < 4 ? 1 : 5) {
    const gain = fd < 3 ? "the host's " + stream[fd] : "an open file of the host";
    const attempt = "descriptor " + fd.toString() + " without FIXED_FILE";
    tryFlags(report, attempt, gain, 0, fd, Errno.EACCES, Errno.EACCES);
  }
  const fixed = <u32>SqeFlag.FIXED_FILE;
  const order = "requests in an order that stalls the ring";
  tryFlags(
    report,
    "flag IO_DRAIN",
    order,
    fixed | SqeFlag.IO_DRAIN,
    0,
    Errno.EACCES,
    Errno.EOPNOTSUPP,
  );
  tryFlags(
    report,
    "flag ASYNC",
    "kernel threads at will",
    fixed | SqeFlag.ASYNC,
    0,
    Errno.EACCES,
    Errno.EACCES,
  );
  const select = "a buffer that is not the arena";
  tryFlags(
    report,
    "flag BUFFER_SELECT",
    select,
    fixed | SqeFlag.BUFFER_SELECT,
    0,
    Errno.EACCES,
    Errno.EOPNOTSUPP,
  );
  tryFlags(
    report,
    "flag 128",
    "whatever comes one day",
    fixed | 128,
    0,
    Errno.EACCES,
    Errno.EINVAL,
  );
  const grants = load<u32>(report.ring.limits, Limits.GRANTS);
  if (grants < 64) trySlot(report, grants);
  trySlot(report, 64);
  trySlot(report, 65536);
  trySlot(report, i32.MAX_VALUE);
  trySlot(report, -1);
  trySlot(report, i32.MIN_VALUE);
}

export function tryAddresses(report: Report): void {
  const ring = report.ring;
  const page = <u32>ring.page;
  const start = guestAddress(ring.arena);
  const end = guestAddress(ring.arenaEnd);
  const own = "guest memory beside the arena overwritten";
  const host = "host memory overwritten";
  tryRange(report, "address: the byte below the arena", own, start - 1, 1);
  tryRange(report, "address: the page below the arena", own, start - page, page);
  tryRange(
    report,
    "address: its own SQEs",
    "SQEs written behind everyone's back",
    start - 2 * page,
    page,
  );
  tryRange(
    report,
    "address: its own ring header",
    "indices written by a file",
    start - 3 * page,
    page,
  );
  tryRange(report, "address: across the arena's start", own, start - page / 2, page);
  tryRange(report, "address: across the arena's end", own, end - page + 1, page);
  tryRange(report, "address: the page above the arena", own, end, page);
  tryRange(report, "address: guest address 0", own, GUEST_ADDRESS_BASE, page);
  tryRange(report, "address: the offset without 4 GiB", host, <u64>ring.arena, page);
  tryRange(report, "address: the offset plus 8 GiB", host, start + GUEST_ADDRESS_BASE, page);
  tryRange(report, "address: 0", host, 0, page);
  tryRange(report, "address: 0x400000 (program text)", host, PROGRAM_TEXT, page);
  tryRange(report, "address: 0x555555554000 (program, PIE)", host, 0x5555_5555_4000, page);
  tryRange(report, "address: 0x7f0000000000 (libraries)", host, 0x7f00_0000_0000, page);
  tryRange(report, "address: 0x7ffffffde000 (stack)", host, 0x7fff_fffd_e000, page);
  tryRange(
    report,
    "address: 0xffffffff81000000 (kernel)",
    "kernel memory overwritten",
    0xffff_ffff_8100_0000,
    page,
  );
  tryRange(report, "address: wrapping around 2^64", host, 0 - <u64>page / 2, page);
  tryRange(report, "address: 2^64-1", host, u64.MAX_VALUE, page);
  tryRange(report, "length 2^32-1", own, start, u32.MAX_VALUE);
  tryRange(report, "length one more than the arena", own, start, <u32>(end - start) + 1);
}

export function tryHiddenFields(report: Report): void {
  let sqe = ordinary(report);
  store<u16>(sqe, 1, Sqe.BUF_INDEX);
  report.refusal("registered buffer 1", "another guest's arena", report.ring.run(), Errno.EFAULT);
  sqe = ordinary(report);
  store<u16>(sqe, u16.MAX_VALUE, Sqe.BUF_INDEX);
  report.refusal(
    "registered buffer 65535",
    "host memory overwritten",
    report.ring.run(),
    Errno.EFAULT,
  );
  sqe = ordinary(report);
  store<u16>(sqe, 1, Sqe.PERSONALITY);
  report.refusal("personality 1", "somebody else's credentials", report.ring.run(), Errno.EINVAL);
}

/** Only where the policy has the opcode: the file itself must then refuse. */
export function tryReadOnly(report: Report): void {
  const input = String.UTF8.encode("input");
  const info = heap.alloc(GrantInfo.SIZE);
  const slot = uringGrant(changetype<usize>(input), input.byteLength, info);
  const writable = (load<u32>(info, GrantInfo.ACCESS) & GrantAccess.WRITE) != 0;
  if (slot < 0 || writable || !isAllowed(report, Op.WRITE_FIXED)) return;
  const sqe = ordinary(report);
  store<u8>(sqe, <u8>Op.WRITE_FIXED);
  store<i32>(sqe, slot, Sqe.FD);
  report.refusal(
    "write to a grant that is read-only",
    "the file changed",
    report.ring.run(),
    Errno.EBADF,
  );
}

/** What `attr_ptr` answers for this address: the kernel looks before it finds the slot empty. */
function probe(report: Report, address: u64): i32 {
  const sqe = ordinary(report);
  store<i32>(sqe, 63, Sqe.FD);
  store<u64>(sqe, address, Sqe.ATTR_PTR);
  store<u64>(sqe, RwAttr.PI, Sqe.ATTR_TYPE_MASK);
  return report.ring.run();
}

/**
 * Not an escape, and yet a disclosure: kernels from 6.14 on follow `attr_ptr` of an allowed read,
 * and no restriction can forbid it. Nothing is written and no content comes back, but the answers
 * differ by what lies there.
 */
export function tryOracle(report: Report): void {
  const unmapped = probe(report, 8);
  const text = probe(report, PROGRAM_TEXT);
  const answers = nameOf(unmapped) + " for address 8, " + nameOf(text) + " for 0x400000";
  const followed = unmapped == -(<i32>Errno.EFAULT);
  report.note(
    followed
      ? "attr_ptr is followed (" +
          answers +
          "): this ring tells which host addresses are mapped " +
          "and which words are zero. Kernels from 6.14 do; the mirrored and emulated engines do not"
      : "attr_ptr is not followed (" + answers + ")",
  );
}
