/**
 * What passthrough should reach, and whether it did: quotients taken within each round, where both
 * sides met the same machine, and their median.
 */
import * as v from "valibot";
import type { Series } from "./report";
import { spread } from "./spread";

const number = v.pipe(v.number(), v.minValue(0));

export const GoalSchema = v.object({
  goal: v.picklist(["iops", "iopsPerCpuSecond"]),
  /** What passthrough is divided by. */
  against: v.string(),
  depth: number,
  /** The quotient is to reach it. */
  wanted: number,
  ratio: v.object({ median: number, min: number, max: number }),
  met: v.boolean(),
});

export type Goal = v.InferOutput<typeof GoalSchema>;

const NATIVE_SHARE = 0.97;
/** Beyond, a virtqueue that batches may be level in IOPS on this machine's disk. */
const IOPS_DEPTH_MAX = 8;

const VIRTQUEUES = /^(virtio-blk|vhost-blk|vhost-user-blk)/;

type Quantity = Goal["goal"];

function ratiosOf(ours: Series, theirs: Series, depth: number, quantity: Quantity): number[] {
  const rounds = ours.points.find((point) => point.depth === depth)?.rounds ?? [];
  const others = theirs.points.find((point) => point.depth === depth)?.rounds ?? [];
  return rounds.flatMap((own) => {
    const other = others.find((candidate) => candidate.round === own.round);
    if (other === undefined) return [];
    const ratio = quantity === "iops" ? own.iops / other.iops : other.cpuUsPerIo / own.cpuUsPerIo;
    return Number.isFinite(ratio) ? [ratio] : [];
  });
}

function goalsAgainst(ours: Series, theirs: Series): Goal[] {
  const isNative = theirs.system === "native";
  if (!isNative && !VIRTQUEUES.test(theirs.system)) return [];
  return ours.points.flatMap(({ depth }) => {
    const quantities: Quantity[] = isNative ? ["iops"] : ["iopsPerCpuSecond"];
    if (!isNative && depth <= IOPS_DEPTH_MAX) quantities.push("iops");
    return quantities.flatMap((goal) => {
      const ratios = ratiosOf(ours, theirs, depth, goal);
      if (ratios.length === 0) return [];
      const wanted = isNative ? NATIVE_SHARE : 1;
      const ratio = spread(ratios);
      return [{ goal, against: theirs.system, depth, wanted, ratio, met: ratio.median >= wanted }];
    });
  });
}

/** For O_DIRECT random reads, by what was measured; empty when that was not. */
export function judgeGoals(all: readonly Series[]): Goal[] {
  const series = all.filter(({ rw, cache }) => rw === "randread" && cache === "direct");
  const ours = series.find(({ system }) => system === "passthrough");
  if (ours === undefined) return [];
  return series.flatMap((theirs) => goalsAgainst(ours, theirs));
}
