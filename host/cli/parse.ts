/**
 * The values of the command line's options: each a function from text to a checked value, which
 * refuses what it cannot use in one sentence. commander passes what earlier occurrences of a
 * repeatable option gave as `previous`.
 */
import { readFileSync } from "node:fs";
import { SQ_ENTRIES_MAX } from "../abi";
import type { Access, GrantRequest } from "../grant/request";
import { type PolicyOption, parsePolicy } from "../policy";
import type { EngineName } from "../ring/engine";
import { badOption } from "./failure";

export const ENGINES = ["auto", "mapped", "mirrored", "emulated"] as const;

/** The longest that Node's timers wait. */
const DEADLINE_MAX_MS = 0x7fffffff;
const SQPOLL_IDLE_MAX_MS = 60_000;

const ACCESS: Readonly<Record<string, Access>> = { ro: "read", wo: "write", rw: "read-write" };

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

/**
 * NAME=PATH[:ro|:wo|:rw][,direct]. A path may hold colons and commas: only these very endings are
 * taken off, so one that really ends with ":ro" is written with the access after it.
 */
export function collectFile(text: string, previous: Files = {}): Files {
  const equals = text.indexOf("=");
  const name = text.slice(0, Math.max(equals, 0));
  const form =
    "write NAME=PATH, with :ro, :wo or :rw and ,direct after it, as in --file input=data.txt:ro";
  if (name === "")
    throw badOption(`--file "${text}"`, "it has no name before an equals sign", form);
  if (Object.hasOwn(previous, name)) {
    throw badOption(
      `--file "${text}"`,
      `the name "${name}" was granted before`,
      "give each file a name of its own",
    );
  }
  let path = text.slice(equals + 1);
  const direct = path.endsWith(",direct");
  if (direct) path = path.slice(0, -",direct".length);
  const suffix = /:(ro|wo|rw)$/.exec(path)?.[1];
  if (suffix !== undefined) path = path.slice(0, -3);
  if (path === "")
    throw badOption(`--file "${text}"`, "it has no path after the equals sign", form);
  const access = ACCESS[suffix ?? "ro"] ?? "read";
  return { ...previous, [name]: { path, access, direct } };
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
