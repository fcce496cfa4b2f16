/**
 * Checks a custom policy that came as an object or as JSON. Types do not help there: the text comes
 * from a file, and an embedder may write JavaScript. Every way to get it wrong ends in one sentence
 * that names the wrong word.
 */
import * as v from "valibot";
import { Op, SqeFlag } from "./abi";
import { WasmUringError } from "./errors";
import { nearest } from "./nearest";
import {
  FLAG_REFUSED,
  insteadOf,
  isSafe,
  OP_NAMES,
  type OpName,
  SAFE_OP_NAMES,
  whyRefused,
} from "./policy-reasons";

/** The SQE flags that a policy may allow beside FIXED_FILE, which it always requires. */
export const OPTIONAL_FLAGS = ["IO_LINK", "IO_HARDLINK", "CQE_SKIP_SUCCESS"] as const;
export type OptionalFlag = (typeof OPTIONAL_FLAGS)[number];

const KEYS = ["name", "opcodes", "sqeFlags", "vetHiddenFields", "personalities"] as const;

/** Names are printed in reports and messages. */
const NAME = /^[\x21-\x7e]([\x20-\x7e]{0,62}[\x21-\x7e])?$/;

const Schema = v.looseObject({
  name: v.optional(v.pipe(v.string(), v.regex(NAME, "must be 1 to 64 printable ASCII characters"))),
  opcodes: v.pipe(v.array(v.string()), v.minLength(1, "is empty: such a guest could do nothing")),
  sqeFlags: v.optional(v.array(v.string())),
  vetHiddenFields: v.optional(v.boolean()),
  personalities: v.optional(v.union([v.boolean(), v.array(v.string())])),
});

export interface CheckedPolicy {
  name: string;
  /** Ascending, each once. */
  opcodes: readonly number[];
  /** Bits of SqeFlag beside FIXED_FILE. */
  sqeFlags: number;
  vetHiddenFields: boolean;
  /** Names of the personalities that a guest may use; true for all that it is given. */
  personalities: true | readonly string[];
}

/** ERR_BAD_POLICY in the house's wording. */
export function badPolicy(
  what: string,
  why: string,
  whatToDo?: string,
  cause?: unknown,
): WasmUringError {
  return new WasmUringError("ERR_BAD_POLICY", {
    what,
    why,
    ...(whatToDo === undefined ? {} : { whatToDo }),
    ...(cause === undefined ? {} : { cause }),
  });
}

/** A hint for an unknown word: the nearest known one first, then all of them. */
export function didYouMean(word: string, known: readonly string[]): string {
  const near = nearest(word, known);
  const list = `known are ${known.join(", ")}`;
  return near === undefined ? list : `did you mean "${near}"? ${list}`;
}

function isOpName(name: string): name is OpName {
  return (OP_NAMES as readonly string[]).includes(name);
}

function isOptionalFlag(name: string): name is OptionalFlag {
  return (OPTIONAL_FLAGS as readonly string[]).includes(name);
}

function checkOpcode(what: string, name: string): number {
  if (!isOpName(name)) {
    // Compared with all opcodes: somebody who meant READV is better told why READV is refused.
    const near = nearest(name, OP_NAMES);
    const hint = near === undefined ? "" : `did you mean "${near}"? `;
    throw badPolicy(
      what,
      `there is no opcode "${name}"`,
      `${hint}a policy may name ${SAFE_OP_NAMES.join(", ")}`,
    );
  }
  if (isSafe(name)) return Op[name];
  const instead = insteadOf(name) ?? `a policy may name ${SAFE_OP_NAMES.join(", ")}`;
  throw badPolicy(what, `opcode ${name} is refused: ${whyRefused(name) ?? "unsafe"}`, instead);
}

function checkFlag(what: string, name: string): number {
  if (isOptionalFlag(name)) return SqeFlag[name];
  const refused = Object.hasOwn(FLAG_REFUSED, name) ? FLAG_REFUSED[name] : undefined;
  if (refused !== undefined) throw badPolicy(what, `SQE flag ${name} is refused: ${refused}`);
  throw badPolicy(what, `there is no SQE flag "${name}"`, didYouMean(name, OPTIONAL_FLAGS));
}

/**
 * Checks a custom policy of unknown shape.
 *
 * @throws WasmUringError ERR_BAD_POLICY
 */
export function checkCustomPolicy(input: unknown, reservedNames: readonly string[]): CheckedPolicy {
  const given =
    typeof input === "object" && input !== null && "name" in input ? input.name : "custom";
  const shownName = typeof given === "string" ? given.slice(0, 64) : "custom";
  const what = `policy ${JSON.stringify(shownName)}`;
  if (typeof input !== "object" || input === null || Array.isArray(input)) {
    throw badPolicy(
      what,
      "it is neither a name nor an object",
      `write {"opcodes": ["READ_FIXED"]}`,
    );
  }
  for (const key of Object.keys(input)) {
    if (!(KEYS as readonly string[]).includes(key)) {
      throw badPolicy(what, `there is no key "${key}"`, didYouMean(key, KEYS));
    }
  }
  if (!("opcodes" in input)) {
    throw badPolicy(what, `"opcodes" is missing`, `write {"opcodes": ["READ_FIXED"]}`);
  }
  const result = v.safeParse(Schema, input, { abortEarly: true });
  if (!result.success) {
    const [issue] = result.issues;
    const path = v.getDotPath(issue) ?? "it";
    const expected = issue.expected === "Array" ? "list" : issue.expected;
    const why =
      issue.type === "regex" || issue.type === "min_length"
        ? `"${path}" ${issue.message}`
        : `"${path}" must be a ${expected}, not ${issue.received}`;
    throw badPolicy(what, why, `write {"opcodes": ["READ_FIXED"], "sqeFlags": ["IO_LINK"]}`);
  }
  const {
    name = "custom",
    opcodes,
    sqeFlags = OPTIONAL_FLAGS,
    vetHiddenFields = false,
    personalities = false,
  } = result.output;
  if (reservedNames.includes(name)) {
    throw badPolicy(what, "that name belongs to a built-in policy", "choose another name");
  }
  const numbers = new Set(opcodes.map((opcode) => checkOpcode(what, opcode)));
  return {
    name,
    opcodes: [...numbers].sort((left, right) => left - right),
    sqeFlags: sqeFlags.reduce((bits, flag) => bits | checkFlag(what, flag), 0),
    vetHiddenFields,
    personalities: personalities === false ? [] : personalities,
  };
}
