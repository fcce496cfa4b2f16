/**
 * Memory whose native address is known and stays: structures and strings that system calls read and
 * write are laid out here once and used again, so that no call allocates. Addresses are plain
 * numbers (user addresses are below 2^48).
 */
import { assert } from "../errors";
import { loadLibc } from "./libc";

export interface NativeBuffer {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly address: number;
}

/** The address of a view's first byte; 0 for an empty one. Valid until its memory is freed or moved. */
export function nativeAddressOf(view: Uint8Array): number {
  if (view.length === 0) return 0;
  const address = loadLibc().koffi.address(view);
  assert(address !== null && address !== undefined, "a view without an address");
  return Number(address);
}

/** An ArrayBuffer made by its length lies outside V8's heap and is never moved. */
export function nativeBuffer(lengthBytes: number): NativeBuffer {
  const bytes = new Uint8Array(new ArrayBuffer(lengthBytes));
  return { bytes, view: new DataView(bytes.buffer), address: nativeAddressOf(bytes) };
}
