/**
 * xxHash64 (XXH64, seed 0) of bytes that come in pieces: github.com/Cyan4973/xxHash,
 * doc/xxhash_spec.md. Four lanes take eight bytes each of every stripe of 32; what is left at the
 * end is mixed in by eights, a four, and ones.
 */
const PRIME_1: u64 = 0x9e3779b185ebca87;
const PRIME_2: u64 = 0xc2b2ae3d27d4eb4f;
const PRIME_3: u64 = 0x165667b19e3779f9;
const PRIME_4: u64 = 0x85ebca77c2b2ae63;
const PRIME_5: u64 = 0x27d4eb2f165667c5;

const STRIPE_BYTES: usize = 32;

// @ts-ignore: decorator
@inline
function round(lane: u64, input: u64): u64 {
  return rotl(lane + input * PRIME_2, 31) * PRIME_1;
}

// @ts-ignore: decorator
@inline
function merge(hash: u64, lane: u64): u64 {
  return (hash ^ round(0, lane)) * PRIME_1 + PRIME_4;
}

export class XxHash64 {
  private lane1: u64 = PRIME_1 + PRIME_2;
  private lane2: u64 = PRIME_2;
  private lane3: u64 = 0;
  private lane4: u64 = 0 - PRIME_1;
  private totalBytes: u64 = 0;

  /** Takes the whole stripes of [start, end). @returns the first byte that was not taken */
  update(start: usize, end: usize): usize {
    // In locals, where the compiler keeps them in registers.
    let lane1 = this.lane1;
    let lane2 = this.lane2;
    let lane3 = this.lane3;
    let lane4 = this.lane4;
    let at = start;
    for (; at + STRIPE_BYTES <= end; at += STRIPE_BYTES) {
      lane1 = round(lane1, load<u64>(at));
      lane2 = round(lane2, load<u64>(at, 8));
      lane3 = round(lane3, load<u64>(at, 16));
      lane4 = round(lane4, load<u64>(at, 24));
    }
    this.lane1 = lane1;
    this.lane2 = lane2;
    this.lane3 = lane3;
    this.lane4 = lane4;
    this.totalBytes += at - start;
    return at;
  }

  /** The hash, after the last bytes: fewer than a stripe. */
  finish(start: usize, end: usize): u64 {
    let hash = this.lane3 + PRIME_5;
    if (this.totalBytes >= STRIPE_BYTES) {
      hash = rotl(this.lane1, 1) + rotl(this.lane2, 7);
      hash += rotl(this.lane3, 12) + rotl(this.lane4, 18);
      hash = merge(merge(merge(merge(hash, this.lane1), this.lane2), this.lane3), this.lane4);
    }
    hash += this.totalBytes + (end - start);
    let at = start;
    for (; at + 8 <= end; at += 8) {
      hash = rotl(hash ^ round(0, load<u64>(at)), 27) * PRIME_1 + PRIME_4;
    }
    if (at + 4 <= end) {
      hash = rotl(hash ^ (<u64>load<u32>(at) * PRIME_1), 23) * PRIME_2 + PRIME_3;
      at += 4;
    }
    for (; at < end; at++) hash = rotl(hash ^ (<u64>load<u8>(at) * PRIME_5), 11) * PRIME_1;
    hash = (hash ^ (hash >> 33)) * PRIME_2;
    hash = (hash ^ (hash >> 29)) * PRIME_3;
    return hash ^ (hash >> 32);
  }
}
