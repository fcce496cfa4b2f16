/**
 * The values of the command line's options: each a function from text to a checked value, which
 * refuses what it cannot use in one sentence. commander passes what earlier occurrences of a
 * repeatable option gave as `previous`.
 */
import { readFileSync } from "node:fs";
import { SQ_ENTRIES_MAX } from "../abi";
import type { DeviceRequest } from "../datapath/options";
import { parseDeviceOption } from "../datapath/parse";
import { type GrantRequest, parseFileOption } from "../grant";
import { type PolicyOption, parsePolicy } from "../policy";
import type { EngineName } from "../ring/engine";
import { badOption } from "./failure";

export const ENGINES = ["auto", "mapped", "mirrored", "emulated"] as const;

/** The longest that Node's timers wait. */
const DEADLINE_MAX_MS = 0x7fffffff;
const SQPOLL_IDLE_MAX_MS = 60_000;

/** Digits only: no sign, no fraction, no exponent, no hexadecimal. */
function wholeNumber(option: string, text: string, maximum: number, unit: string): number {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= 1 && value <= maximum) return value;
  throw badOption(
    `${option} "${text}"`,
    `it is not a whole number of ${unit} from 1 to ${maximum}`,
  );
}

export function parseEntries(text: string): number {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : 0;
  const isPowerOfTwo = value > 0 && Number.isInteger(Math.log2(value));
  if (isPowerOfTwo && value <= SQ_ENTRIES_MAX) return value;
  throw badOption(
    `--entries "${text}"`,
    `it is not a power of two from 1 to ${SQ_ENTRIES_MAX}`,
    "leave it out for 64, which fits one page on every kernel",
  );
}

export function parseDeadline(text: string): number {
  return wholeNumber("--deadline", text, DEADLINE_MAX_MS, "milliseconds");
}

export function parseSqpollIdle(text: string): number {
  return wholeNumber("--sqpoll", text, SQPOLL_IDLE_MAX_MS, "milliseconds");
}

export function parseEngine(text: string): "auto" | EngineName {
  const found = ENGINES.find((name) => name === text);
  if (found !== undefined) return found;
  throw badOption(`--engine "${text}"`, `there is no such engine; choose ${ENGINES.join(", ")}`);
}

/** A name, JSON, or @FILE with JSON in it. */
export function parsePolicyText(text: string): PolicyOption {
  return parsePolicy(text.startsWith("@") ? readPolicyFile(text.slice(1)) : text);
}

function readPolicyFile(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw badOption(`--policy "@${path}"`, `the file cannot be read: ${why}`);
  }
}

export type Files = Readonly<Record<string, GrantRequest>>;

/** One more `--file`; each name once. */
export function collectFile(text: string, previous: Files = {}): Files {
  const { name, request } = parseFileOption(text);
  if (Object.hasOwn(previous, name)) {
    throw badOption(
      `--file "${text}"`,
      `the name "${name}" was granted before`,
      "give each file a name of its own",
    );
  }
  return { ...previous, [name]: request };
}

export type DeviceOptions = Readonly<Record<string, DeviceRequest>>;

/** One more `--device`; each name once. */
export function collectDevice(text: string, previous: DeviceOptions = {}): DeviceOptions {
  const { name, request } = parseDeviceOption(text);
  if (Object.hasOwn(previous, name)) {
    throw badOption(
      `--device "${text}"`,
      `there is a device "${name}" already`,
      "give each device a name of its own",
    );
  }
  return { ...previous, [name]: request };
}

export type Directories = Readonly<Record<string, { path: string; readOnly: boolean }>>;

/** HOST[::GUEST][:ro], as wasmtime writes it; without GUEST the guest knows it by the host's path. */
export function collectDirectory(text: string, previous: Directories = {}): Directories {
  const readOnly = text.endsWith(":ro");
  const paths = readOnly ? text.slice(0, -":ro".length) : text;
  const split = paths.indexOf("::");
  const path = split < 0 ? paths : paths.slice(0, split);
  const guestPath = split < 0 ? paths : paths.slice(split + 2);
  if (path === "" || guestPath === "") {
    throw badOption(
      `--dir "${text}"`,
      "it does not name a directory",
      "write --dir HOST or --dir HOST::GUEST, with :ro at the end when nothing there may be changed",
    );
  }
  if (Object.hasOwn(previous, guestPath)) {
    throw badOption(
      `--dir "${text}"`,
      `the guest path "${guestPath}" was given before, so one name would stand for two files`,
      "give each directory a guest path of its own",
    );
  }
  return { ...previous, [guestPath]: { path, readOnly } };
}

export type Environment = Readonly<Record<string, string>>;

/** K=V, or K for the value that this process has. */
export function collectVariable(text: string, previous: Environment = {}): Environment {
  const equals = text.indexOf("=");
  const name = equals < 0 ? text : text.slice(0, equals);
  if (name === "") throw badOption(`--env "${text}"`, "it has no name before an equals sign");
  const value = equals < 0 ? process.env[name] : text.slice(equals + 1);
  if (value === undefined) {
    throw badOption(
      `--env "${name}"`,
      "this process has no variable of that name",
      `write --env ${name}=VALUE`,
    );
  }
  return { ...previous, [name]: value };
}
