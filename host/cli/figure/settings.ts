/** What a run of the figure is told to do, checked: the values behind `bench --figure`'s options. */
import { statSync } from "node:fs";
import { nearest } from "../../nearest";
import { badOption } from "../failure";
import { type CacheName, type FigureRw, SYSTEMS, type System } from "./systems";

export const DEPTHS = [1, 2, 4, 8, 16, 32, 64, 128] as const;
export const QUICK_DEPTHS = [1, 4, 32, 128] as const;
/** The largest virtqueue has 1024 entries. */
const DEPTH_MAX = 1024;
const ROUNDS_MAX = 1000;
const SIZE_MIN_BYTES = 1 << 20;
const SIZE_MAX_BYTES = 2 ** 40;
const UNITS: Readonly<Record<string, number>> = { "": 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30 };

export interface FigureSettings {
  systems: readonly System[];
  /** They were named one by one: one that cannot run is then a failure. */
  named: boolean;
  rws: readonly FigureRw[];
  caches: readonly CacheName[];
  depths: readonly number[];
  rounds: number;
  /** Seconds of a point. */
  runtime: number;
  /** Seconds of the same load before anything counts. */
  rampTime: number;
  /** An existing file to read from, or null for one that is made and removed. */
  file: string | null;
  /** Where that file is made. */
  directory: string;
  sizeBytes: number;
  quick: boolean;
}

function wholeNumber(text: string, maximum: number): number | null {
  const value = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  return value >= 1 && value <= maximum ? value : null;
}

function listOf(text: string): string[] {
  return text.split(",").map((word) => word.trim());
}

export function parseRounds(text: string): number {
  const rounds = wholeNumber(text, ROUNDS_MAX);
  if (rounds !== null) return rounds;
  throw badOption(`--rounds "${text}"`, `it is not a whole number from 1 to ${ROUNDS_MAX}`);
}

/** "1,4,32": ascending, each once. */
export function parseDepths(text: string): number[] {
  const depths = listOf(text).map((word) => {
    const depth = wholeNumber(word, DEPTH_MAX);
    if (depth !== null) return depth;
    throw badOption(
      `--depths "${text}"`,
      `"${word}" is not a whole number from 1 to ${DEPTH_MAX}`,
      "write depths with commas between, as in 1,4,32",
    );
  });
  return [...new Set(depths)].sort((left, right) => left - right);
}

/** Names with commas between, of a fixed set. */
export function parseNames<Name extends string>(
  option: string,
  text: string,
  names: readonly Name[],
): Name[] {
  const wanted = listOf(text).map((word) => {
    const found = names.find((name) => name === word);
    if (found !== undefined) return found;
    const meant = nearest(word, names);
    throw badOption(
      `${option} "${text}"`,
      `there is no "${word}"; choose of ${names.join(", ")}`,
      meant === undefined ? undefined : `write ${meant}`,
    );
  });
  // In the order of the set, each once.
  return names.filter((name) => wanted.includes(name));
}

export function parseSystems(text: string): System[] {
  const names = parseNames(
    "--only",
    text,
    SYSTEMS.map((system) => system.name),
  );
  return SYSTEMS.filter((system) => names.includes(system.name));
}

export function parseSize(text: string): number {
  const [, digits = "", unit = ""] = /^(\d{1,13})([kmg]?)$/i.exec(text) ?? [];
  const bytes = digits === "" ? 0 : Number(digits) * (UNITS[unit.toLowerCase()] ?? 0);
  if (bytes >= SIZE_MIN_BYTES && bytes <= SIZE_MAX_BYTES) return bytes - (bytes % 4096);
  throw badOption(
    `--size "${text}"`,
    "it is not a size from 1m to 1024g",
    "write bytes, with k, m or g for powers of 1024, as in 256m",
  );
}

function checkFile(settings: FigureSettings): void {
  if (settings.file === null) return;
  if (settings.rws.includes("randwrite")) {
    throw badOption(
      `--file "${settings.file}" with --rw randwrite`,
      "the figure overwrites no file but one that it made itself",
      "leave --file out, or ask for --rw randread",
    );
  }
  const status = statSync(settings.file, { throwIfNoEntry: false });
  if (status === undefined) throw badOption(`--file "${settings.file}"`, "there is no such file");
  if (!status.isFile()) throw badOption(`--file "${settings.file}"`, "it is no regular file");
}

function checkDirectory({ file, directory }: FigureSettings): void {
  if (file !== null) return;
  const status = statSync(directory, { throwIfNoEntry: false });
  if (status?.isDirectory() === true) return;
  throw badOption(
    `--directory "${directory}"`,
    status === undefined ? "there is no such folder" : "it is not a folder",
  );
}

/** @throws WasmUringError ERR_BAD_OPTION */
export function checkSettings(settings: FigureSettings): FigureSettings {
  checkFile(settings);
  checkDirectory(settings);
  return settings;
}
