/**
 * The fixed file table as the host sees it: which slot holds which grant. For the engines that
 * consume a guest's SQ in the host, where a slot's number comes from the guest.
 */
import { FILE_SLOTS, GrantKind } from "../abi";
import type { GrantSlot } from "./engine";

export class SlotTable {
  readonly #slots: (GrantSlot | undefined)[] = new Array<GrantSlot | undefined>(FILE_SLOTS).fill(
    undefined,
  );

  constructor(slots: readonly GrantSlot[]) {
    for (const grant of slots) this.#slots[grant.slot] = grant;
  }

  /** The grant in a slot; undefined when it is empty or there is no such slot. */
  get(slot: number): GrantSlot | undefined {
    // As unsigned: -1 is a slot beyond the table. The bound also keeps a look-up by a hostile
    // number cheap.
    return slot >>> 0 < FILE_SLOTS ? this.#slots[slot] : undefined;
  }
}

/**
 * Whether the data of a grant's reads and writes arrives when it likes: such an operation may have
 * to wait.
 */
export function isStream(kind: GrantKind): boolean {
  return kind !== GrantKind.FILE && kind !== GrantKind.BLOCK_DEVICE;
}
