/**
 * The guest's side of a run, on its own worker thread (the talk's vCPU): builds the imports, instantiates the module,
 * runs `_start`, tears the ring down in order and says how it ended.
 */
import { toPortable, WasmUringError } from "../errors";
import { loadSyscalls } from "../ffi";
import { eventFds } from "../ffi/event-fd";
import { GuestMemory } from "../memory/guest-memory";
import { ReservedRanges } from "../memory/reserved";
import { Control, WorkerState } from "../ring/control";
import { Interrupts } from "../ring/interrupts";
import {
  createAbort,
  createStdio,
  nativeCalls,
  openWasi,
  pollBy,
  type Wasi,
  type WasiFunctions,
  type WasmerPackage,
  WasmerStdio,
} from "../wasi";
import { CaptureTail } from "./output";
import type { WorkerEnd, WorkerMessage, WorkerStart } from "./protocol";
import { reasonOf, uncatchable } from "./uncatchable";
import { GuestStopped, UringImports } from "./uring-imports";
import { VirtioImports } from "./virtio-imports";

/** Unwinds a guest that called proc_exit. */
class GuestExit extends Error {
  readonly exitCode: number;

  constructor(exitCode: number) {
    super(`exit ${exitCode}`);
    this.exitCode = exitCode;
  }
}

/** What instantiation refuses although the imports' names were right: the module is at fault, not this library. */
function linkError(error: Error): WasmUringError {
  return new WasmUringError("ERR_BAD_MODULE", {
    what: "instantiating the guest",
    why: error.message,
    whatToDo: "see docs/abi.md for the types of what it imports",
  });
}

function defect(error: unknown): WasmUringError {
  return new WasmUringError("ERR_WORKER", {
    what: "running the guest",
    why: error instanceof Error ? error.message : String(error),
    likelyCause: "a defect of wasm-uring",
    whatToDo: "report it",
  });
}

function hostFailure(error: WasmUringError): WorkerEnd {
  return { kind: "host-failure", error: toPortable(error) };
}

/**
 * V8's stack overflow inside wasm is a RangeError, a value that the module's own declaration of an import gave a wrong
 * type a TypeError; anything the guest throws itself is a WebAssembly.Exception.
 */
function describeEnd(error: unknown): WorkerEnd {
  if (error instanceof GuestExit) return { kind: "exit", exitCode: error.exitCode };
  if (error instanceof GuestStopped) return { kind: "stopped" };
  const trapped =
    error instanceof WebAssembly.RuntimeError ||
    error instanceof TypeError ||
    error instanceof RangeError;
  if (trapped) return { kind: "trap", message: error.message };
  if (error instanceof WebAssembly.Exception)
    return { kind: "trap", message: "uncaught exception" };
  if (error instanceof WebAssembly.LinkError) return hostFailure(linkError(error));
  return hostFailure(error instanceof WasmUringError ? error : defect(error));
}

/** What AssemblyScript's own loader gives as the seed of Math.random. */
const seed = () => Date.now() * Math.random();

export class Vcpu {
  readonly #start: WorkerStart;
  readonly #post: (message: WorkerMessage) => void;
  readonly #control: Control;
  readonly #uring: UringImports;
  readonly #virtio: VirtioImports;
  readonly #captured: Record<1 | 2, CaptureTail>;
  #memory: GuestMemory | null = null;
  #wasi: Wasi | null = null;
  #wasmer: WasmerPackage | null = null;
  #wasmerStdio: WasmerStdio | null = null;

