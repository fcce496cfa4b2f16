/**
 * @wasmer/wasi 1.2.2 as the provider of arguments, environment, clocks, captured standard streams and exit code; every
 * other import stays ours. Optional, and only for captured streams: it holds all output until the end, and costs what
 * docs/wasi.md says. It sees nothing of the host but clocks and its own memory.
 *
 * Its descriptors above 2 and its files are never used: it corrupts file data.
 */
import { createRequire } from "node:module";
import { WasmUringError } from "../errors";
import type { GuestMemory } from "../memory/guest-memory";
import { WasiErrno } from "./errno";
import { unsigned, type WasiFunction, type WasiFunctions } from "./parameter";
import type { CaptureSink } from "./stream";

/** The part of the package that is used. */
interface WasmerWasi {
  getImports(module: WebAssembly.Module): Record<string, WasiFunctions>;
  instantiate(instance: WebAssembly.Instance, imports: object): WebAssembly.Instance;
  /** Calls `_start`; the code of proc_exit, or 0. */
  start(instance: WebAssembly.Instance): number;
  setStdinBuffer(bytes: Uint8Array): void;
  getStdoutBuffer(): Uint8Array;
  getStderrBuffer(): Uint8Array;
  free(): void;
}

export interface WasmerPackage {
  init(): Promise<void>;
  WASI: new (options: {
    args: readonly string[];
    env: Readonly<Record<string, string>>;
  }) => WasmerWasi;
}

export const WASMER_PACKAGE = "@wasmer/wasi";

/** Who serves arguments, environment, clocks, captured streams and the exit code. */
export type StdioProvider = "direct" | typeof WASMER_PACKAGE;

/** Imports that are the package's for every guest. */
const TAKEN = [
  ...["args_get", "args_sizes_get", "environ_get", "environ_sizes_get"],
  ...["clock_res_get", "clock_time_get", "proc_exit"],
] as const;

const VECTOR_BYTES = 8;
const VECTORS_MAX = 1024;

export interface WasmerOptions {
  module: WebAssembly.Module;
  memory: () => GuestMemory;
  args: readonly string[];
  env: Readonly<Record<string, string>>;
  stdin: Uint8Array;
  /** Whether a stream is captured; otherwise what goes there is dropped. */
  captured: Readonly<Record<1 | 2, boolean>>;
  /** The most that is captured of each stream. */
  limitBytes: number;
  capture: CaptureSink;
}

function absent(cause: unknown): WasmUringError {
  return new WasmUringError("ERR_TOOL_MISSING", {
    what: `stdioProvider "${WASMER_PACKAGE}"`,
    why: `the package cannot be loaded: ${cause instanceof Error ? cause.message.split("\n")[0] : cause}`,
    whatToDo:
      "npm install @wasmer/wasi@1.2.2, or leave the option out for our own, which is faster",
    cause,
  });
}

function requirePackage(): WasmerPackage {
  try {
    return createRequire(import.meta.url)(WASMER_PACKAGE);
  } catch (cause) {
    throw absent(cause);
  }
}

/** @throws WasmUringError ERR_TOOL_MISSING when the package is not installed */
export function checkWasmer(): void {
  try {
    createRequire(import.meta.url).resolve(WASMER_PACKAGE);
  } catch (cause) {
    throw absent(cause);
  }
}

/** Compiles the package's own module; some 25 ms. Once per thread, before the guest starts. */
export async function loadWasmer(): Promise<WasmerPackage> {
  const loaded = requirePackage();
  await loaded.init();
  return loaded;
}

/** One guest's streams and start by the package. */
export class WasmerStdio {
  readonly #options: WasmerOptions;
  readonly #wasi: WasmerWasi;
  readonly #theirs: WasiFunctions;
  readonly #roomBytes: Record<number, number>;
  /** Standard descriptors that the guest closed, or put another in the place of: ours from then on. */
  readonly #replaced = new Set<number>();
  /** What one of our own functions threw to unwind the guest: the package wraps it in a text. */
  #thrown: unknown = null;

  constructor({ WASI }: WasmerPackage, options: WasmerOptions) {
    this.#options = options;
    this.#wasi = new WASI({ args: options.args, env: options.env });
    this.#wasi.setStdinBuffer(options.stdin);
    this.#theirs = this.#wasi.getImports(options.module)["wasi_snapshot_preview1"] ?? {};
    this.#roomBytes = { 1: options.limitBytes, 2: options.limitBytes };
  }

