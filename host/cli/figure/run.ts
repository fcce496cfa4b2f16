/**
 * Runs the plan of a figure: the file, the daemons, the points one after the other, and everything
 * tidied away however it ends.
 */
import { statSync } from "node:fs";
import { badOption } from "../failure";
import { Collection } from "./collect";
import { type Daemon, startDaemon } from "./daemon";
import { judgeGoals } from "./goals";
import { describeMachine } from "./machine";
import { type Group, makePlan, type Point } from "./plan";
import { measurePoint } from "./point";
import { type FigureReport, FORMAT } from "./report";
import type { FigureSettings } from "./settings";
import { type CacheName, cacheLabel, rwLabel } from "./systems";
import { makeTestFile, type TestFile, takesDirect, warm, writeBack } from "./test-file";

const BLOCK_BYTES = 4096;
/** `--quick` promises a minute; what is not done by then is left out and said so. */
const QUICK_LIMIT_MS = 52_000;

/** What the figure is measured with. */
class Stage {
  readonly settings: FigureSettings;
  readonly path: string;
  readonly #made: TestFile | null;
  readonly #daemons = new Map<CacheName, Daemon | Error>();

  constructor(settings: FigureSettings) {
    this.settings = settings;
    this.#made =
      settings.file === null ? makeTestFile(settings.sizeBytes, settings.directory) : null;
    this.path = settings.file ?? this.#made?.path ?? "";
  }

  /** The daemon for this way of caching, started when first asked for. */
  async daemon(cache: CacheName): Promise<Daemon | Error> {
    const known = this.#daemons.get(cache);
    if (known !== undefined) return known;
    const daemon = await startDaemon(this.path, cache).catch((cause: unknown) =>
      cause instanceof Error ? cause : new Error(String(cause)),
    );
    this.#daemons.set(cache, daemon);
    return daemon;
  }

  async clear(): Promise<void> {
    for (const daemon of this.#daemons.values()) {
      if (!(daemon instanceof Error)) await daemon.stop();
    }
    this.#made?.remove();
  }
}

async function measureInto(
  collection: Collection,
  stage: Stage,
  point: Point,
  signal: AbortSignal,
): Promise<void> {
  if (collection.isRefused(point)) return;
  const daemon = point.system.needsDaemon === true ? await stage.daemon(point.cache) : null;
  if (daemon instanceof Error) {
    collection.refuse(point, daemon.message);
    return;
  }
  const result = await measurePoint(stage.settings, point, stage.path, daemon, signal);
  if (!signal.aborted) collection.add(point, result);
}

function textOf({ round, rw, cache, depth, system }: Point, settings: FigureSettings): string {
  const load = `${rwLabel(rw)}, ${cacheLabel(cache)}, depth ${depth}`;
  return `round ${round + 1} of ${settings.rounds}: ${load}: ${system.label}`;
}

/** Percent, and how long it will still take at the pace so far. */
function paceOf(done: number, all: number, elapsedMs: number): string {
  const percent = `${Math.floor((100 * done) / all)} %`;
  if (done === 0) return percent;
  const seconds = Math.round((elapsedMs * (all - done)) / done / 1000);
  const left = seconds < 90 ? `${seconds} s` : `${Math.round(seconds / 60)} min`;
  return `${percent}, ${left} left`;
}

interface Running {
  collection: Collection;
  stage: Stage;
  signal: AbortSignal;
  show(text: string): void;
}

async function runGroups(groups: readonly Group[], running: Running): Promise<void> {
  const { collection, stage, signal } = running;
  const all = groups.reduce((sum, group) => sum + group.length, 0);
  const began = performance.now();
  let done = 0;
  for (const group of groups) {
    const [first] = group;
    if (first?.cache === "page") warm(stage.path);
    for (const point of group) {
      signal.throwIfAborted();
      const elapsedMs = performance.now() - began;
      if (stage.settings.quick && elapsedMs > QUICK_LIMIT_MS) {
        collection.refuse(point, "left out: the minute of --quick was over");
        continue;
      }
      running.show(`${paceOf(done, all, elapsedMs)}  ${textOf(point, stage.settings)}`);
      await measureInto(collection, stage, point, signal);
      done++;
    }
    if (first?.rw === "randwrite" && first.cache === "page") writeBack(stage.path);
  }
  signal.throwIfAborted();
}

/** Leaves O_DIRECT out where the file system has none, unless it was the one thing asked for. */
function usableSettings(settings: FigureSettings, path: string): FigureSettings {
  if (!settings.caches.includes("direct") || takesDirect(path)) return settings;
  const caches = settings.caches.filter((cache) => cache !== "direct");
  if (caches.length > 0) return { ...settings, caches };
  throw badOption(
    "--cache direct",
    `the file system of ${path} has no O_DIRECT`,
    "name a --directory on ext4 or xfs",
  );
}

function noteMissingDirect(collection: Collection, wanted: FigureSettings, used: FigureSettings) {
  if (wanted.caches.length === used.caches.length) return;
  for (const system of wanted.systems) {
    for (const rw of wanted.rws)
      collection.refuse({ system, rw, cache: "direct" }, "the file system has no O_DIRECT");
  }
}

/** @param show gets a line of progress before each point */
export async function runFigure(
  wanted: FigureSettings,
  signal: AbortSignal,
  show: (text: string) => void,
): Promise<FigureReport> {
  const began = performance.now();
  show("writing the test file");
  const stage = new Stage(wanted);
  try {
    const machine = describeMachine(stage.path);
    const settings = usableSettings(wanted, stage.path);
    const collection = new Collection();
    noteMissingDirect(collection, wanted, settings);
    await runGroups(makePlan(settings), { collection, stage, signal, show });
    const series = collection.series();
    const { rounds, depths, runtime, rampTime, quick } = settings;
    return {
      format: FORMAT,
      machine,
      settings: {
        ...{ rounds, depths: [...depths], runtime, rampTime, quick },
        blockBytes: BLOCK_BYTES,
        fileBytes: statSync(stage.path).size,
      },
      series,
      skipped: collection.skipped,
      failures: collection.failures,
      goals: judgeGoals(series),
      elapsedSeconds: Math.round((performance.now() - began) / 100) / 10,
    };
  } finally {
    await stage.clear();
  }
}
