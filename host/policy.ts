/**
 * Policies: which opcodes and SQE flags a guest may use. A built-in one by name, or an own one as
 * an object or JSON. Compiling refuses whatever the kernel cannot confine, with the reason; what is
 * left becomes the ring's restrictions (`ring/restrictions.ts`) and the rules of the engines that
 * check in the host.
 *
 * Every policy requires FIXED_FILE: without it an SQE could name any descriptor of the host
 * process.
 */
import { Op, SqeFlag } from "./abi";
import type { OpName } from "./policy-reasons";
import { badPolicy, checkCustomPolicy, didYouMean, type OptionalFlag } from "./policy-schema";

export type { OpName } from "./policy-reasons";

export type PolicyName = "file-read" | "file-write" | "stream" | "block-device";

export interface CustomPolicy {
  /** For reports and messages. Default "custom". */
  name?: string;
  /** At least one, only such as the kernel confines (`SAFE_OP_NAMES` in policy-reasons.ts). */
  opcodes: readonly OpName[];
  /** Allowed beside FIXED_FILE. Default: all three; an empty list allows none. */
  sqeFlags?: readonly OptionalFlag[];
  /**
   * Asks for the `mirrored` engine, which zeroes every field that the opcodes do not need: it
   * closes the `attr_ptr` oracle of kernels from 6.14 on. Default false.
   */
  vetHiddenFields?: boolean;
  /**
   * Whether the guest may carry requests out under the personalities that it is given (`GuestOptions.personalities`):
   * all of them, or those of these names. Default false.
   */
  personalities?: boolean | readonly string[];
}

export type PolicyOption = PolicyName | CustomPolicy;

/** Structured-cloneable: it crosses to the guest's worker. */
export interface CompiledPolicy {
  name: string;
  /** Allowed opcodes, ascending. */
  opcodes: readonly number[];
  /** Bits of SqeFlag that may be set beside the required ones. */
  sqeFlagsAllowed: number;
  /** Bits of SqeFlag that must be set: always FIXED_FILE. */
  sqeFlagsRequired: number;
  /** Asks for `mirrored`, which zeroes every field the policy does not need. */
  vetHiddenFields: boolean;
  /** Names of the personalities that the guest may use, true for all; absent for none. */
  personalities?: true | readonly string[];
}

/**
 * What the built-in policies allow. FALLOCATE, with which a guest can fill the file system in one SQE, is in none but
 * block-device, whose discards and zeroes are FALLOCATE: for disks that the embedder gave as a whole.
 */
const BUILT_IN: Readonly<Record<PolicyName, readonly OpName[]>> = {
  "file-read": ["READ_FIXED", "FADVISE"],
  "file-write": ["FSYNC", "READ_FIXED", "WRITE_FIXED", "SYNC_FILE_RANGE", "FADVISE", "FTRUNCATE"],
  stream: ["READ_FIXED", "WRITE_FIXED", "POLL_ADD", "POLL_REMOVE", "ASYNC_CANCEL", "SHUTDOWN"],
  "block-device": ["FSYNC", "READ_FIXED", "WRITE_FIXED", "FALLOCATE"],
};

export const POLICY_NAMES: readonly PolicyName[] = [
  "file-read",
  "file-write",
  "stream",
  "block-device",
];

function isPolicyName(name: string): name is PolicyName {
  return (POLICY_NAMES as readonly string[]).includes(name);
}

function compileChecked(custom: unknown): CompiledPolicy {
  const checked = checkCustomPolicy(custom, POLICY_NAMES);
  return {
    name: checked.name,
    opcodes: checked.opcodes,
    sqeFlagsAllowed: checked.sqeFlags,
    sqeFlagsRequired: SqeFlag.FIXED_FILE,
    vetHiddenFields: checked.vetHiddenFields,
    personalities: checked.personalities,
  };
}

function compileBuiltIn(name: PolicyName): CompiledPolicy {
  return {
    name,
    opcodes: BUILT_IN[name].map((opcode) => Op[opcode]).sort((left, right) => left - right),
    sqeFlagsAllowed: SqeFlag.IO_LINK | SqeFlag.IO_HARDLINK | SqeFlag.CQE_SKIP_SUCCESS,
    sqeFlagsRequired: SqeFlag.FIXED_FILE,
    vetHiddenFields: false,
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw badPolicy("reading the policy", `it is not JSON: ${why}`, undefined, cause);
  }
}

/**
 * A name, or JSON, to the input of `compileChecked`; nothing is checked of JSON yet but its syntax.
 */
function decode(text: string): PolicyName | { custom: unknown } {
  const trimmed = text.trim();
  if (trimmed.startsWith("{")) return { custom: parseJson(trimmed) };
  // A bare list is the short form of a policy of these opcodes.
  if (trimmed.startsWith("[")) return { custom: { opcodes: parseJson(trimmed) } };
  if (isPolicyName(trimmed)) return trimmed;
  const hint = `${didYouMean(trimmed, POLICY_NAMES)}; or JSON: {"opcodes": ["READ_FIXED"]}`;
  throw badPolicy(
    `policy ${JSON.stringify(trimmed.slice(0, 64))}`,
    "there is no policy of that name",
    hint,
  );
}

/**
 * Reads what a command line says: a policy's name, JSON of a `CustomPolicy`, or a JSON list of
 * opcodes. The answer is checked, so it compiles.
 *
 * @throws WasmUringError ERR_BAD_POLICY
 */
export function parsePolicy(text: string): PolicyOption {
  const decoded = decode(text);
  if (typeof decoded === "string") return decoded;
  const { custom } = decoded;
  checkCustomPolicy(custom, POLICY_NAMES);
  return custom as CustomPolicy; // has just been checked
}

/**
 * Compiles a policy: a built-in name, an object, or a text as for `parsePolicy`.
 *
 * @throws WasmUringError ERR_BAD_POLICY when it is misspelt, malformed, empty, or names what the
 * kernel cannot confine
 */
export function compilePolicy(option: PolicyOption | string): CompiledPolicy {
  if (typeof option !== "string") return compileChecked(option);
  const decoded = decode(option);
  return typeof decoded === "string" ? compileBuiltIn(decoded) : compileChecked(decoded.custom);
}

/** What either of two policies allows: for a guest that has files and disks on its ring. */
export function joinPolicies(left: CompiledPolicy, right: CompiledPolicy): CompiledPolicy {
  if (left.name === right.name) return left;
  const opcodes = new Set([...left.opcodes, ...right.opcodes]);
  return {
    name: `${left.name}+${right.name}`,
    opcodes: [...opcodes].sort((one, other) => one - other),
    sqeFlagsAllowed: left.sqeFlagsAllowed | right.sqeFlagsAllowed,
    sqeFlagsRequired: left.sqeFlagsRequired | right.sqeFlagsRequired,
    vetHiddenFields: left.vetHiddenFields || right.vetHiddenFields,
  };
}
