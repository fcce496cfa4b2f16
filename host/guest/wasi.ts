/**
 * node:wasi's class over this library's WASI: `import { WASI } from "wasm-uring/wasi"` in place of
 * "node:wasi", and nothing else changes but what is better. `start` runs the program on the calling
 * thread and blocks it, as node:wasi does; `startInWorker` runs it on a thread of its own, as every
 * guest.
 */
import { WasmUringError } from "../errors";
import { loadSyscalls } from "../ffi";
import { GuestMemory } from "../memory/guest-memory";
import {
  createStdio,
  nativeCalls,
  type OpenedFiles,
  openFileGrants,
  openWasi,
  type PreopenRequest,
  pollBy,
  type Wasi,
  type WasiFunctions,
} from "../wasi";
import { checkWasiOptions } from "./check-wasi-options";
import { runGuest } from "./create";

/** node:wasi's options, and `openFilesMax`, `sockets` and read-only preopens beside them. */
export interface WASIOptions {
  /** WASI 0.1 is the only one served; node:wasi's "unstable" is refused. */
  version: "preview1";
  args?: readonly string[];
  /** Variables that are undefined are left out, so that process.env may be passed. */
  env?: Readonly<Record<string, string | undefined>>;
  /** Directories of the host by the guest's path; see GuestOptions.preopens. */
  preopens?: Readonly<Record<string, PreopenRequest>>;
  /** Descriptors of open sockets; see GuestOptions.sockets. */
  sockets?: readonly number[];
  openFilesMax?: number;
  /**
   * Whether proc_exit ends the guest alone, `start` returning its code, or this process. Default
   * true.
   */
  returnOnExit?: boolean;
  /** Descriptors of this process. Default 0, 1 and 2. */
  stdin?: number;
  stdout?: number;
  stderr?: number;
}

/**
 * Unwinds a guest that called proc_exit. `start` catches it; a reactor's exports throw it to their
 * caller.
 */
class ExitSignal extends Error {
  readonly exitCode: number;

  constructor(exitCode: number) {
    super(`the guest called proc_exit with ${exitCode}`);
    this.name = "ExitSignal";
    this.exitCode = exitCode;
  }
}

function refuse(what: string, why: string, whatToDo: string): WasmUringError {
  return new WasmUringError("ERR_BAD_MODULE", { what, why, whatToDo });
}

function usedTwice(method: string): WasmUringError {
  return new WasmUringError("ERR_BAD_OPTION", {
    what: `${method} of a WASI`,
    why: "it was bound to an instance before, or closed",
    whatToDo: "make a WASI for each instance",
  });
}

function definedOf(env: WASIOptions["env"] = {}): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [name, value] of Object.entries(env)) if (value !== undefined) found[name] = value;
  return found;
}

/** One program's WASI. It is used for one instance. */
export class WASI implements Disposable {
  /** The functions of preview1, for an import object of your own. */
  readonly wasiImport: WasiFunctions;
  readonly #options: WASIOptions;
  readonly #files: OpenedFiles;
  readonly #wasi: Wasi;
  #memory: GuestMemory | null = null;
  #used = false;