  constructor(start: WorkerStart, post: (message: WorkerMessage) => void) {
    const { syscalls, reason } = loadSyscalls();
    this.#start = start;
    this.#post = post;
    this.#control = new Control(start.control);
    const tail = (fd: 1 | 2) =>
      new CaptureTail(start.captureTails[fd], (bytes) => post({ type: "output", fd, bytes }));
    this.#captured = { 1: tail(1), 2: tail(2) };
    const reserved = new ReservedRanges();
    const onRefusal = (text: string) => post({ type: "refusal", reason: text });
    this.#virtio = new VirtioImports({
      memory: () => this.#guestMemory(),
      syscalls,
      plans: start.devices,
      control: this.#control,
      reserved,
      onBackend: (device, remains) => post({ type: "backend", device, remains }),
      onRefusal,
      onFailure: (device, text) => post({ type: "device-failure", device, reason: text }),
    });
    this.#uring = new UringImports({
      memory: () => this.#guestMemory(),
      syscalls,
      syscallsReason: reason,
      plan: start.plan,
      control: this.#control,
      onRing: (report) => post({ type: "ring", report }),
      reserved,
      onRefusal,
    });
  }

  /** @param wasmer the package of `stdioProvider`, when it is asked for */
  run(wasmer: WasmerPackage | null = null): void {
    this.#wasmer = wasmer;
    // What is half-open must not be left behind: the thread is not ended meanwhile.
    if (!this.#control.advance(WorkerState.STARTING, WorkerState.SETTING_UP)) return;
    const refused = this.#openDevices();
    if (!this.#control.advance(WorkerState.SETTING_UP, WorkerState.RUNNING)) return;
    this.#post({ type: "started" });
    const began = performance.now();
    const end = refused ?? this.#runGuest();
    const elapsedMs = performance.now() - began;
    // Not when the embedder is ending the thread: then the ring is closed there.
    if (!this.#control.advance(WorkerState.RUNNING, WorkerState.CLEANING)) return;
    const stats = this.#uring.engine?.stats() ?? null;
    this.#virtio.close();
    this.#wasi?.close();
    this.#closeRing();
    this.#control.advance(WorkerState.CLEANING, WorkerState.DONE);
    this.#post({ type: "ended", end, stats, elapsedMs });
  }

  /** Why the guest cannot begin, or null. */
  #openDevices(): WorkerEnd | null {
    try {
      this.#virtio.open();
      return null;
    } catch (error) {
      return describeEnd(error);
    }
  }

  #runGuest(): WorkerEnd {
    try {
      const memory = this.#importedMemory();
      const instance = new WebAssembly.Instance(this.#start.module, this.#imports(memory));
      const exported = instance.exports["memory"];
      const own = exported instanceof WebAssembly.Memory ? exported : memory;
      this.#memory ??= own === null ? null : new GuestMemory(own);
      const exitCode = this.#enter(instance);
      if (exitCode !== 0) return { kind: "exit", exitCode };
      const onCompletion = instance.exports["on_completion"];
      if (typeof onCompletion === "function") this.#serveInterrupts(() => onCompletion());
      return { kind: "exit", exitCode: 0 };
    } catch (error) {
      return describeEnd(reasonOf(error));
    }
  }

  /** Runs the program; the exit code that the provider of its streams tells, if that is not ours. */
  #enter(instance: WebAssembly.Instance): number {
    const { _start: start, _initialize: initialize } = instance.exports;
    if (typeof start === "function" && this.#wasmerStdio !== null) {
      return this.#wasmerStdio.start(instance);
    }
    const entry = start ?? initialize;
    if (typeof entry === "function") entry();
    return 0;
  }

  /** Keeps a guest that has a ring, and calls it when completions were posted, until it says that it is done. */
  #serveInterrupts(onCompletion: () => unknown): void {
    const { engine } = this.#uring;
    if (engine === null) return;
    const { interruptFd = -1, eventFd } = this.#start.plan;
    const interrupts = new Interrupts({
      engine,
      memory: () => this.#guestMemory(),
      stop: this.#control,
      eventFds: loadSyscalls().syscalls === null ? null : eventFds(),
      interruptFd,
      eventFd,
    });
    try {
      while (interrupts.wait()) {
        // A function without a result gives undefined.
        const result = onCompletion();
        if (result !== undefined && result !== 0) return;
      }
    } finally {
      interrupts.forward();
    }
    throw new GuestStopped();
  }

  /** A ring without a descriptor (emulated) is this thread's alone; a descriptor is closed by whoever claims it. */
  #closeRing(): void {
    const { engine } = this.#uring;
    if (engine === null) return;
    if (engine.ringFd < 0 || this.#control.claimRing() >= 0) engine.close();
  }

  #importedMemory(): WebAssembly.Memory | null {
    const wanted = this.#start.memoryImport;
    if (wanted === null) return null;
    const { initial, maximum, shared } = wanted;
    const memory = new WebAssembly.Memory({
      initial,
      ...(maximum === undefined ? {} : { maximum }),
      shared,
    });
    this.#memory = new GuestMemory(memory);
    return memory;
  }

  #imports(memory: WebAssembly.Memory | null): WebAssembly.Imports {
    const { files, memoryImport, program } = this.#start;
    const { args, env, stdin, stdout, stderr, outputLimitBytes } = program;
    const { syscalls } = loadSyscalls();
    const guestMemory = () => this.#guestMemory();
    const stopped = () => this.#control.stopped();
    const stdio = createStdio({
      stdin,
      stdout,
      stderr,
      limitBytes: outputLimitBytes,
      capture: (fd, bytes) => this.#captured[fd].append(bytes),
      stopped,
      poll: syscalls === null ? null : pollBy(syscalls),
      isEnded: true,
    });
    const exit = (code: number): never => {
      throw new GuestExit(code);
    };
    this.#wasi = openWasi({
      memory: guestMemory,
      args,
      env,
      stdio,
      native: syscalls === null ? null : nativeCalls(),
      files,
      stopped,
      exit,
      unwind: () => {
        throw new GuestStopped();
      },
    });
    const uring = this.#uring.functions();
    const virtio = this.#virtio.functions();
    const imports: Record<string, WebAssembly.ModuleImports> = {
      uring: { ...uring, setup: uncatchable(uring.setup), arena: uncatchable(uring.arena) },
      virtio: { ...virtio, window: uncatchable(virtio.window) },
      wasi_snapshot_preview1: this.#provided(this.#wasi.functions),
      env: { abort: createAbort({ memory: guestMemory, stderr: stdio.stderr }), seed },
    };
    if (memory !== null && memoryImport !== null) {
      imports[memoryImport.module] = {
        ...imports[memoryImport.module],
        [memoryImport.name]: memory,
      };
    }
    return imports;
  }

  /** The functions with those of the provider that the embedder chose. */
  #provided(functions: WasiFunctions): WasiFunctions {
    const { module, program } = this.#start;
    if (this.#wasmer === null) return functions;
    const { args, env, stdin, stdout, stderr, outputLimitBytes: limitBytes } = program;
    const given = typeof stdin === "number" || stdin === "ignore" ? "" : stdin;
    this.#wasmerStdio = new WasmerStdio(this.#wasmer, {
      ...{ module, args, env, limitBytes, memory: () => this.#guestMemory() },
      stdin: typeof given === "string" ? new TextEncoder().encode(given) : given,
      captured: { 1: stdout === "capture", 2: stderr === "capture" },
      capture: (fd, bytes) => this.#captured[fd].append(bytes),
    });
    return this.#wasmerStdio.functions(functions);
  }

  /** A module's start function may call an import before its exported memory is known: that is a trap. */
  #guestMemory(): GuestMemory {
    if (this.#memory === null)
      throw new WebAssembly.RuntimeError("an import was called before the memory exists");
    return this.#memory;
  }
}
