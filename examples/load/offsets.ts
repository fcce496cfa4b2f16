/**
 * Where the next operation goes: block after block, or anywhere by xorshift64*; always a multiple
 * of the block size.
 */

/** The seed is fixed: every run, and the native twin, visits the same blocks. */
const SEED: u64 = 0x9e3779b97f4a7c15;

export class Offsets {
  private state: u64 = SEED;
  private next: u64 = 0;

  constructor(
    private isRandom: bool,
    private blockBytes: u64,
    /** Below 2^32: what lies beyond in a larger file is not visited. */
    private blocks: u64,
  ) {}

  @inline take(): u64 {
    if (!this.isRandom) {
      const block = this.next;
      this.next = block + 1 == this.blocks ? 0 : block + 1;
      return block * this.blockBytes;
    }
    let x = this.state;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    this.state = x;
    // The upper half scaled to the number of blocks: a multiplication where a remainder would cost
    // a division.
    return (((x * 0x2545f4914f6cdd1d) >> 32) * this.blocks >> 32) * this.blockBytes;
  }
}
