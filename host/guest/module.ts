/**
 * A guest's module before anything runs: is it WebAssembly, what does it import, which memory does it want? The
 * memory import's limits are read from the binary itself, because the JavaScript API does not tell them and an
 * imported memory must match.
 */
import { WasmUringError } from "../errors";

export interface MemoryImport {
  module: string;
  name: string;
  /** Pages of 64 KiB. */
  initial: number;
  /** undefined: the module names no bound (never so for shared memory). */
  maximum: number | undefined;
  shared: boolean;
}

export interface GuestModule {
  module: WebAssembly.Module;
  memoryImport: MemoryImport | null;
  /** The most that the guest's memory can grow to, pages; Infinity when the module names no bound. */
  memoryPagesMax: number;
}

const IMPORT_SECTION = 2;
const MEMORY_SECTION = 5;
const PAGE_BYTES = 65536;
const enum External {
  FUNCTION = 0,
  TABLE = 1,
  MEMORY = 2,
  GLOBAL = 3,
  TAG = 4,
}
const SHARED_FLAG = 2;
const MEMORY64_FLAG = 4;

function badModule(what: string, why: string, whatToDo?: string, cause?: unknown): WasmUringError {
  return new WasmUringError("ERR_BAD_MODULE", {
    what,
    why,
    ...(whatToDo === undefined ? {} : { whatToDo }),
    ...(cause === undefined ? {} : { cause }),
  });
}

/** Reads LEB128 numbers and names; the engine has validated the binary before. */
class Reader {
  position: number;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array, position: number) {
    this.#bytes = bytes;
    this.position = position;
  }

  byte(): number {
    return this.#bytes[this.position++] ?? 0;
  }

  number(): number {
    let value = 0;
    for (let shift = 1; ; shift *= 128) {
      const byte = this.byte();
      value += (byte & 0x7f) * shift;
      if (byte < 128) return value;
    }
  }

  name(): string {
    const length = this.number();
    const text = new TextDecoder().decode(
      this.#bytes.subarray(this.position, this.position + length),
    );
    this.position += length;
    return text;
  }

  /** Skips the limits of a table. */
  limits(): { flags: number; initial: number; maximum: number | undefined } {
    const flags = this.number();
    const initial = this.number();
    const maximum = (flags & 1) !== 0 ? this.number() : undefined;
    return { flags, initial, maximum };
  }
}

function readImport(reader: Reader): MemoryImport | null {
  const module = reader.name();
  const name = reader.name();
  switch (reader.byte()) {
    case External.FUNCTION:
      reader.number();
      return null;
    case External.TABLE:
      reader.number();
      reader.limits();
      return null;
    case External.MEMORY: {
      const { flags, initial, maximum } = reader.limits();
      if ((flags & MEMORY64_FLAG) !== 0) {
        throw badModule(`the memory import ${module}.${name}`, "64-bit memories are not supported");
      }
      return { module, name, initial, maximum, shared: (flags & SHARED_FLAG) !== 0 };
    }
    case External.GLOBAL:
      reader.number();
      reader.byte();
      return null;
    default:
      reader.byte();
      reader.number();
      return null;
  }
}

/** A reader at the start of a section's entries and their number, or null when the binary has no such section. */
function openSection(bytes: Uint8Array, wanted: number): { reader: Reader; count: number } | null {
  const reader = new Reader(bytes, 8);
  while (reader.position < bytes.length) {
    const section = reader.byte();
    const length = reader.number();
    if (section === wanted) return { reader, count: reader.number() };
    reader.position += length;
  }
  return null;
}

/** The memory that a valid binary imports, or null. */
function findMemoryImport(bytes: Uint8Array): MemoryImport | null {
  const section = openSection(bytes, IMPORT_SECTION);
  for (let index = 0; section !== null && index < section.count; index++) {
    const found = readImport(section.reader);
    if (found !== null) return found;
  }
  return null;
}

/** The bound of the memory that a valid binary defines itself. */
function definedMemoryPagesMax(bytes: Uint8Array): number {
  const section = openSection(bytes, MEMORY_SECTION);
  if (section === null || section.count === 0) return Infinity;
  const { maximum } = section.reader.limits();
  return maximum ?? Infinity;
}

