/**
 * How many bytes a ring needs, and whether what a guest asked for can be one: bounds, powers of two, alignment,
 * overlap. The size arithmetic is the kernel's (io_uring/io_uring.c: rings_size) and stands only here and, because a
 * guest needs it to allocate, in `assembly/ring-size.ts`.
 */
import { ABI_VERSION, Cqe, Errno, SetupRequest, SQ_ENTRIES_MAX, Sqe } from "../abi";
import type { GuestMemory } from "../memory/guest-memory";
import type { CheckedRequest, RingPlan } from "./engine";

/** struct io_rings without its CQEs; the kernel aligns the SQ array that follows them to a cache line. */
export const RING_HEADER_BYTES = 64;
const CACHE_LINE_BYTES = 64;
/** The kernel takes at most 1 GiB in one registered buffer (io_uring/rsrc.c). */
export const ARENA_LENGTH_MAX_BYTES = 1 << 30;

const alignUp = (value: number, alignment: number) => Math.ceil(value / alignment) * alignment;

/** Bytes of header, CQEs and SQ array: what the ring region must hold. The array is always counted: ABI-stable. */
export function ringBytes(sqEntries: number, cqEntries: number): number {
  const cqes = alignUp(RING_HEADER_BYTES + cqEntries * Cqe.SIZE, CACHE_LINE_BYTES);
  return cqes + sqEntries * 4;
}

export function sqesBytes(sqEntries: number): number {
  return sqEntries * Sqe.SIZE;
}

/** A refused request: the errno that the guest gets, and the sentence that its owner gets. */
export interface Refusal {
  errno: Errno;
  reason: string;
}

const isPowerOfTwo = (value: number) => value > 0 && (value & (value - 1)) === 0;

/** The fields as one private copy; null when the request itself does not lie in memory. */
function readRequest(memory: GuestMemory, offset: number): DataView | null {
  const bytes = memory.copyOut(offset, SetupRequest.SIZE);
  return bytes === null ? null : new DataView(bytes.buffer);
}

interface Region {
  name: string;
  offset: number;
  length: number;
}

function checkRegion(region: Region, memoryBytes: number, pageBytes: number): Refusal | null {
  const { name, offset, length } = region;
  const where = `the ${name} at offset ${offset}, ${length} bytes`;
  if (length === 0) return { errno: Errno.EINVAL, reason: `${where}, is empty` };
  if (offset + length > memoryBytes) {
    return {
      errno: Errno.EFAULT,
      reason: `${where}, is not inside the memory of ${memoryBytes} bytes`,
    };
  }
  if (offset % pageBytes !== 0 || length % pageBytes !== 0 || offset === 0) {
    return {
      errno: Errno.EINVAL,
      reason: `${where}, is not made of whole pages of ${pageBytes} bytes`,
    };
  }
  return null;
}

function checkEntries(sq: number, cq: number, plan: RingPlan): Refusal | null {
  if (!isPowerOfTwo(sq) || sq > SQ_ENTRIES_MAX || sq > plan.entriesMax) {
    const reason = `${sq} SQ entries are not a power of two from 1 to ${plan.entriesMax}`;
    return { errno: Errno.EINVAL, reason };
  }
  if (!isPowerOfTwo(cq) || cq < sq || cq > 2 * SQ_ENTRIES_MAX) {
    const reason = `${cq} CQ entries are not a power of two from ${sq} to ${2 * SQ_ENTRIES_MAX}`;
    return { errno: Errno.EINVAL, reason };
  }
  return null;
}

/**
 * Reads a guest's request once and checks the copy.
 *
 * @param offset linear-memory offset of a `SetupRequest`, any number: the guest chose it
 */
