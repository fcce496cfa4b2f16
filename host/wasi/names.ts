/**
 * The names of the WASI functions offered, for checking a module's imports before anything of it
 * runs.
 */
import { assert } from "../errors";
import { createWasi } from "./create";
import { ignoreInput, ignoreOutput } from "./stream";

/** Read off the real table, so that the check cannot drift from it. */
export function wasiFunctionNames(): string[] {
  const never = (): never => assert(false, "a table made for its names was called") as never;
  const functions = createWasi({
    memory: never,
    args: [],
    env: {},
    stdio: { stdin: ignoreInput(), stdout: ignoreOutput(), stderr: ignoreOutput() },
    stopped: () => false,
    exit: never,
  });
  return Object.keys(functions);
}
