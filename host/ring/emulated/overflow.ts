/**
 * CQEs that found no room in the guest's queue, kept in order until there is some. The kernel's
 * list has no end; this one has, and the engine takes no SQE whose CQE might not fit (see
 * `engine.ts`).
 */
import { Cqe } from "../../abi";
import type { GuestRing } from "../guest-ring";

const CQE_WORDS = Cqe.SIZE / 4;

export class Overflow {
  count = 0;
  readonly #capacity: number;
  readonly #words: Int32Array;
  #head = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
    this.#words = new Int32Array(capacity * CQE_WORDS);
  }

  /** Keeps a CQE without flags. */
  push(userDataLow: number, userDataHigh: number, result: number): void {
    const at = ((this.#head + this.count) % this.#capacity) * CQE_WORDS;
    this.#words[at] = userDataLow;
    this.#words[at + 1] = userDataHigh;
    this.#words[at + 2] = result;
    this.count++;
  }

  /** Moves what fits to the guest's queue. */
  flush(ring: GuestRing): void {
    while (this.count > 0) {
      const at = this.#head * CQE_WORDS;
      const words = this.#words;
      if (!ring.post(words[at] ?? 0, words[at + 1] ?? 0, words[at + 2] ?? 0, 0)) break;
      this.#head = (this.#head + 1) % this.#capacity;
      this.count--;
    }
    ring.showOverflow(this.count > 0);
  }
}
