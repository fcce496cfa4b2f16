/** What the guest's program is started with, from the embedder's options: arguments, environment, standard streams. */
import { WasmUringError } from "../errors";
import { checkWasmer, WASMER_PACKAGE } from "../wasi";
import type { GuestModule } from "./module";
import type { GuestOptions } from "./options";
import type { Program } from "./protocol";

const OUTPUT_LIMIT_BYTES_DEFAULT = 16 << 20;

function badOption(what: string, why: string, whatToDo: string): WasmUringError {
  return new WasmUringError("ERR_BAD_OPTION", { what, why, whatToDo });
}

function checkLimit(limitBytes: number): void {
  if (Number.isSafeInteger(limitBytes) && limitBytes >= 0) return;
  throw badOption(
    `outputLimitBytes ${limitBytes}`,
    "is not a whole number from 0 upwards",
    "leave it out for the default",
  );
}

/** The package knows neither the host's descriptors nor a memory that the guest imports. */
function checkProvider(program: Program, module: GuestModule): void {
  if (program.stdioProvider !== WASMER_PACKAGE) return;
  const what = `stdioProvider "${WASMER_PACKAGE}"`;
  const passed = (["stdin", "stdout", "stderr"] as const).find(
    (name) => program[name] === "inherit" || typeof program[name] === "number",
  );
  if (passed !== undefined) {
    const why = `${passed} is passed through, and the package only captures`;
    throw badOption(what, why, `say "capture" or "ignore" for ${passed}, or leave the option out`);
  }
  if (module.memoryImport !== null) {
    throw badOption(what, "the guest imports its memory", "use a guest that exports its memory");
  }
  checkWasmer();
}

/** @throws WasmUringError ERR_BAD_OPTION, or ERR_TOOL_MISSING for a provider that is not installed */
export function checkProgram(options: GuestOptions, name: string, module: GuestModule): Program {
  const program: Program = {
    args: options.args ?? [name],
    env: options.env ?? {},
    stdin: options.stdin ?? "ignore",
    stdout: options.stdout ?? "inherit",
    stderr: options.stderr ?? "inherit",
    stdioProvider: options.stdioProvider ?? "direct",
    outputLimitBytes: options.outputLimitBytes ?? OUTPUT_LIMIT_BYTES_DEFAULT,
  };
  checkLimit(program.outputLimitBytes);
  checkProvider(program, module);
  return program;
}
