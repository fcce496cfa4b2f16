/**
 * Makes a kernel ring whose pages are the guest's: by IORING_SETUP_NO_MMAP (6.5), or by mmap(MAP_FIXED) of the ring's
 * descriptor over the guest's pages (older kernels that still accept it). Both return the same facts.
 */
import { CqOffset, Errno, Feature, MmapOffset, Params, SetupFlag, SqOffset } from "../../abi";
import { errnoName } from "../../errors";
import type { Syscalls } from "../../ffi/syscalls";
import type { CheckedRequest, SqpollOptions } from "../engine";
import { memlockError } from "../relocate";

export type Placement = "NO_MMAP" | "MAP_FIXED";

/** A ring that the kernel made, still disabled, and what the kernel said of it. */
export interface KernelRing {
  fd: number;
  /** SetupFlag bits that the kernel accepted. */
  flags: number;
  /** Feature bits. */
  features: number;
  params: DataView;
}

const PROT_READ_WRITE = 3;
const MAP_SHARED_FIXED_POPULATE = 0x1 | 0x10 | 0x8000;
const MAP_PRIVATE_ANONYMOUS_FIXED = 0x2 | 0x20 | 0x10;

/**
 * Flags that only make the ring better, newest first: each is dropped when the kernel does not know it (EINVAL).
 * Chosen by measurement, see docs/measurements.md.
 */
const OPTIONAL_FLAGS = [
  SetupFlag.NO_SQARRAY,
  SetupFlag.COOP_TASKRUN,
  SetupFlag.SUBMIT_ALL,
] as const;

function fillParams(
  request: CheckedRequest,
  flags: number,
  sqpoll: SqpollOptions | null,
  base: bigint | null,
): DataView {
  const params = new DataView(new ArrayBuffer(Params.SIZE));
  params.setUint32(Params.CQ_ENTRIES, request.cqEntries, true);
  params.setUint32(Params.FLAGS, flags, true);
  if (sqpoll !== null) {
    params.setUint32(Params.SQ_THREAD_IDLE, sqpoll.idleMs, true);
    params.setUint32(Params.SQ_THREAD_CPU, sqpoll.cpu ?? 0, true);
  }
  if (base !== null) {
    const at = (offset: number) => base + BigInt(offset);
    params.setBigUint64(Params.CQ_OFF + CqOffset.USER_ADDR, at(request.ringOffset), true);
    params.setBigUint64(Params.SQ_OFF + SqOffset.USER_ADDR, at(request.sqesOffset), true);
  }
  return params;
}

/** How a ring is driven: who submits, and who looks for completions. */
export interface RingDrive {
  sqpoll: SqpollOptions | null;
  /** IORING_SETUP_IOPOLL. */
  iopoll?: boolean;
}

function requiredFlags({ sqpoll, iopoll }: RingDrive, placement: Placement): number {
  let flags = SetupFlag.R_DISABLED | SetupFlag.CQSIZE;
  if (iopoll === true) flags |= SetupFlag.IOPOLL;
  if (placement === "NO_MMAP") flags |= SetupFlag.NO_MMAP;
  if (sqpoll !== null) flags |= SetupFlag.SQPOLL;
  if (sqpoll?.cpu !== undefined) flags |= SetupFlag.SQ_AFF;
  return flags;
}

/** SQPOLL excludes COOP_TASKRUN: the poll thread runs the task work. */
function optionalFlags(sqpoll: SqpollOptions | null): number[] {
  return OPTIONAL_FLAGS.filter((flag) => sqpoll === null || flag !== SetupFlag.COOP_TASKRUN);
}

/**
 * io_uring_setup(2) with as many of the optional flags as this kernel takes.
 *
 * @param base native address of the guest's memory, or null for MAP_FIXED
 * @returns the ring, or the errno of the last try
 */
function setup(
  syscalls: Syscalls,
  request: CheckedRequest,
  drive: RingDrive,
  placement: Placement,
  base: bigint | null,
): KernelRing | number {
  const { sqpoll } = drive;
  const required = requiredFlags(drive, placement);
  const optional = optionalFlags(sqpoll);
  let errno = 0;
  for (let dropped = 0; dropped <= optional.length; dropped++) {
    const flags = optional.slice(dropped).reduce((all, flag) => all | flag, required);
    const params = fillParams(request, flags, sqpoll, base);
    const fd = syscalls.ioUringSetup(request.sqEntries, new Uint8Array(params.buffer));
    if (fd >= 0) return { fd, flags, features: params.getUint32(Params.FEATURES, true), params };
    errno = -fd;
    if (errno !== Errno.EINVAL) break;
  }
  return errno;
}

/** Puts fresh ordinary memory where the pages are a ring's: the kernel keeps those until the ring is gone. */
export function unmapRing(syscalls: Syscalls, base: bigint, request: CheckedRequest): void {
  for (const [offset, length] of [
    [request.ringOffset, request.ringLength],
    [request.sqesOffset, request.sqesLength],
  ] as const) {
    const address = base + BigInt(offset);
    syscalls.mmap(address, length, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS_FIXED, -1, 0);
  }
}

function mapOver(
  syscalls: Syscalls,
  ring: KernelRing,
  base: bigint,
  request: CheckedRequest,
): number {
  if ((ring.features & Feature.SINGLE_MMAP) === 0) return Errno.EINVAL;
  const regions = [
    [request.ringOffset, request.ringLength, MmapOffset.SQ_RING],
    [request.sqesOffset, request.sqesLength, MmapOffset.SQES],
  ] as const;
  for (const [offset, length, where] of regions) {
    const address = base + BigInt(offset);
    const got = syscalls.mmap(
      address,
      length,
      PROT_READ_WRITE,
      MAP_SHARED_FIXED_POPULATE,
      ring.fd,
      where,
    );
    if (got !== address) {
      unmapRing(syscalls, base, request);
      return Number(-got);
    }
  }
  return 0;
}

/**
 * @returns the ring, or the errno with which the kernel refused this placement (EINVAL: it does not know it)
 * @throws WasmUringError ERR_MEMLOCK when the ring's pages may not be pinned
 */
export function createKernelRing(
  syscalls: Syscalls,
  request: CheckedRequest,
  drive: RingDrive,
  placement: Placement,
  base: bigint,
): KernelRing | number {
  const ring = setup(syscalls, request, drive, placement, placement === "NO_MMAP" ? base : null);
  if (typeof ring === "number") {
    if (ring === Errno.ENOMEM)
      throw memlockError(syscalls, `creating a ring of ${request.sqEntries} entries`);
    return ring;
  }
  if (placement === "NO_MMAP") return ring;
  const errno = mapOver(syscalls, ring, base, request);
  if (errno === 0) return ring;
  syscalls.close(ring.fd);
  return errno;
}

/** The refusal of a placement as a reason for the ladder's report. */
export function placementReason(placement: Placement, errno: number): string {
  const name = errnoName(errno);
  if (errno === Errno.EPERM)
    return `io_uring_setup: ${name} (denied by sysctl, seccomp or a security module)`;
  if (errno === Errno.ENOSYS) return `io_uring_setup: ${name} (this kernel has no io_uring)`;
  if (placement === "NO_MMAP")
    return `IORING_SETUP_NO_MMAP: ${name} (needs Linux 6.5; rings larger than a page 6.10)`;
  return `mmap(MAP_FIXED) of the ring: ${name} (refused since 6.1.51 and 6.4)`;
}

/** An io_uring_setup errno that no other placement or kernel ring will cure. */
export function isDenied(errno: number): boolean {
  return errno === Errno.EPERM || errno === Errno.ENOSYS || errno === Errno.EACCES;
}