  /**
   * @throws WasmUringError ERR_BAD_OPTION for an unknown version or option, a directory that does
   *   not exist, guest paths that overlap; ERR_SYSCALL on a kernel without openat2
   */
  constructor(options: WASIOptions) {
    checkWasiOptions(options);
    this.#options = options;
    const { preopens = {}, sockets = [], openFilesMax, args = [] } = options;
    const { stdin = 0, stdout = 1, stderr = 2 } = options;
    const { syscalls } = loadSyscalls();
    const native = syscalls === null ? null : nativeCalls();
    this.#files = openFileGrants({ preopens, sockets, openFilesMax }, native);
    const stopped = () => false;
    const poll = syscalls === null ? null : pollBy(syscalls);
    const nothing = () => undefined;
    this.#wasi = openWasi({
      memory: () => this.#guestMemory(),
      args,
      env: definedOf(options.env),
      stdio: createStdio({
        ...{ stdin, stdout, stderr },
        ...{ stopped, poll, limitBytes: 0, capture: nothing, isEnded: false },
      }),
      native,
      files: this.#files.grants,
      stopped,
      exit: (code) => {
        // Wherever it is called: by a reactor's exports too, as in node:wasi.
        if (options.returnOnExit === false) process.exit(code);
        throw new ExitSignal(code);
      },
    });
    this.wasiImport = this.#wasi.functions;
  }

  getImportObject(): { wasi_snapshot_preview1: WasiFunctions } {
    return { wasi_snapshot_preview1: this.wasiImport };
  }

  /**
   * Runs `_start` of an instance made with these imports, on this thread.
   *
   * @returns the exit code
   * @throws WasmUringError ERR_BAD_MODULE when it exports no `_start` or no memory; what the guest
   *   trapped with
   */
  start(instance: WebAssembly.Instance): number {
    const { _start: start, _initialize: initialize } = instance.exports;
    if (typeof start !== "function" || initialize !== undefined) {
      const why = typeof start !== "function" ? "exports no _start" : "exports _initialize too";
      throw refuse(
        "starting a WASI command",
        `the instance ${why}`,
        "use initialize for a reactor",
      );
    }
    this.finalizeBindings(instance);
    try {
      start();
      return 0;
    } catch (error) {
      return this.#exitCode(error);
    } finally {
      this.close();
    }
  }

  /**
   * Runs `_initialize` of a reactor, if it has one; its exports may then be called until `close`.
   */
  initialize(instance: WebAssembly.Instance): void {
    const { _start: start, _initialize: initialize } = instance.exports;
    if (start !== undefined || (initialize !== undefined && typeof initialize !== "function")) {
      const why = start !== undefined ? "exports _start" : "_initialize is not a function";
      throw refuse(
        "initialising a WASI reactor",
        `the instance: ${why}`,
        "use start for a command",
      );
    }
    this.finalizeBindings(instance);
    if (typeof initialize === "function") initialize();
  }

  /**
   * Makes the instance's memory known without running anything; `start` and `initialize` do it by
   * themselves.
   */
  finalizeBindings(
    instance: WebAssembly.Instance,
    options?: { memory?: WebAssembly.Memory },
  ): void {
    if (this.#used) throw usedTwice("finalizeBindings");
    const memory = options?.memory ?? instance.exports["memory"];
    if (!(memory instanceof WebAssembly.Memory)) {
      const whatToDo = 'export it as "memory", or pass it to finalizeBindings';
      throw refuse("binding a WASI instance", "it exports no memory", whatToDo);
    }
    this.#used = true;
    this.#memory = new GuestMemory(memory);
  }

  /**
   * Runs a module on a thread of its own with these options: this thread's event loop goes on, and
   * the module may import `uring` and `virtio` too, of which it is granted nothing.
   *
   * @returns the exit code
   * @throws WebAssembly.RuntimeError what the guest trapped with, as `start` does; WasmUringError for
   *   a bad module or a failure of the host
   */
  async startInWorker(source: string | URL | Uint8Array | WebAssembly.Module): Promise<number> {
    if (this.#used) throw usedTwice("startInWorker");
    this.#used = true;
    const { stdin = 0, stdout = 1, stderr = 2, version: _, returnOnExit, ...rest } = this.#options;
    const env = definedOf(rest.env);
    this.close();
    const result = await runGuest(source, { ...rest, env, stdin, stdout, stderr });
    if (result.outcome.kind === "host-failure") throw result.outcome.error;
    if (result.outcome.kind === "trap") throw new WebAssembly.RuntimeError(result.outcome.message);
    if (result.outcome.kind === "exit" && returnOnExit === false) process.exit(result.exitCode);
    return result.exitCode;
  }

  /**
   * Closes what the guest left open, and its directories. `start` does it by itself. Idempotent.
   */
  close(): void {
    this.#used = true;
    this.#wasi.close();
    this.#files.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #exitCode(error: unknown): number {
    if (!(error instanceof ExitSignal)) throw error;
    return error.exitCode;
  }

  #guestMemory(): GuestMemory {
    if (this.#memory !== null) return this.#memory;
    throw new WebAssembly.RuntimeError("a WASI function was called before the memory is known");
  }
}
