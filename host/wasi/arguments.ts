/** The family args_*, environ_*: what the embedder tells the guest when it starts. */
import type { GuestMemory } from "../memory/guest-memory";
import type { WasiFunctions } from "./parameter";
import { StringList } from "./strings";

export interface ArgumentsOptions {
  memory: () => GuestMemory;
  args: readonly string[];
  env: Readonly<Record<string, string>>;
}

export function argumentFunctions({ memory, args, env }: ArgumentsOptions): WasiFunctions {
  const argumentList = new StringList("the guest's argument", args);
  const environment = new StringList(
    "the guest's environment variable",
    Object.entries(env).map(([name, value]) => `${name}=${value}`),
  );
  return {
    args_sizes_get: (count = 0, length = 0) => argumentList.sizes(memory(), count, length),
    args_get: (pointers = 0, buffer = 0) => argumentList.write(memory(), pointers, buffer),
    environ_sizes_get: (count = 0, length = 0) => environment.sizes(memory(), count, length),
    environ_get: (pointers = 0, buffer = 0) => environment.write(memory(), pointers, buffer),
  };
}
