/**
 * `env.abort`, which AssemblyScript guests call when an assertion fails or memory runs out. The
 * message is the guest's own and hostile: its strings are checked and cut, and it ends that guest
 * with a trap.
 */
import type { GuestMemory } from "../memory/guest-memory";
import { type Parameter, unsigned } from "./parameter";
import type { Stream } from "./stream";

/** The most of a guest's string that is printed, UTF-16 units. */
export const ABORT_TEXT_MAX = 1000;

export interface AbortOptions {
  memory: () => GuestMemory;
  stderr: Stream;
}

export type Abort = (
  message: Parameter,
  file: Parameter,
  line: Parameter,
  column: Parameter,
) => never;

/**
 * The thrown error is a WebAssembly.RuntimeError: to the guest's runner it is a trap as any other.
 */
export function createAbort({ memory, stderr }: AbortOptions): Abort {
  return (message = 0, file = 0, line = 0, column = 0) => {
    const text = readString(memory(), unsigned(message)) || "(no message)";
    const name = readString(memory(), unsigned(file));
    const where = name === "" ? "" : ` in ${name}(${unsigned(line)}:${unsigned(column)})`;
    const sentence = `abort: ${text}${where}`;
    writeAll(stderr, new TextEncoder().encode(`${sentence}\n`));
    throw new WebAssembly.RuntimeError(sentence);
  };
}

/**
 * An AssemblyScript string: a pointer to UTF-16 units, with their length in bytes in the u32 at -4.
 * Units are copied one by one, because TextDecoder refuses shared memory. What does not lie in
 * memory reads as empty. Control characters become spaces: the text goes to somebody's terminal.
 */
function readString(memory: GuestMemory, pointer: number): string {
  if (pointer < 4 || !memory.contains(pointer - 4, 4)) return "";
  const lengthBytes = memory.view.getUint32(pointer - 4, true);
  if (!memory.contains(pointer, lengthBytes)) return "";
  const units = Math.min(lengthBytes >>> 1, ABORT_TEXT_MAX);
  let text = "";
  for (let unit = 0; unit < units; unit++) {
    const code = memory.view.getUint16(pointer + unit * 2, true);
    text += String.fromCharCode(code < 0x20 || (code >= 0x7f && code < 0xa0) ? 0x20 : code);
  }
  return text;
}

function writeAll(stream: Stream, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) {
    const written = stream.write?.(bytes.subarray(at)) ?? 0;
    if (written <= 0) return;
    at += written;
  }
}
