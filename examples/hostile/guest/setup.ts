/**
 * The host's own calls with hostile arguments: query, grant, set-up before and after the real one,
 * enter.
 */
import { EnterFlag, Errno, GrantInfo, SetupRequest } from "../../../assembly";
import { uringEnter, uringGrant, uringQuery, uringSetup } from "../../../assembly/host";
import { Report } from "./report";

/** Beyond every memory that this guest can have. */
const OUTSIDE: u32 = 0xffff_f000;

export function tryCallsWithoutRing(report: Report): void {
  const name = String.UTF8.encode("../../../../etc/passwd");
  const pointer = changetype<usize>(name);
  const outside: usize = OUTSIDE;
  report.refusal(
    "enter before set-up",
    "a ring of somebody else",
    uringEnter(1, 0, 0, 0),
    Errno.EBADF,
  );
  report.refusal(
    "query to outside memory",
    "host memory overwritten",
    uringQuery(outside),
    Errno.EFAULT,
  );
  const byPath = uringGrant(pointer, name.byteLength, 0);
  report.refusal(
    "grant named ../../../../etc/passwd",
    "any file of the host",
    byPath,
    Errno.ENOENT,
  );
  report.refusal(
    "grant named from outside memory",
    "host memory read",
    uringGrant(outside, 16, 0),
    Errno.EFAULT,
  );
  const long = uringGrant(pointer, u32.MAX_VALUE, 0);
  report.refusal("grant name of 2^32-1 bytes", "host memory read", long, Errno.ENAMETOOLONG);
  const input = String.UTF8.encode("input");
  const info = uringGrant(
    changetype<usize>(input),
    input.byteLength,
    OUTSIDE - GrantInfo.SIZE + 0xfff,
  );
  report.refusal("grant described outside memory", "host memory overwritten", info, Errno.EFAULT);
}

/** One word of an otherwise good request is spoilt. */
function trySetup(
  report: Report,
  what: string,
  gain: string,
  field: u32,
  value: u32,
  expected: Errno,
): void {
  report.ring.fillRequest();
  report.ring.setRequest(field, value);
  report.refusal("set-up: " + what, gain, uringSetup(report.ring.request), expected);
}

export function trySetups(report: Report): void {
  const ring = report.ring;
  const page = <u32>ring.page;
  const arena = <u32>ring.arena;
  const outside = "the kernel writing outside guest memory";
  const confusion = "a ring that contradicts itself";
  report.refusal(
    "set-up: request outside memory",
    "host memory read",
    uringSetup(OUTSIDE),
    Errno.EFAULT,
  );
  report.refusal(
    "set-up: request at 2^32-4",
    "host memory read",
    uringSetup(u32.MAX_VALUE - 3),
    Errno.EFAULT,
  );
  trySetup(
    report,
    "rings outside memory",
    outside,
    SetupRequest.RING_OFFSET,
    OUTSIDE,
    Errno.EFAULT,
  );
  trySetup(report, "SQEs outside memory", outside, SetupRequest.SQES_OFFSET, OUTSIDE, Errno.EFAULT);
  trySetup(
    report,
    "arena outside memory",
    outside,
    SetupRequest.ARENA_OFFSET,
    OUTSIDE,
    Errno.EFAULT,
  );
  trySetup(
    report,
    "arena longer than memory",
    outside,
    SetupRequest.ARENA_LENGTH,
    OUTSIDE,
    Errno.EFAULT,
  );
  trySetup(
    report,
    "arena wrapping around",
    outside,
    SetupRequest.ARENA_LENGTH,
    0 - arena + page,
    Errno.EFAULT,
  );
  trySetup(
    report,
    "rings unaligned",
    outside,
    SetupRequest.RING_OFFSET,
    <u32>ring.base + 8,
    Errno.EINVAL,
  );
  trySetup(
    report,
    "arena unaligned",
    outside,
    SetupRequest.ARENA_OFFSET,
    arena + 512,
    Errno.EINVAL,
  );
  trySetup(report, "rings at address 0", confusion, SetupRequest.RING_OFFSET, 0, Errno.EINVAL);
  trySetup(
    report,
    "arena over the rings",
    confusion,
    SetupRequest.ARENA_OFFSET,
    <u32>ring.base + page,
    Errno.EINVAL,
  );
  trySetup(
    report,
    "SQEs over the rings",
    confusion,
    SetupRequest.SQES_OFFSET,
    <u32>ring.base + page,
    Errno.EINVAL,
  );
  trySetup(report, "arena of no bytes", confusion, SetupRequest.ARENA_LENGTH, 0, Errno.EINVAL);
  trySetup(report, "0 entries", confusion, SetupRequest.SQ_ENTRIES, 0, Errno.EINVAL);
  trySetup(report, "63 entries", confusion, SetupRequest.SQ_ENTRIES, 63, Errno.EINVAL);
  trySetup(report, "2^31 entries", outside, SetupRequest.SQ_ENTRIES, 1 << 31, Errno.EINVAL);
  trySetup(
    report,
    "more CQEs than the page holds",
    outside,
    SetupRequest.CQ_ENTRIES,
    32768,
    Errno.EINVAL,
  );
  trySetup(
    report,
    "more SQEs than the page holds",
    outside,
    SetupRequest.SQES_LENGTH,
    0,
    Errno.EINVAL,
  );
  trySetup(
    report,
    "unknown flags",
    "a ring without restrictions",
    SetupRequest.FLAGS,
    1,
    Errno.EINVAL,
  );
  trySetup(
    report,
    "unknown ABI version",
    confusion,
    SetupRequest.ABI_VERSION,
    99,
    Errno.EPROTONOSUPPORT,
  );
}

export function tryCallsWithRing(report: Report): void {
  const copy = heap.alloc(SetupRequest.SIZE);
  memory.copy(copy, report.ring.request, SetupRequest.SIZE);
  report.refusal("set-up a second time", "a second ring, unwatched", uringSetup(copy), Errno.EBUSY);
  const registered = uringEnter(0, 0, EnterFlag.REGISTERED_RING, 0);
  report.refusal(
    "enter with REGISTERED_RING",
    "another ring of the host",
    registered,
    Errno.EINVAL,
  );
  const argument = uringEnter(0, 0, EnterFlag.EXT_ARG, 0);
  report.refusal("enter with EXT_ARG", "host memory read as an argument", argument, Errno.EINVAL);
  const unknown = uringEnter(0, 0, u32.MAX_VALUE, 0);
  report.refusal("enter with every flag", "whatever comes one day", unknown, Errno.EINVAL);
}
