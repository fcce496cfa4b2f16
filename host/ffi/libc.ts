/**
 * libc by koffi: how a family of system calls is declared and how its errno is read. Everything native stops in this
 * folder. Loaded when first needed, not imported: where koffi has no binary this library still loads, and emulates.
 */
import { createRequire } from "node:module";
import type Koffi from "koffi";

/** Arguments that are always numbers: bigint would allocate per call and cost more than the call. */
export type NumberFunction = (...argumentsOfCall: (number | Uint8Array | null)[]) => number;
export type MixedFunction = (
  ...argumentsOfCall: (number | bigint | string | Uint8Array | null)[]
) => number;

export interface Libc {
  koffi: typeof Koffi;
  /** Declares a function whose arguments are numbers and buffers: `number("int close(int fd)")`. */
  number(declaration: string): NumberFunction;
  /** Declares one that also takes addresses (bigint) or strings. */
  mixed(declaration: string): MixedFunction;
  /** The result, or the negated errno for -1. Must follow the call at once. */
  checked(result: number): number;
}

/** glibc's name, then musl's (Alpine). */
const LIBC_NAMES = [
  "libc.so.6",
  `libc.musl-${process.arch === "arm64" ? "aarch64" : "x86_64"}.so.1`,
];

function openLibc(koffi: typeof Koffi): ReturnType<typeof Koffi.load> {
  let failure: unknown;
  for (const name of LIBC_NAMES) {
    try {
      return koffi.load(name);
    } catch (error) {
      failure ??= error;
    }
  }
  throw failure;
}

let loaded: Libc | undefined;

/** libc of this process, once for each thread. Throws what koffi throws when it cannot be loaded. */
export function loadLibc(): Libc {
  if (loaded !== undefined) return loaded;
  const koffi: typeof Koffi = createRequire(import.meta.url)("koffi");
  const library = openLibc(koffi);
  loaded = {
    koffi,
    number: (declaration) => library.func(declaration) as NumberFunction,
    mixed: (declaration) => library.func(declaration) as MixedFunction,
    checked: (result) => (result === -1 ? -koffi.errno() : result),
  };
  return loaded;
}
