/**
 * Taking over a descriptor that the embedder opened: duplicated, never reopened, so that the guest
 * gets what was opened and the embedder keeps its own. How it was opened is the only thing that the
 * kernel holds a guest to; an access that says less would be a promise that nobody keeps, and is
 * refused.
 */
import { constants } from "node:fs";
import { Errno } from "../abi";
import type { Syscalls } from "../ffi/syscalls";
import { O_PATH } from "./files";
import { badGrant, openFailed } from "./refusal";
import type { Access, DescriptorGrant } from "./request";
import { ACCESS_MODE } from "./vet";

export interface TakenDescriptor {
  fd: number;
  /** F_GETFL. */
  flags: number;
}

/** How a descriptor was opened; undefined for none of the three ways. */
export function accessOf(flags: number): Access | undefined {
  switch (flags & ACCESS_MODE) {
    case constants.O_RDONLY:
      return "read";
    case constants.O_WRONLY:
      return "write";
    case constants.O_RDWR:
      return "read-write";
    default:
      return undefined;
  }
}

function checkFlags(what: string, flags: number): void {
  if ((flags & O_PATH) !== 0) {
    throw badGrant(what, { why: "it was opened with O_PATH, which allows no reading or writing" });
  }
  const access = accessOf(flags);
  if (access === undefined) {
    throw badGrant(what, { why: "it was opened for neither reading nor writing" });
  }
  if ((flags & constants.O_APPEND) !== 0 && access !== "read") {
    throw badGrant(what, {
      why:
        "it was opened with O_APPEND, which does not bind a guest: a write can carry " +
        "RWF_NOAPPEND and change what was written before",
      whatToDo: "open it without O_APPEND if the guest may change all of it, or grant a pipe",
    });
  }
}

/**
 * Duplicates the descriptor, close-on-exec.
 *
 * @throws WasmUringError ERR_BAD_GRANT; nothing is left open then
 */
export function takeDescriptor(
  what: string,
  grant: DescriptorGrant,
  syscalls: Syscalls | null,
): TakenDescriptor {
  if (syscalls === null) {
    throw badGrant(what, {
      why: "duplicating a descriptor needs Linux and koffi",
      whatToDo: "grant the file by its path",
    });
  }
  const fd = syscalls.dup(grant.fd);
  if (fd === -Errno.EBADF) {
    throw badGrant(what, {
      why: "no such descriptor is open (EBADF)",
      syscall: "dup",
      errno: Errno.EBADF,
    });
  }
  if (fd < 0) throw badGrant(what, { ...openFailed(-fd), syscall: "dup" });
  try {
    const flags = syscalls.fcntlGetFlags(fd);
    if (flags < 0) throw badGrant(what, { ...openFailed(-flags), syscall: "fcntl" });
    checkFlags(what, flags);
    return { fd, flags };
  } catch (error) {
    syscalls.close(fd);
    throw error;
  }
}

/** Compares what is asked with what the descriptor allows. */
export function checkAccess(what: string, asked: Access | undefined, opened: Access): void {
  if (asked === undefined || asked === opened) return;
  if (opened !== "read-write") {
    throw badGrant(what, {
      why: `it is open for "${opened}" only`,
      whatToDo: `ask for "${opened}", or open it another way`,
    });
  }
  throw badGrant(what, {
    why:
      `it is open for "read-write", and the kernel holds a guest to how a descriptor was opened, ` +
      `not to "${asked}"`,
    whatToDo: `open it for "${asked}" only, grant it by its path, or leave "access" out`,
  });
}
