/**
 * The options of the `WASI` class, checked before anything is opened: unknown versions, misspelt
 * names and values of the wrong kind are refused in one sentence.
 */
import * as v from "valibot";
import { WasmUringError } from "../errors";
import { preopen, text, variableName } from "./check-options";

const descriptor = v.pipe(v.number(), v.integer(), v.minValue(0));

const schema = v.strictObject({
  version: v.literal("preview1"),
  args: v.optional(v.array(text)),
  env: v.optional(v.record(variableName, v.optional(text))),
  preopens: v.optional(v.record(v.string(), preopen)),
  sockets: v.optional(v.array(v.number())),
  openFilesMax: v.optional(v.number()),
  returnOnExit: v.optional(v.boolean()),
  stdin: v.optional(descriptor),
  stdout: v.optional(descriptor),
  stderr: v.optional(descriptor),
});

function versionOf(options: unknown): unknown {
  return typeof options === "object" && options !== null && "version" in options
    ? options.version
    : undefined;
}

function isUnknown(issue: v.BaseIssue<unknown>): boolean {
  return issue.kind === "schema" && issue.type === "strict_object" && issue.expected === "never";
}

/** @throws WasmUringError ERR_BAD_OPTION naming the first option that is wrong */
export function checkWasiOptions(options: unknown): void {
  const version = versionOf(options);
  if (version !== "preview1") {
    throw new WasmUringError("ERR_BAD_OPTION", {
      what: `WASI version ${JSON.stringify(version) ?? "undefined"}`,
      why: "only preview1 (WASI 0.1) is served",
      whatToDo: 'pass { version: "preview1" }, and build the module for wasm32-wasip1',
    });
  }
  const result = v.safeParse(schema, options);
  if (result.success) return;
  const [issue] = result.issues;
  throw new WasmUringError("ERR_BAD_OPTION", {
    what: `WASI option ${v.getDotPath(issue) ?? "options"}`,
    why: isUnknown(issue) ? "there is no such option" : issue.message,
    whatToDo: "see docs/wasi.md for every option",
  });
}
