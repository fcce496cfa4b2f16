/**
 * The stage on which a probe acts: a private WebAssembly memory laid out as a guest would, with
 * canaries in every byte that no ring and no arena owns.
 */
import { GuestMemory } from "../memory/guest-memory";
import type { CheckedRequest } from "../ring/engine";

const MEMORY_PAGES = 32;
const PAGE_BYTES = 65536;
const CANARY = 0xa5;

/**
 * 64 SQ and 128 CQ entries, one page each on every kernel; regions of 64 KiB suit every page size
 * of Linux.
 */
export const PROBE_REQUEST: CheckedRequest = {
  sqEntries: 64,
  cqEntries: 128,
  ringOffset: 2 * PAGE_BYTES,
  ringLength: PAGE_BYTES,
  sqesOffset: 4 * PAGE_BYTES,
  sqesLength: PAGE_BYTES,
  arenaOffset: 8 * PAGE_BYTES,
  arenaLength: 2 * PAGE_BYTES,
};

/** Rings of many pages: 512 SQEs are 32 KiB, 1024 CQEs 16 KiB. */
export const LARGE_REQUEST: CheckedRequest = { ...PROBE_REQUEST, sqEntries: 512, cqEntries: 1024 };

export function makeStage(): GuestMemory {
  const memory = new WebAssembly.Memory({ initial: MEMORY_PAGES, maximum: MEMORY_PAGES });
  const guest = new GuestMemory(memory);
  guest.bytes.fill(CANARY);
  return guest;
}

/** How many bytes outside the three regions are no longer what `makeStage` wrote. */
export function changedCanaries(guest: GuestMemory): number {
  const { bytes } = guest;
  const owned = [
    [PROBE_REQUEST.ringOffset, PROBE_REQUEST.ringLength],
    [PROBE_REQUEST.sqesOffset, PROBE_REQUEST.sqesLength],
    [PROBE_REQUEST.arenaOffset, PROBE_REQUEST.arenaLength],
  ] as const;
  let changed = 0;
  let at = 0;
  for (const [offset, length] of [...owned, [bytes.length, 0] as const]) {
    for (; at < offset; at++) if (bytes[at] !== CANARY) changed++;
    at = offset + length;
  }
  return changed;
}
