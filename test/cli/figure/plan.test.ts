/**
 * The order of a figure's points and the quotients it is judged by, without running anything:
 * interleaving is what makes medians comparable, so it is checked for random settings.
 */
import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { cpuBetween } from "../../../host/cli/figure/daemon";
import { judgeGoals } from "../../../host/cli/figure/goals";
import { makePlan } from "../../../host/cli/figure/plan";
import type { Series } from "../../../host/cli/figure/report";
import type { FigureSettings } from "../../../host/cli/figure/settings";
import { median, spread } from "../../../host/cli/figure/spread";
import {
  CACHE_NAMES,
  type CacheName,
  FIGURE_RW_NAMES,
  SYSTEMS,
} from "../../../host/cli/figure/systems";

const plan = suite("cli/figure/plan");

const settings: fc.Arbitrary<FigureSettings> = fc.record({
  systems: fc.shuffledSubarray([...SYSTEMS], { minLength: 1 }),
  named: fc.boolean(),
  rws: fc.subarray([...FIGURE_RW_NAMES], { minLength: 1 }),
  caches: fc.subarray([...CACHE_NAMES], { minLength: 1 }),
  depths: fc.subarray([1, 2, 4, 8, 32, 128], { minLength: 1 }),
  rounds: fc.integer({ min: 1, max: 6 }),
  runtime: fc.constant(1),
  rampTime: fc.constant(0),
  file: fc.constant(null),
  directory: fc.constant("."),
  sizeBytes: fc.constant(1 << 20),
  quick: fc.boolean(),
});

plan("a round visits every system once for each load and depth", () => {
  fc.assert(
    fc.property(settings, (wanted) => {
      const seen = new Set<string>();
      for (const group of makePlan(wanted)) {
        for (const { round, rw, cache, depth, system } of group) {
          const key = [round, rw, cache, depth, system.name].join();
          assert.not(seen.has(key), key);
          seen.add(key);
        }
      }
      if (wanted.quick) return;
      for (const system of wanted.systems) {
        const caches = wanted.caches.filter((cache) => (system.cache ?? cache) === cache);
        const depths = system.oneAtATime === true ? 1 : wanted.depths.length;
        const expected = wanted.rounds * wanted.rws.length * caches.length * depths;
        const own = [...seen].filter((key) => key.endsWith(`,${system.name}`));
        assert.is(own.length, expected, system.name);
      }
    }),
  );
});

plan("no other engine stands under passthrough's label", () => {
  const systems = SYSTEMS.filter(({ words }) => words.includes("passthrough"));
  assert.is(systems.length, 3);
  for (const { words } of systems) assert.is(words[words.indexOf("--engine") + 1], "mapped");
});

plan("what is compared is measured one right after the other, in turning order", () => {
  const wanted: FigureSettings = {
    ...{ systems: SYSTEMS.slice(0, 4), named: true, rws: ["randread"], caches: ["page"] },
    ...{ depths: [1], rounds: 4, runtime: 1, rampTime: 0, file: null, directory: "." },
    ...{ sizeBytes: 1, quick: false },
  };
  const groups = makePlan(wanted).map((group) => group.map(({ system }) => system.name));
  const names = groups[0]?.toSorted();
  for (const group of groups) assert.equal(group.toSorted(), names);
  assert.is(new Set(groups.map(([first]) => first)).size > 1, true, "not always the same begins");
});

plan("medians are between the least and the most", () => {
  assert.is(median([3, 1, 2]), 2);
  assert.is(median([4, 1, 3, 2]), 2.5);
  fc.assert(
    fc.property(fc.array(fc.integer(), { minLength: 1 }), (values) => {
      const { median: middle, min, max } = spread(values);
      assert.ok(min <= middle && middle <= max);
    }),
  );
});

function series(system: string, iops: readonly number[], cache: CacheName = "direct"): Series {
  const rounds = iops.map((value, round) => ({
    ...{ round, iops: value, cpuUsPerIo: 1e6 / value, daemonCpuUsPerIo: 0 },
    ...{ p50Us: 1, p99Us: 1, p999Us: 1, enterCallsPerIo: 1 },
  }));
  const some = spread([...iops]);
  return {
    ...{ system, label: system, rw: "randread", cache },
    points: [8, 16].map((depth) => ({
      ...{ depth, iops: some, cpuUsPerIo: some, iopsPerCpuSecond: some, p99Us: some, rounds },
    })),
  };
}

plan("goals are quotients of the same round, for O_DIRECT random reads", () => {
  const goals = judgeGoals([
    // The machine was twice as fast in its second round: within a round both sides are level.
    series("passthrough", [100, 200, 150]),
    series("native", [100, 200, 160]),
    series("vhost-blk", [50, 400, 75]),
    series("fs-sync", [1, 1, 1]),
    series("native", [1e9, 1e9, 1e9], "page"),
  ]);
  const short = goals.map(({ goal, against, depth, ratio, met }) =>
    [goal, against, depth, ratio.median, met].join(" "),
  );
  assert.equal(short, [
    "iops native 8 1 true",
    "iops native 16 1 true",
    "iopsPerCpuSecond vhost-blk 8 2 true",
    "iops vhost-blk 8 2 true",
    "iopsPerCpuSecond vhost-blk 16 2 true",
  ]);
  const [missed] = judgeGoals([series("passthrough", [96]), series("native", [100])]);
  assert.is(missed?.met, false);
  assert.equal(judgeGoals([series("native", [1])]), []);
});

plan("CPU time of threads that came counts, of those that went does not", () => {
  const before = new Map([
    ["1", 10],
    ["2", 5],
  ]);
  const after = new Map([
    ["1", 17],
    ["3", 4],
  ]);
  assert.is(cpuBetween(before, after), 11);
});

plan.run();