/**
 * Compiles a guest off the event loop.
 *
 * @param what how messages name it: its path, or "the module"
 * @throws WasmUringError ERR_BAD_MODULE
 */
export async function compileGuest(
  source: Uint8Array | WebAssembly.Module,
  what: string,
): Promise<GuestModule> {
  if (source instanceof WebAssembly.Module) {
    const imports = WebAssembly.Module.imports(source).some((entry) => entry.kind === "memory");
    if (!imports) return { module: source, memoryImport: null, memoryPagesMax: Infinity };
    throw badModule(
      what,
      "a compiled module that imports its memory does not tell the memory's size",
      "pass the bytes instead",
    );
  }
  if (
    source.length < 8 ||
    source[0] !== 0 ||
    source[1] !== 0x61 ||
    source[2] !== 0x73 ||
    source[3] !== 0x6d
  ) {
    throw badModule(
      what,
      "is not a WebAssembly binary",
      "pass a .wasm file, not its source or text form",
    );
  }
  try {
    // A private copy: the caller may change its bytes meanwhile.
    const bytes = new Uint8Array(source);
    const module = await WebAssembly.compile(bytes);
    const memoryImport = findMemoryImport(bytes);
    const memoryPagesMax =
      memoryImport === null ? definedMemoryPagesMax(bytes) : (memoryImport.maximum ?? Infinity);
    return { module, memoryImport, memoryPagesMax };
  } catch (cause) {
    if (cause instanceof WasmUringError) throw cause;
    const message = cause instanceof Error ? cause.message : String(cause);
    throw badModule(what, `does not compile: ${message}`, "rebuild it", cause);
  }
}

/**
 * @param provided names of the import modules and of the functions in each that the host offers
 * @throws WasmUringError ERR_BAD_MODULE naming all that is missing
 */
export function checkInterface(
  guest: GuestModule,
  what: string,
  provided: ReadonlyMap<string, ReadonlySet<string>>,
): void {
  const unknown = WebAssembly.Module.imports(guest.module)
    .filter((entry) => entry.kind !== "memory")
    .filter(
      (entry) => entry.kind !== "function" || provided.get(entry.module)?.has(entry.name) !== true,
    )
    .map((entry) => `${entry.module}.${entry.name}`);
  if (unknown.length > 0) {
    const shown =
      unknown.slice(0, 5).join(", ") +
      (unknown.length > 5 ? `, and ${unknown.length - 5} more` : "");
    throw badModule(
      what,
      `imports what this host does not offer: ${shown}`,
      `offered are ${[...provided.keys()].join(", ")}; see docs/abi.md`,
    );
  }
  const memories = WebAssembly.Module.imports(guest.module).filter(({ kind }) => kind === "memory");
  if (memories.length > 1) throw badModule(what, "imports more than one memory");
  const taken = memories.find((entry) => provided.get(entry.module)?.has(entry.name) === true);
  if (taken !== undefined) {
    throw badModule(what, `imports a memory as ${taken.module}.${taken.name}, which is a function`);
  }
  const exports = WebAssembly.Module.exports(guest.module);
  const begins = ["_start", "_initialize", "on_completion"];
  if (!exports.some((entry) => begins.includes(entry.name) && entry.kind === "function")) {
    throw badModule(what, "exports no function _start", "export one: it is where a guest begins");
  }
  const ownMemory = exports.some((entry) => entry.name === "memory" && entry.kind === "memory");
  if (!ownMemory && guest.memoryImport === null) {
    throw badModule(what, 'neither exports a memory named "memory" nor imports one');
  }
}

/**
 * @param neededBytes what the smallest ring of the wanted size takes
 * @throws WasmUringError ERR_BAD_MODULE when the guest's memory can never hold it
 */
export function checkMemoryRoom(guest: GuestModule, what: string, neededBytes: number): void {
  const wantsRing = WebAssembly.Module.imports(guest.module).some(
    (entry) => entry.module === "uring" && entry.name === "setup",
  );
  const roomBytes = guest.memoryPagesMax * PAGE_BYTES;
  if (!wantsRing || roomBytes >= neededBytes) return;
  throw badModule(
    what,
    `its memory of at most ${roomBytes} bytes is too small for its ring, which takes ${neededBytes} bytes`,
    "build it with a larger maximum memory, or ask for fewer entries",
  );
}
