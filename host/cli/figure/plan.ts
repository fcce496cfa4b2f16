/**
 * In which order points are measured. A round visits every system once for each depth, one right
 * after the other, so that what drifts on the machine falls on all of them; who begins turns with
 * the rounds.
 */
import type { FigureSettings } from "./settings";
import { type CacheName, type FigureRw, QUICK_WRITERS, type System } from "./systems";

export interface Point {
  round: number;
  rw: FigureRw;
  cache: CacheName;
  depth: number;
  system: System;
}

/** Points to be compared with each other: the same load at the same depth in the same round. */
export type Group = readonly Point[];

/** `--quick` writes at the two depths that say most. */
const QUICK_WRITE_DEPTHS = [1, 32];

function depthsOf(settings: FigureSettings, rw: FigureRw): readonly number[] {
  if (!settings.quick || rw === "randread") return settings.depths;
  const few = settings.depths.filter((depth) => QUICK_WRITE_DEPTHS.includes(depth));
  return few.length > 0 ? few : settings.depths.slice(0, 1);
}

function takesPart(settings: FigureSettings, system: System, rw: FigureRw, cache: CacheName) {
  if (system.cache !== undefined && system.cache !== cache) return false;
  const reduced = settings.quick && !settings.named && rw === "randwrite";
  return !reduced || QUICK_WRITERS.includes(system.name);
}

/** Who begins moves on by one each round, and every other round runs backwards. */
function turn<Item>(items: readonly Item[], round: number): Item[] {
  const start = items.length === 0 ? 0 : round % items.length;
  const turned = [...items.slice(start), ...items.slice(0, start)];
  return round % 2 === 1 ? turned.reverse() : turned;
}

function groupOf(
  settings: FigureSettings,
  load: Omit<Point, "system">,
  isShallowest: boolean,
): Group {
  const systems = settings.systems
    .filter((system) => takesPart(settings, system, load.rw, load.cache))
    .filter((system) => system.oneAtATime !== true || isShallowest);
  return turn(systems, load.round).map((system) => ({
    ...load,
    depth: system.oneAtATime === true ? 1 : load.depth,
    system,
  }));
}

/** When its minute is over `--quick` leaves out what comes last: the deepest points, of all loads alike. */
function shallowFirst(groups: readonly Group[]): Group[] {
  const depthOf = (group: Group) => Math.max(...group.map((point) => point.depth));
  return [...groups].sort((left, right) => depthOf(left) - depthOf(right));
}

export function makePlan(settings: FigureSettings): Group[] {
  const groups: Group[] = [];
  for (let round = 0; round < settings.rounds; round++) {
    for (const rw of settings.rws) {
      for (const cache of settings.caches) {
        depthsOf(settings, rw).forEach((depth, index) => {
          groups.push(groupOf(settings, { round, rw, cache, depth }, index === 0));
        });
      }
    }
  }
  const planned = groups.filter((group) => group.length > 0);
  return settings.quick ? shallowFirst(planned) : planned;
}
