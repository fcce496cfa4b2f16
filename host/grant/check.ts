/**
 * Checks the shape of what an embedder asked to be granted, before anything is opened: names, keys,
 * values, number.
 */
import * as v from "valibot";
import { FILE_SLOTS } from "../abi";
import { nearest } from "../nearest";
import { badGrant } from "./refusal";
import type { GrantRequest } from "./request";

/** Guests pass names with a length; the bound keeps the host's copy small. */
export const NAME_BYTES_MAX = 255;

const ACCESSES = ["read", "write", "read-write"] as const;
const KEYS = ["path", "fd", "access", "direct"] as const;
const FD_MAX = 0x7fffffff;

const AccessSchema = v.optional(v.picklist(ACCESSES));
const DescriptorNumber = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(FD_MAX));
const PathSchema = v.strictObject({
  path: v.pipe(v.string(), v.nonEmpty(), v.excludes("\0")),
  access: AccessSchema,
  direct: v.optional(v.boolean()),
});
const DescriptorSchema = v.strictObject({ fd: DescriptorNumber, access: AccessSchema });

/** The values that a key takes, for messages. */
const TAKES: Readonly<Record<(typeof KEYS)[number], string>> = {
  path: '"path" must be a string, not empty, without a NUL',
  fd: `"fd" must be a descriptor's number, 0 to ${FD_MAX}`,
  access: `"access" must be "read", "write" or "read-write"`,
  direct: '"direct" must be true or false',
};

function isKey(key: string): key is (typeof KEYS)[number] {
  return (KEYS as readonly string[]).includes(key);
}

function checkName(name: string): void {
  const bytes = Buffer.from(name, "utf8");
  const what = `granting ${JSON.stringify(name.length > 80 ? `${name.slice(0, 80)}...` : name)}`;
  let why: string | undefined;
  if (name === "") why = "the name is empty";
  else if (name.includes("\0")) why = "the name holds a NUL";
  else if (bytes.length > NAME_BYTES_MAX) {
    why = `the name has ${bytes.length} bytes, at most ${NAME_BYTES_MAX} are allowed`;
  } else if (bytes.toString("utf8") !== name) why = "the name is not valid Unicode";
  if (why !== undefined) throw badGrant(what, { why });
}

function checkRequest(name: string, input: unknown): asserts input is GrantRequest {
  const what = `granting "${name}"`;
  if (typeof input !== "object" || input === null || Array.isArray(input)) {
    throw badGrant(what, {
      why: `it must be { path } or { fd }, not ${input === null ? "null" : typeof input}`,
    });
  }
  for (const key of Object.keys(input)) {
    if (isKey(key)) continue;
    const near = nearest(key, KEYS);
    throw badGrant(what, {
      why: `there is no key "${key}"`,
      whatToDo: near === undefined ? `the keys are ${KEYS.join(", ")}` : `did you mean "${near}"?`,
    });
  }
  if ("path" in input === "fd" in input) {
    throw badGrant(what, { why: 'it must have one of "path" and "fd", and not both' });
  }
  if ("fd" in input && "direct" in input) {
    throw badGrant(what, {
      why: '"direct" goes with a path: a descriptor is direct when it was opened with O_DIRECT',
    });
  }
  const result = v.safeParse("path" in input ? PathSchema : DescriptorSchema, input);
  if (result.success) return;
  const key = String(result.issues[0].path?.[0]?.key ?? "");
  throw badGrant(what, { why: isKey(key) ? TAKES[key] : result.issues[0].message });
}

/**
 * The checked entries, in slot order: a copy, so that what was checked is what is opened.
 *
 * @throws WasmUringError ERR_BAD_GRANT
 */
export function checkGrants(files: unknown): readonly (readonly [string, GrantRequest])[] {
  if (typeof files !== "object" || files === null || Array.isArray(files)) {
    throw badGrant("granting files", { why: "they must be an object: { name: { path } }" });
  }
  const entries: [string, unknown][] = Object.entries(files);
  if (entries.length > FILE_SLOTS) {
    throw badGrant(`granting ${entries.length} files`, {
      why: `a guest's file table has ${FILE_SLOTS} slots`,
      whatToDo: "grant fewer files, or pack several into one",
    });
  }
  return entries.map(([name, input]) => {
    checkName(name);
    // A shallow copy settles getters; every value in it is a primitive once checked.
    const request: unknown =
      typeof input === "object" && !Array.isArray(input) && input !== null ? { ...input } : input;
    checkRequest(name, request);
    return [name, request] as const;
  });
}
