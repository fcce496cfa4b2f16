/**
 * The fixed file table as the host sees it: which slot holds which grant. For the engines that
 * consume a guest's SQ in the host, where a slot's number comes from the guest. A private copy of
 * what the embedder grants, taken anew when that changed.
 */
import { FILE_SLOTS, GrantKind } from "../abi";
import { SharedSlots } from "../grant/shared-slots";
import type { GrantSlot, RingPlan } from "./engine";

/** The table that the embedder's thread writes, or one of the plan's own grants. */
export function sharedSlotsOf(plan: RingPlan): SharedSlots {
  return plan.grants === undefined ? SharedSlots.of(plan.slots) : new SharedSlots(plan.grants);
}

export class SlotTable {
  readonly #shared: SharedSlots;
  readonly #slots = new Array<GrantSlot | undefined>(FILE_SLOTS).fill(undefined);
  /** Slots whose grant went or was replaced by the last `refresh`: 1. */
  readonly #lost = new Uint8Array(FILE_SLOTS);
  #serials: Int32Array = new Int32Array(FILE_SLOTS);
  #generation = -1;

  constructor(shared: SharedSlots) {
    this.#shared = shared;
    this.refresh();
  }

  /** The grant in a slot; undefined when it is empty or there is no such slot. */
  get(slot: number): GrantSlot | undefined {
    // As unsigned: -1 is a slot beyond the table. The bound also keeps a look-up by a hostile
    // number cheap.
    return slot >>> 0 < FILE_SLOTS ? this.#slots[slot] : undefined;
  }

  /**
   * Looks for changes; one load when there are none.
   *
   * @returns whether there were any. `isLost` says what was taken away: `acknowledge` when nothing
   *   uses its descriptor any more
   */
  refresh(): boolean {
    if (this.#shared.generation === this.#generation) return false;
    const { slots, serials, generation } = this.#shared.snapshot();
    this.#generation = generation;
    for (let slot = 0; slot < FILE_SLOTS; slot++) {
      const before = this.#serials[slot];
      this.#lost[slot] = before !== 0 && before !== serials[slot] ? 1 : 0;
    }
    this.#serials = serials;
    this.#slots.fill(undefined);
    for (const grant of slots) this.#slots[grant.slot] = grant;
    return true;
  }

  isLost(slot: number): boolean {
    return this.#lost[slot] === 1;
  }

  acknowledge(): void {
    this.#shared.acknowledge(this.#generation);
  }

  /** What is done until `endUse` may use the descriptors in this table. */
  beginUse(): void {
    this.#shared.beginUse();
  }

  endUse(): void {
    this.#shared.endUse();
  }
}

/**
 * Whether the data of a grant's reads and writes arrives when it likes: such an operation may have
 * to wait.
 */
export function isStream(kind: GrantKind): boolean {
  return kind !== GrantKind.FILE && kind !== GrantKind.BLOCK_DEVICE;
}
