/** What the attacker is granted: a file in two slots, both ends of a pipe. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Syscalls } from "../../host/ffi/syscalls";
import { type OpenedGrants, openGrants } from "../../host/grant";

const FILE_BYTES = 16384;

/** Slots of the attacker's grants. */
export const Slot = { READ_WRITE: 0, READ_ONLY: 1, PIPE_OUT: 2, PIPE_IN: 3, EMPTY: 63 } as const;

/** Temporary files and a pipe, granted as `Slot` says. */
export function grantAll(
  syscalls: Syscalls,
  folder: string,
): { grants: OpenedGrants; pipe: [number, number] } {
  const path = join(folder, "granted");
  writeFileSync(path, Buffer.alloc(FILE_BYTES, "granted bytes. "));
  const pipe = syscalls.pipe2(0o2000000);
  if (typeof pipe === "number") throw new Error(`pipe2: ${pipe}`);
  const files = {
    "read-write": { path, access: "read-write" },
    "read-only": { path },
    "pipe-out": { fd: pipe[0] },
    "pipe-in": { fd: pipe[1] },
  } as const;
  return { grants: openGrants(files, syscalls), pipe };
}
