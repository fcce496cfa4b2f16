/**
 * Latencies in a log-linear histogram of fixed size: 64 buckets for each power of two, so that a
 * percentile is known to 1.6 % without keeping samples. The native twin (bench/native/load.c) and
 * the host's own loops use the same buckets.
 */
const SUB_BITS: u32 = 6;
const SUB_BUCKETS: u32 = 1 << SUB_BITS;
/** Up to 2^42 ns, above an hour. */
const BUCKETS: u32 = (42 - SUB_BITS + 1) << SUB_BITS;

export class Histogram {
  samples: u64 = 0;
  maxNs: u64 = 0;
  private counts: usize = heap.alloc(BUCKETS * 4);

  constructor() {
    this.clear();
  }

  clear(): void {
    memory.fill(this.counts, 0, BUCKETS * 4);
    this.samples = 0;
    this.maxNs = 0;
  }

  @inline add(ns: u64): void {
    let bucket = <u32>ns;
    if (ns >= SUB_BUCKETS) {
      const exponent = 63 - <u32>clz(ns);
      bucket = ((exponent - SUB_BITS) << SUB_BITS) + <u32>(ns >> (exponent - SUB_BITS));
      if (bucket >= BUCKETS) bucket = BUCKETS - 1;
    }
    const cell = this.counts + (<usize>bucket << 2);
    store<u32>(cell, load<u32>(cell) + 1);
    this.samples++;
    if (ns > this.maxNs) this.maxNs = ns;
  }

  /**
   * The latency that `fraction` of the samples did not exceed: the middle of its bucket, ns. 0
   * without samples.
   */
  percentileNs(fraction: f64): f64 {
    if (this.samples == 0) return 0;
    const wanted = Math.ceil(fraction * <f64>this.samples);
    let seen: u64 = 0;
    for (let bucket: u32 = 0; bucket < BUCKETS; bucket++) {
      seen += load<u32>(this.counts + (<usize>bucket << 2));
      if (<f64>seen >= wanted) return min(middleNs(bucket), <f64>this.maxNs);
    }
    return <f64>this.maxNs;
  }
}

function middleNs(bucket: u32): f64 {
  if (bucket < SUB_BUCKETS * 2) return <f64>bucket;
  const shift = (bucket >> SUB_BITS) - 1;
  const lowest = <u64>(bucket - (shift << SUB_BITS)) << shift;
  return <f64>lowest + <f64>(<u64>1 << shift) / 2;
}
