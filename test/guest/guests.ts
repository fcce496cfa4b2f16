/** What the tests of this folder share: where the built test guests are, streams that never bring anything, results. */
import { readFileSync } from "node:fs";
import type { GuestResult } from "wasm-uring";
import { linuxSyscalls } from "../../host/ffi";

/** The path of a guest that `npm run build:guests` made of test/guests/NAME.ts. */
export function guestPath(name: string): string {
  return `build/guests/${name}.wasm`;
}

export function guestBytes(name: string): Uint8Array {
  return readFileSync(guestPath(name));
}

/** A pipe on which nothing ever arrives unless `write` is used. */
export function openPipe(): { read: number; write: number; close(): void } {
  const syscalls = linuxSyscalls();
  const ends = syscalls.pipe2(0o2000000);
  if (typeof ends === "number") throw new Error(`pipe2: ${ends}`);
  const [read, write] = ends;
  const close = () => {
    syscalls.close(read);
    syscalls.close(write);
  };
  return { read, write, close };
}

export const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString("utf8");

/** How a guest ended, short enough for an assertion, long enough for its failure. */
export function endOf(result: GuestResult): string {
  const { outcome } = result;
  switch (outcome.kind) {
    case "exit":
      return `exit ${outcome.exitCode}`;
    case "host-failure":
      return `host-failure ${outcome.error.code}: ${outcome.error.message}`;
    default:
      return outcome.kind;
  }
}