  /** Ours with the package's in their place. */
  functions(ours: WasiFunctions): WasiFunctions {
    const theirs = this.#theirs;
    const functions: WasiFunctions = {};
    for (const [name, call] of Object.entries(ours)) functions[name] = this.#noting(call);
    for (const name of TAKEN) {
      const call = theirs[name];
      if (call !== undefined) functions[name] = call;
    }
    return {
      ...functions,
      fd_read: this.#standard("fd_read", functions, (fd) => fd === 0),
      fd_write: this.#writing(functions),
      fd_close: this.#replacing(functions, "fd_close"),
      fd_renumber: this.#replacing(functions, "fd_renumber"),
    };
  }

  /** Runs `_start` by the package; the guest's exit code. What it wrote is captured, whatever its end. */
  start(instance: WebAssembly.Instance): number {
    this.#wasi.instantiate(instance, {});
    try {
      return this.#wasi.start(instance);
    } catch (error) {
      if (this.#thrown !== null) throw this.#thrown;
      throw asTrap(error);
    } finally {
      this.#collect();
    }
  }

  #collect(): void {
    const { captured, capture } = this.#options;
    if (captured[1]) capture(1, this.#wasi.getStdoutBuffer());
    if (captured[2]) capture(2, this.#wasi.getStderrBuffer());
    this.#wasi.free();
  }

  #noting(call: WasiFunction): WasiFunction {
    return (...parameters) => {
      try {
        return call(...parameters);
      } catch (error) {
        this.#thrown = error;
        throw error;
      }
    };
  }

  #standard(name: string, ours: WasiFunctions, isTheirs: (fd: number) => boolean): WasiFunction {
    const own = ours[name];
    const their = this.#theirs[name];
    return (fd = 0, ...rest) => {
      const number = unsigned(fd);
      const call = isTheirs(number) && !this.#replaced.has(number) ? (their ?? own) : own;
      return call === undefined ? WasiErrno.ENOSYS : call(fd, ...rest);
    };
  }

  /** The package would keep all that a guest writes: what is beyond the limit does not reach it. */
  #writing(ours: WasiFunctions): WasiFunction {
    const write = this.#standard("fd_write", ours, (fd) => fd === 1 || fd === 2);
    return (fd = 0, vectors = 0, count = 0, result = 0) => {
      const number = unsigned(fd);
      if ((number !== 1 && number !== 2) || this.#replaced.has(number)) {
        return write(fd, vectors, count, result);
      }
      const bytes = this.#lengthOf(unsigned(vectors), unsigned(count));
      if (bytes < 0) return -bytes;
      const room = this.#roomBytes[number] ?? 0;
      if (bytes > room) return WasiErrno.ENOSPC;
      if (!this.#options.memory().contains(unsigned(result), 4)) return WasiErrno.EFAULT;
      this.#roomBytes[number] = room - bytes;
      return write(fd, vectors, count, result);
    };
  }

  /** Bytes of all vectors, or a negated WASI errno; each is inside the guest's memory. */
  #lengthOf(at: number, count: number): number {
    const guest = this.#options.memory();
    if (count > VECTORS_MAX) return -WasiErrno.EINVAL;
    if (!guest.contains(at, count * VECTOR_BYTES)) return -WasiErrno.EFAULT;
    let total = 0;
    for (let index = 0; index < count; index++) {
      const start = guest.view.getUint32(at + index * VECTOR_BYTES, true);
      const length = guest.view.getUint32(at + index * VECTOR_BYTES + 4, true);
      if (!guest.contains(start, length)) return -WasiErrno.EFAULT;
      total += length;
    }
    return total;
  }

  /** All descriptors that it names: a renumbered one is closed, and its number may be given out anew. */
  #replacing(ours: WasiFunctions, name: string): WasiFunction {
    const call = ours[name];
    return (...parameters) => {
      const result = call?.(...parameters) ?? WasiErrno.ENOSYS;
      if (result === WasiErrno.SUCCESS) {
        for (const fd of parameters) if (unsigned(fd) <= 2) this.#replaced.add(unsigned(fd));
      }
      return result;
    };
  }
}

/** "Error while running start function: RuntimeError: JsValue(RuntimeError: unreachable ...": the guest's own words. */
function asTrap(error: unknown): Error {
  const text = error instanceof Error ? error.message : String(error);
  const [, inner = text] = /JsValue\((?:\w*Error: )?([^\n]*)/.exec(text) ?? [];
  return new WebAssembly.RuntimeError(inner);
}
