/**
 * How the command line says that something failed: one sentence on stderr, never a stack trace
 * unless WASM_URING_DEBUG=1 asks for it.
 */
import { CommanderError } from "commander";
import { WasmUringError } from "../errors";
import { ExitCode } from "./exit-code";

/** Bad input of the command line itself. */
export function badOption(what: string, why: string, whatToDo?: string): WasmUringError {
  return new WasmUringError("ERR_BAD_OPTION", {
    what,
    why,
    ...(whatToDo === undefined ? {} : { whatToDo }),
  });
}

export function writeError(sentence: string): void {
  process.stderr.write(`wasm-uring: ${sentence}\n`);
}

/** commander's own sentence without its prefix, on one line, with where to read on. */
function usageSentence(error: CommanderError): string {
  const text = error.message
    .replace(/^error: /, "")
    .replace(/\s*\n\s*/g, " ")
    .replace(/\.$/, "");
  return `${text}. What to do: see \`wasm-uring --help\` or \`wasm-uring COMMAND --help\``;
}

function sentenceOf(error: unknown): string {
  if (error instanceof CommanderError) return usageSentence(error);
  if (error instanceof WasmUringError) return error.message;
  const message = error instanceof Error ? error.message : String(error);
  return `unexpected failure: ${message}. What to do: report it, with the stack that WASM_URING_DEBUG=1 shows`;
}

/**
 * Prints what went wrong and says with which code to exit. Help and version arrive here too, as
 * code 0.
 */
export function reportFailure(error: unknown): number {
  if (error instanceof CommanderError && error.exitCode === 0) return ExitCode.SUCCESS;
  writeError(sentenceOf(error));
  if (process.env.WASM_URING_DEBUG === "1" && error instanceof Error) {
    process.stderr.write(`${error.stack ?? error.message}\n`);
    if (error.cause !== undefined) process.stderr.write(`cause: ${String(error.cause)}\n`);
  }
  return ExitCode.BAD_INPUT;
}
