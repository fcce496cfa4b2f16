/**
 * What the families that work on descriptors share: the table, the system calls, the guest's memory
 * and the one way in which a call that was cut short ends.
 */
import { absentFileCalls, type FileCalls, fileCalls } from "../ffi/file-calls";
import { type NativeBuffer, nativeAddressOf, nativeBuffer } from "../ffi/native-buffer";
import { absentPathCalls, type PathCalls, pathCalls } from "../ffi/path-calls";
import { absentSocketCalls, type SocketCalls, socketCalls } from "../ffi/socket-calls";
import type { GuestMemory } from "../memory/guest-memory";
import type { DescriptorTable } from "./descriptor-table";
import type { WasiErrno } from "./errno";

/** The system calls behind WASI. Replaceable, so that a test can make one fail. */
export interface NativeCalls {
  files: FileCalls;
  paths: PathCalls;
  sockets: SocketCalls;
  buffer: (lengthBytes: number) => NativeBuffer;
  addressOf: (bytes: Uint8Array) => number;
}

/** Those of this thread. Throws what koffi throws when libc cannot be loaded. */
export function nativeCalls(): NativeCalls {
  return {
    files: fileCalls(),
    paths: pathCalls(),
    sockets: socketCalls(),
    buffer: nativeBuffer,
    addressOf: nativeAddressOf,
  };
}

/** Where there are no system calls, a guest has its standard streams and nothing else. */
export const absentCalls: NativeCalls = {
  files: absentFileCalls,
  paths: absentPathCalls,
  sockets: absentSocketCalls,
  buffer: (lengthBytes) => {
    const bytes = new Uint8Array(lengthBytes);
    return { bytes, view: new DataView(bytes.buffer), address: 0 };
  },
  addressOf: () => 0,
};

export interface DescriptorContext {
  memory: () => GuestMemory;
  table: DescriptorTable;
  native: NativeCalls;
  /** The native address of the guest's memory, re-read when it was replaced. */
  base: (guest: GuestMemory) => number;
  /** The guest is to end. */
  stopped: () => boolean;
  /** What a call returns that was cut short because the guest is to end; may throw instead. */
  interrupted: () => WasiErrno;
}

export function baseReader(native: NativeCalls): (guest: GuestMemory) => number {
  let known: Uint8Array | null = null;
  let address = 0;
  return (guest) => {
    const { bytes } = guest;
    if (bytes !== known) {
      known = bytes;
      address = native.addressOf(bytes);
    }
    return address;
  };
}
