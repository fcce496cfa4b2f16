/** Results that are known without the kernel's completion: of synchronous requests, and of those that never started. */
import type { Completions } from "./backend";

export class Finished {
  readonly #tags: Int32Array;
  readonly #results: Int32Array;
  readonly #mask: number;
  #head = 0;
  #tail = 0;

  /** @param depth each tag is here at most once */
  constructor(depth: number) {
    const capacity = 1 << (32 - Math.clz32(depth));
    this.#tags = new Int32Array(capacity);
    this.#results = new Int32Array(capacity);
    this.#mask = capacity - 1;
  }

  get isEmpty(): boolean {
    return this.#head === this.#tail;
  }

  add(tag: number, result: number): void {
    const at = this.#tail & this.#mask;
    this.#tags[at] = tag;
    this.#results[at] = result;
    this.#tail = (this.#tail + 1) | 0;
  }

  /** Moves what fits to the beginning of `completions`. @returns how many */
  drainTo(completions: Completions): number {
    const { tags, results } = completions;
    let count = 0;
    while (this.#head !== this.#tail && count < tags.length) {
      const at = this.#head & this.#mask;
      tags[count] = this.#tags[at] ?? 0;
      results[count++] = this.#results[at] ?? 0;
      this.#head = (this.#head + 1) | 0;
    }
    return count;
  }
}