export function checkRequest(
  memory: GuestMemory,
  offset: number,
  plan: RingPlan,
  pageBytes: number,
): CheckedRequest | Refusal {
  const copy = readRequest(memory, offset);
  if (copy === null) {
    return {
      errno: Errno.EFAULT,
      reason: `the set-up request at offset ${offset >>> 0} is not inside memory`,
    };
  }
  const word = (field: number) => copy.getUint32(field, true);
  const version = word(SetupRequest.ABI_VERSION);
  if (version !== ABI_VERSION) {
    const reason = `the guest speaks ABI version ${version}, this host ${ABI_VERSION}: rebuild the guest`;
    return { errno: Errno.EPROTONOSUPPORT, reason };
  }
  if (word(SetupRequest.FLAGS) !== 0) {
    return {
      errno: Errno.EINVAL,
      reason: `set-up flags 0x${word(SetupRequest.FLAGS).toString(16)} are reserved`,
    };
  }
  const request: CheckedRequest = {
    sqEntries: word(SetupRequest.SQ_ENTRIES),
    cqEntries: word(SetupRequest.CQ_ENTRIES),
    ringOffset: word(SetupRequest.RING_OFFSET),
    ringLength: word(SetupRequest.RING_LENGTH),
    sqesOffset: word(SetupRequest.SQES_OFFSET),
    sqesLength: word(SetupRequest.SQES_LENGTH),
    arenaOffset: word(SetupRequest.ARENA_OFFSET),
    arenaLength: word(SetupRequest.ARENA_LENGTH),
  };
  return checkPlacement(request, memory, plan, pageBytes) ?? request;
}

function checkPlacement(
  request: CheckedRequest,
  memory: GuestMemory,
  plan: RingPlan,
  pageBytes: number,
): Refusal | null {
  const entries = checkEntries(request.sqEntries, request.cqEntries, plan);
  if (entries !== null) return entries;
  const regions: Region[] = [
    { name: "ring", offset: request.ringOffset, length: request.ringLength },
    { name: "SQE array", offset: request.sqesOffset, length: request.sqesLength },
    { name: "arena", offset: request.arenaOffset, length: request.arenaLength },
  ];
  for (const region of regions) {
    const refusal = checkRegion(region, memory.lengthBytes, pageBytes);
    if (refusal !== null) return refusal;
  }
  if (request.arenaLength > ARENA_LENGTH_MAX_BYTES) {
    const reason = `an arena of ${request.arenaLength} bytes is larger than ${ARENA_LENGTH_MAX_BYTES}`;
    return { errno: Errno.EINVAL, reason };
  }
  const neededRing = ringBytes(request.sqEntries, request.cqEntries);
  const neededSqes = sqesBytes(request.sqEntries);
  if (request.ringLength < neededRing || request.sqesLength < neededSqes) {
    const reason = `${request.sqEntries}/${request.cqEntries} entries need ${neededRing} and ${neededSqes} bytes, not ${request.ringLength} and ${request.sqesLength}`;
    return { errno: Errno.EINVAL, reason };
  }
  return checkOverlap(regions);
}

/**
 * Checks where a guest wants a further arena; overlap with what it has already is another question.
 *
 * @returns why not, or null
 */
export function checkArena(
  memory: GuestMemory,
  offset: number,
  length: number,
  pageBytes: number,
): Refusal | null {
  const refusal = checkRegion({ name: "arena", offset, length }, memory.lengthBytes, pageBytes);
  if (refusal !== null || length <= ARENA_LENGTH_MAX_BYTES) return refusal;
  const reason = `an arena of ${length} bytes is larger than ${ARENA_LENGTH_MAX_BYTES}`;
  return { errno: Errno.EINVAL, reason };
}

function checkOverlap(regions: readonly Region[]): Refusal | null {
  const sorted = [...regions].sort((a, b) => a.offset - b.offset);
  for (let index = 1; index < sorted.length; index++) {
    const before = sorted[index - 1];
    const after = sorted[index];
    if (before === undefined || after === undefined) continue;
    if (before.offset + before.length > after.offset) {
      return { errno: Errno.EINVAL, reason: `the ${before.name} and the ${after.name} overlap` };
    }
  }
  return null;
}
