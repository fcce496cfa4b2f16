/**
 * The shape of an embedder's options: a misspelt name or a value of the wrong kind is an error before anything starts,
 * never a silent default. What the values mean is checked by `create.ts`.
 */
import * as v from "valibot";
import { WasmUringError } from "../errors";
import { nearest } from "../nearest";

export const text = v.pipe(
  v.string(),
  v.check((value) => !value.includes("\0"), "must not hold a zero byte"),
);
export const variableName = v.pipe(
  text,
  v.check((value) => value !== "" && !value.includes("="), 'must be a name without "="'),
);
const number = v.number();
const output = v.union([v.picklist(["inherit", "capture", "ignore"]), number]);
const access = v.picklist(["read", "write", "read-write"]);
const grant = v.union([
  v.strictObject({
    path: v.string(),
    access: v.optional(access),
    direct: v.optional(v.boolean()),
  }),
  v.strictObject({ fd: number, access: v.optional(access) }),
]);

export const preopen = v.union([
  text,
  v.strictObject({ path: text, readOnly: v.optional(v.boolean()) }),
]);

/** Values by name. A Map or a list would pass for an object without entries: it is no silent nothing. */
function named<Schema extends v.GenericSchema>(value: Schema) {
  const isPlain = (input: unknown) =>
    typeof input === "object" && !Array.isArray(input) && !(input instanceof Map);
  return v.pipe(
    v.custom<Record<string, v.InferInput<Schema>>>(isPlain, "must be an object: { name: value }"),
    v.record(v.string(), value),
  );
}

const schema = v.strictObject({
  files: v.optional(named(grant)),
  // Devices have a schema of their own, with better messages.
  devices: v.optional(v.unknown()),
  // Policies have a schema of their own, with better messages.
  policy: v.optional(v.unknown()),
  engine: v.optional(v.string()),
  sqpoll: v.optional(
    v.union([v.boolean(), v.strictObject({ idleMs: number, cpu: v.optional(number) })]),
  ),
  entries: v.optional(number),
  iopoll: v.optional(v.boolean()),
  personalities: v.optional(
    named(v.strictObject({ uid: number, gid: number, groups: v.optional(v.array(number)) })),
  ),
  ioWorkersMax: v.optional(v.unknown()),
  eventFd: v.optional(number),
  preopens: v.optional(named(preopen)),
  sockets: v.optional(v.array(number)),
  openFilesMax: v.optional(number),
  args: v.optional(v.array(text)),
  env: v.optional(v.pipe(named(v.unknown()), v.record(variableName, text))),
  stdin: v.optional(v.union([v.string(), v.instance(Uint8Array), number])),
  stdout: v.optional(output),
  stderr: v.optional(output),
  stdioProvider: v.optional(v.picklist(["direct", "@wasmer/wasi"])),
  outputLimitBytes: v.optional(number),
  deadlineMs: v.optional(number),
  signal: v.optional(v.instance(AbortSignal)),
});

/** @throws WasmUringError ERR_BAD_OPTION naming the first option that is wrong */
export function checkOptions(options: unknown): void {
  const result = v.safeParse(schema, options);
  if (result.success) return;
  const [issue] = result.issues;
  const path = v.getDotPath(issue) ?? "options";
  throw new WasmUringError("ERR_BAD_OPTION", { what: `option ${path}`, ...whyNot(issue, path) });
}

function whyNot(issue: v.BaseIssue<unknown>, path: string): { why: string; whatToDo: string } {
  const whatToDo = "see docs/embedding.md for the options and their types";
  if (issue.type !== "strict_object" || issue.kind !== "schema") {
    return { why: issue.message, whatToDo };
  }
  if (issue.expected !== "never") return { why: "it is missing", whatToDo };
  const near = path.includes(".") ? undefined : nearest(path, Object.keys(schema.entries));
  const meant = near === undefined ? "" : `did you mean ${near}? `;
  return { why: "there is no such option", whatToDo: meant + whatToDo };
}
