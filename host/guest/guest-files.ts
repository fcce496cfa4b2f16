/** The directories and sockets of a guest's WASI, opened last of all that its embedder granted. */
import { loadSyscalls } from "../ffi";
import { nativeCalls, type OpenedFiles, openFileGrants } from "../wasi";
import type { GuestOptions } from "./options";

/**
 * @param undo closes what was opened for the guest before; called when this is refused
 * @throws WasmUringError ERR_BAD_OPTION, or ERR_SYSCALL on a kernel without openat2
 */
export function openGuestFiles(options: GuestOptions, undo: () => void): OpenedFiles {
  const { preopens = {}, sockets = [], openFilesMax } = options;
  try {
    const native = loadSyscalls().syscalls === null ? null : nativeCalls();
    return openFileGrants({ preopens, sockets, openFilesMax }, native);
  } catch (error) {
    undo();
    throw error;
  }
}
