/**
 * Opening and closing, by system calls where there are any and by node:fs elsewhere, in one form: a
 * descriptor or a negated Linux errno. Descriptors are close-on-exec always, so that no child of
 * the host inherits a grant.
 */
import { closeSync, constants, openSync } from "node:fs";
import { Errno } from "../abi";
import type { Syscalls } from "../ffi/syscalls";

export interface Files {
  open(path: string, flags: number, mode: number): number;
  close(fd: number): void;
}

/** The same on every architecture that Node runs on; node:fs names neither. */
export const O_PATH = 0o10000000;
export const O_CLOEXEC = 0o2000000;

/** The Linux errno of an error of node:fs, by its name: the numbers differ between platforms. */
export function errnoOf(error: unknown): number {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  const known: Readonly<Record<string, number | string>> = Errno;
  const errno = typeof code === "string" ? known[code] : undefined;
  return typeof errno === "number" ? errno : Errno.EIO;
}

const nodeFiles: Files = {
  open: (path, flags, mode) => {
    try {
      return openSync(path, flags, mode); // libuv adds O_CLOEXEC
    } catch (error) {
      return -errnoOf(error);
    }
  },
  close: (fd) => {
    try {
      closeSync(fd);
    } catch {
      // Closed already by somebody else: nothing is left to close.
    }
  },
};

export function filesOf(syscalls: Syscalls | null): Files {
  if (syscalls === null) return nodeFiles;
  return {
    open: (path, flags, mode) => {
      let result = -Errno.EINTR;
      while (result === -Errno.EINTR) result = syscalls.open(path, flags | O_CLOEXEC, mode);
      return result;
    },
    close: (fd) => {
      syscalls.close(fd);
    },
  };
}

/** open(2)'s access mode for a grant. */
export function accessFlags(access: "read" | "write" | "read-write"): number {
  if (access === "read") return constants.O_RDONLY;
  return access === "write" ? constants.O_WRONLY : constants.O_RDWR;
}
