/** Gathers the points of a run as they come and makes series of them. */
import type { Point } from "./plan";
import type { PointResult, Sample } from "./point";
import type { Failure, Series, SeriesPoint, Skipped } from "./report";
import { spread } from "./spread";

type Key = Pick<Point, "rw" | "cache" | "system">;

const keyOf = ({ rw, cache, system }: Key) => `${rw} ${cache} ${system.name}`;

interface Collected extends Key {
  samples: Map<number, Sample[]>;
}

const MICROSECONDS_PER_SECOND = 1e6;

function pointOf(depth: number, rounds: Sample[]): SeriesPoint {
  const cpu = rounds.map((sample) => sample.cpuUsPerIo);
  return {
    depth,
    iops: spread(rounds.map((sample) => sample.iops)),
    cpuUsPerIo: spread(cpu),
    // A process that measured no CPU time at all has run too short for this.
    iopsPerCpuSecond: spread(
      cpu.map((us) => (us > 0 ? Math.round(MICROSECONDS_PER_SECOND / us) : 0)),
    ),
    p99Us: spread(rounds.map((sample) => sample.p99Us)),
    rounds,
  };
}

export class Collection {
  readonly skipped: Skipped[] = [];
  readonly failures: Failure[] = [];
  readonly #series = new Map<string, Collected>();
  readonly #refused = new Set<string>();

  /** It has said already that it cannot run here. */
  isRefused(key: Key): boolean {
    return this.#refused.has(keyOf(key));
  }

  add(point: Point, result: PointResult): void {
    if (result.kind === "measured") this.#measured(point, result.sample);
    // Who could run before has failed now.
    else if (result.kind === "refused" && !this.#series.has(keyOf(point)))
      this.refuse(point, result.reason);
    else this.#failed(point, result.reason);
  }

  refuse({ rw, cache, system }: Key, reason: string): void {
    this.#refused.add(keyOf({ rw, cache, system }));
    this.skipped.push({ system: system.name, rw, cache, reason });
  }

  series(): Series[] {
    return [...this.#series.values()].map(({ system, rw, cache, samples }) => ({
      system: system.name,
      label: system.label,
      rw,
      cache,
      points: [...samples]
        .sort(([left], [right]) => left - right)
        .map(([depth, rounds]) => pointOf(depth, rounds)),
    }));
  }

  #measured(point: Point, sample: Sample): void {
    const key = keyOf(point);
    const { rw, cache, system, depth } = point;
    const collected = this.#series.get(key) ?? { rw, cache, system, samples: new Map() };
    this.#series.set(key, collected);
    collected.samples.set(depth, [...(collected.samples.get(depth) ?? []), sample]);
  }

  #failed({ system, rw, cache, depth, round }: Point, reason: string): void {
    this.failures.push({ system: system.name, rw, cache, depth, round, reason });
  }
}
