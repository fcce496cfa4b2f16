/**
 * Reads and writes of a standard stream that is captured, given or passed through: vector by vector
 * between guest memory and the stream, without a copy.
 */
import { Errno } from "../abi";
import type { GuestMemory } from "../memory/guest-memory";
import { type Parameter, unsigned } from "./parameter";
import { TRANSFER_MAX_BYTES, VECTORS_MAX } from "./vectors";

const VECTOR_BYTES = 8;

/** Moves one vector's bytes: how many, or a negated Linux errno. */
type Transfer = (bytes: Uint8Array) => number;

/**
 * Walks the guest's vectors. Each is read once and checked, because another thread of the guest may
 * change it at any time. An error after the first byte is reported by the next call, as in POSIX.
 *
 * @returns how many bytes were moved, or a negated Linux errno
 */
export function transferStream(
  guest: GuestMemory,
  transfer: Transfer,
  [vectors, count]: readonly [Parameter, Parameter],
  untilFull: boolean,
): number {
  const vectorCount = unsigned(count);
  const vectorsAt = unsigned(vectors);
  if (vectorCount > VECTORS_MAX) return -Errno.EINVAL;
  if (!guest.contains(vectorsAt, vectorCount * VECTOR_BYTES)) return -Errno.EFAULT;
  let total = 0;
  for (let index = 0; index < vectorCount; index++) {
    const at = guest.view.getUint32(vectorsAt + index * VECTOR_BYTES, true);
    const length = guest.view.getUint32(vectorsAt + index * VECTOR_BYTES + 4, true);
    const wanted = Math.min(length, TRANSFER_MAX_BYTES - total);
    const done = guest.contains(at, length)
      ? transferOne(guest, transfer, at, wanted, untilFull)
      : -Errno.EFAULT;
    if (done < 0 && total === 0) return done;
    if (done > 0) total += done;
    if (done < wanted || (!untilFull && total > 0)) break;
  }
  return total;
}

function transferOne(
  guest: GuestMemory,
  transfer: Transfer,
  at: number,
  length: number,
  untilFull: boolean,
): number {
  let moved = 0;
  while (moved < length) {
    const done = transfer(guest.bytes.subarray(at + moved, at + length));
    if (done < 0) return moved === 0 ? done : moved;
    moved += done;
    if (done === 0 || !untilFull) break;
  }
  return moved;
}
