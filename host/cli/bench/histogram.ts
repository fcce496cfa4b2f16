/**
 * Latencies of the host's own loops, in the same log-linear buckets as examples/load/histogram.ts.
 */
import type { Measure } from "./measure";

const SUB_BITS = 6;
const SUB_BUCKETS = 1 << SUB_BITS;
/** Up to 2^42 ns. */
const BUCKETS = (42 - SUB_BITS + 1) << SUB_BITS;

function bucketOf(ns: number): number {
  if (ns < SUB_BUCKETS) return Math.trunc(ns);
  const exponent = Math.floor(Math.log2(ns));
  const bucket = ((exponent - SUB_BITS) << SUB_BITS) + Math.floor(ns / 2 ** (exponent - SUB_BITS));
  return Math.min(bucket, BUCKETS - 1);
}

function middleNs(bucket: number): number {
  if (bucket < 2 * SUB_BUCKETS) return bucket;
  const shift = (bucket >> SUB_BITS) - 1;
  return (bucket - (shift << SUB_BITS) + 0.5) * 2 ** shift;
}

export class Histogram {
  readonly #counts = new Uint32Array(BUCKETS);
  #samples = 0;
  #maxNs = 0;

  add(ns: number): void {
    const bucket = bucketOf(ns);
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#samples++;
    if (ns > this.#maxNs) this.#maxNs = ns;
  }

  latencyUs(): Measure["latencyUs"] {
    const percentile = (fraction: number) => this.#percentileNs(fraction) / 1000;
    return {
      samples: this.#samples,
      p50: percentile(0.5),
      p90: percentile(0.9),
      p99: percentile(0.99),
      p999: percentile(0.999),
      max: this.#maxNs / 1000,
    };
  }

  #percentileNs(fraction: number): number {
    const wanted = Math.ceil(fraction * this.#samples);
    let seen = 0;
    for (let bucket = 0; this.#samples > 0 && bucket < BUCKETS; bucket++) {
      seen += this.#counts[bucket] ?? 0;
      if (seen >= wanted) return Math.min(middleNs(bucket), this.#maxNs);
    }
    return this.#maxNs;
  }
}
