/**
 * Counts a byte pattern, 64 positions a step: SIMD compares the pattern's two rarest bytes at once
 * and only where both fit is the rest looked at. Matches never overlap and are taken from left to
 * right, as grep does it.
 */

/** Bytes of the text that are counted to learn which bytes are rare in it. */
const SAMPLE_BYTES: usize = 16384;

export class Matcher {
  count: u64 = 0;
  /** The two positions in the pattern that are compared first. */
  private near: usize = 0;
  private far: usize = 0;

  constructor(
    private readonly pattern: usize,
    /** At least 1. */
    readonly length: usize,
  ) {
    this.far = length - 1;
  }

  /** Chooses the pattern's two rarest bytes by a sample of the text. */
  learn(start: usize, end: usize): void {
    const histogram = new StaticArray<u32>(256);
    for (let at = start; at < min(end, start + SAMPLE_BYTES); at++) histogram[load<u8>(at)]++;
    let rarest: usize = 0;
    for (let index: usize = 1; index < this.length; index++) {
      if (histogram[load<u8>(this.pattern + index)] < histogram[load<u8>(this.pattern + rarest)])
        rarest = index;
    }
    let second: usize = rarest == 0 ? this.length - 1 : 0;
    for (let index: usize = 0; index < this.length; index++) {
      if (index == rarest) continue;
      if (histogram[load<u8>(this.pattern + index)] < histogram[load<u8>(this.pattern + second)])
        second = index;
    }
    this.near = rarest;
    this.far = second;
  }

  /**
   * Counts the matches that lie in [start, end).
   *
   * @returns the first byte that may belong to a later match: carry [it, end) over to the next call
   */
  scan(start: usize, end: usize): usize {
    if (end < start + this.length) return start;
    /** One past the last position where a match can begin. */
    const limit = end - this.length + 1;
    let at = start;
    while (at + 64 <= limit) {
      const candidates = this.candidates(at);
      const next = candidates == 0 ? at + 64 : this.take(at, candidates);
      at = max(at + 64, next);
    }
    while (at < limit) {
      if (this.matches(at)) {
        this.count++;
        at += this.length;
      } else {
        at++;
      }
    }
    return at;
  }

  /** A bit for each of the 64 positions from `at` on where both chosen bytes fit. */
  @inline private candidates(at: usize): u64 {
    const nearByte = i8x16.splat(load<i8>(this.pattern + this.near));
    const farByte = i8x16.splat(load<i8>(this.pattern + this.far));
    const near = at + this.near;
    const far = at + this.far;
    const a = v128.and(i8x16.eq(v128.load(near), nearByte), i8x16.eq(v128.load(far), farByte));
    const b = v128.and(
      i8x16.eq(v128.load(near, 16), nearByte),
      i8x16.eq(v128.load(far, 16), farByte),
    );
    const c = v128.and(
      i8x16.eq(v128.load(near, 32), nearByte),
      i8x16.eq(v128.load(far, 32), farByte),
    );
    const d = v128.and(
      i8x16.eq(v128.load(near, 48), nearByte),
      i8x16.eq(v128.load(far, 48), farByte),
    );
    if (!v128.any_true(v128.or(v128.or(a, b), v128.or(c, d)))) return 0;
    return (
      <u64>(<u32>i8x16.bitmask(a) | ((<u32>i8x16.bitmask(b)) << 16)) |
      ((<u64>(<u32>i8x16.bitmask(c) | ((<u32>i8x16.bitmask(d)) << 16))) << 32)
    );
  }

  /**
   * Counts the true ones among the candidates; gives the end of the last, before which no other may
   * begin.
   */
  private take(at: usize, candidates: u64): usize {
    if (this.length == 1) {
      this.count += popcnt(candidates);
      return at;
    }
    let next = at;
    for (; candidates != 0; candidates &= candidates - 1) {
      const position = at + <usize>ctz(candidates);
      if (position < next || !this.matches(position)) continue;
      this.count++;
      next = position + this.length;
    }
    return next;
  }

  @inline private matches(position: usize): bool {
    return memory.compare(position, this.pattern, this.length) == 0;
  }
}
