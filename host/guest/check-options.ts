/**
 * The shape of an embedder's options: a misspelt name or a value of the wrong kind is an error before anything starts,
 * never a silent default. What the values mean is checked by `create.ts`.
 */
import * as v from "valibot";
import { WasmUringError } from "../errors";

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

const schema = v.strictObject({
  files: v.optional(v.record(v.string(), grant)),
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
    v.record(
      v.string(),
      v.strictObject({ uid: number, gid: number, groups: v.optional(v.array(number)) }),
    ),
  ),
  ioWorkersMax: v.optional(v.unknown()),
  eventFd: v.optional(number),
  preopens: v.optional(v.record(v.string(), preopen)),
  sockets: v.optional(v.array(number)),
  openFilesMax: v.optional(number),
  args: v.optional(v.array(text)),
  env: v.optional(v.record(variableName, text)),
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
  throw new WasmUringError("ERR_BAD_OPTION", {
    what: `option ${path}`,
    why: issue.message,
    whatToDo: "see docs/embedding.md for the options and their types",
  });
}
