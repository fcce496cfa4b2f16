/**
 * A guest without code for the WASI tests: one memory, shared or not, and the functions bound to
 * it. The tests call them as a guest would, with whatever it might pass.
 */
import { GuestMemory } from "../../host/memory/guest-memory";
import { createWasi } from "../../host/wasi/create";
import type { WasiFunctions } from "../../host/wasi/parameter";
import { bytesInput, captureOutput } from "../../host/wasi/stream";

export const PAGE_BYTES = 65536;

export class Exit extends Error {
  constructor(readonly code: number) {
    super(`exit ${code}`);
  }
}

export interface TestGuest {
  guest: GuestMemory;
  wasi: WasiFunctions;
  call: (name: string, ...parameters: (number | bigint)[]) => number;
  output: () => string;
  errors: () => string;
  stop: () => void;
}

export interface TestGuestOptions {
  shared: boolean;
  args?: string[];
  env?: Record<string, string>;
  input?: string;
  limitBytes?: number;
}

export function makeGuest(options: TestGuestOptions): TestGuest {
  const { shared } = options;
  const guest = new GuestMemory(new WebAssembly.Memory({ initial: 1, maximum: 64, shared }));
  const chunks: Record<1 | 2, Uint8Array[]> = { 1: [], 2: [] };
  const limit = options.limitBytes ?? 1 << 20;
  const sink = (fd: 1 | 2, chunk: Uint8Array) => void chunks[fd].push(chunk);
  let stopped = false;
  const wasi = createWasi({
    memory: () => guest,
    args: options.args ?? ["guest"],
    env: options.env ?? {},
    stdio: {
      stdin: bytesInput(new TextEncoder().encode(options.input ?? "")),
      stdout: captureOutput(1, sink, limit),
      stderr: captureOutput(2, sink, limit),
    },
    stopped: () => stopped,
    exit: (code) => {
      throw new Exit(code);
    },
  });
  const text = (fd: 1 | 2) => Buffer.concat(chunks[fd]).toString("utf8");
  return {
    guest,
    wasi,
    call: (name, ...parameters) => {
      const found = wasi[name];
      if (found === undefined) throw new Error(`no function ${name}`);
      return found(...parameters);
    },
    output: () => text(1),
    errors: () => text(2),
    stop: () => {
      stopped = true;
    },
  };
}

/** Lays text down at `at` and one vector for it at `vectorAt`. */
export function putVector(guest: GuestMemory, vectorAt: number, at: number, text: string): void {
  const bytes = new TextEncoder().encode(text);
  guest.bytes.set(bytes, at);
  guest.view.setUint32(vectorAt, at, true);
  guest.view.setUint32(vectorAt + 4, bytes.length, true);
}
