/**
 * The two string lists of WASI, arguments and environment: an array of u32 pointers and one buffer
 * in which the strings lie one after another, each closed by a zero byte. Encoded once, because
 * every list is asked for twice (its size, then itself).
 */
import { WasmUringError } from "../errors";
import type { GuestMemory } from "../memory/guest-memory";
import { WasiErrno } from "./errno";
import { type Parameter, unsigned } from "./parameter";

const POINTER_BYTES = 4;

export class StringList {
  readonly #encoded: readonly Uint8Array[];
  readonly #lengthBytes: number;

  /**
   * `what` names the list in the error for a string that holds a zero byte, which would cut it
   * short for the guest.
   */
  constructor(what: string, strings: readonly string[]) {
    const encoder = new TextEncoder();
    for (const text of strings) {
      if (!text.includes("\0")) continue;
      throw new WasmUringError("ERR_BAD_OPTION", {
        what: `${what} ${JSON.stringify(text)}`,
        why: "it holds a zero byte, and the guest's strings end at the first one",
        whatToDo: "remove the zero byte",
      });
    }
    this.#encoded = strings.map((text) => encoder.encode(`${text}\0`));
    this.#lengthBytes = this.#encoded.reduce((sum, bytes) => sum + bytes.length, 0);
  }

  /** args_sizes_get, environ_sizes_get: how many strings, and the bytes of them all. */
  sizes(memory: GuestMemory, count: Parameter, length: Parameter): WasiErrno {
    const countAt = unsigned(count);
    const lengthAt = unsigned(length);
    if (!memory.contains(countAt, 4) || !memory.contains(lengthAt, 4)) return WasiErrno.EFAULT;
    memory.view.setUint32(countAt, this.#encoded.length, true);
    memory.view.setUint32(lengthAt, this.#lengthBytes, true);
    return WasiErrno.SUCCESS;
  }

  /** args_get, environ_get: all or nothing, so that a bad second pointer leaves no half list. */
  write(memory: GuestMemory, pointers: Parameter, buffer: Parameter): WasiErrno {
    const pointersAt = unsigned(pointers);
    let at = unsigned(buffer);
    if (!memory.contains(pointersAt, this.#encoded.length * POINTER_BYTES)) return WasiErrno.EFAULT;
    if (!memory.contains(at, this.#lengthBytes)) return WasiErrno.EFAULT;
    const { view, bytes } = memory;
    this.#encoded.forEach((text, index) => {
      view.setUint32(pointersAt + index * POINTER_BYTES, at, true);
      bytes.set(text, at);
      at += text.length;
    });
    return WasiErrno.SUCCESS;
  }
}
