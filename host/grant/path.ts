/**
 * Opening a grant by its path. On Linux in two steps: O_PATH finds the file without touching it, so
 * that a device is judged before its driver is told (opening /dev/watchdog arms it) and a FIFO is
 * known before open waits for its other end; then that very file is opened through /proc/self/fd,
 * so that nothing can be swapped in between. The caller judges the open descriptor once more.
 */
import { constants, lstatSync, statSync } from "node:fs";
import { Errno, GrantKind } from "../abi";
import type { Syscalls } from "../ffi/syscalls";
import { type CreatedFile, createFile, removeCreated } from "./create";
import { accessFlags, type Files, filesOf, O_PATH } from "./files";
import { badGrant, openFailed } from "./refusal";
import type { PathGrant } from "./request";
import { judge } from "./vet";

export interface OpenedPath {
  fd: number;
  /** Set when the file was missing and has been created. */
  created: CreatedFile | undefined;
}

/** An ending that looks like one of the command line's, but is none: the path has it by mistake. */
const LOOKS_LIKE_ENDING = /[:,][a-z-]{1,8}$/;

function throwOpenFailed(what: string, grant: PathGrant, errno: number, kind?: GrantKind): never {
  const refusal = openFailed(errno);
  if (errno === Errno.EINVAL && grant.direct === true) {
    throw badGrant(what, {
      ...refusal,
      why: "its file system does not support direct I/O (EINVAL for O_DIRECT)",
      whatToDo: 'leave "direct" out, or put the file on ext4, XFS or btrfs',
    });
  }
  if (errno === Errno.ENXIO && kind === GrantKind.PIPE) {
    throw badGrant(what, {
      ...refusal,
      why: "nobody has this FIFO open for reading (ENXIO)",
      whatToDo: "open its other end first",
    });
  }
  if (errno === Errno.ENOENT && grant.access !== undefined && grant.access !== "read") {
    throw badGrant(what, { ...refusal, why: "the folder to create it in does not exist (ENOENT)" });
  }
  if (errno === Errno.ENOENT && LOOKS_LIKE_ENDING.test(grant.path)) {
    const likelyCause = "a mistyped ending: --file takes :ro, :wo, :rw and ,direct";
    throw badGrant(what, { ...refusal, likelyCause });
  }
  throw badGrant(what, refusal);
}

function isSymbolicLink(path: string): boolean {
  try {
    return lstatSync(path).isSymbolicLink();
  } catch {
    return false;
  }
}

/**
 * Creates the file of a writable grant if there is none; what else may be wrong is left to open.
 */
function createIfMissing(what: string, grant: PathGrant, files: Files): CreatedFile | undefined {
  if (grant.access === undefined || grant.access === "read") return undefined;
  try {
    if (statSync(grant.path, { throwIfNoEntry: false }) !== undefined) return undefined;
  } catch {
    return undefined; // not to be looked at; open tells why
  }
  const created = createFile(files, grant.path);
  if (typeof created !== "number") return created;
  if (created !== -Errno.EEXIST) throwOpenFailed(what, grant, -created);
  // It was missing and yet exists: a link that leads nowhere, or somebody created it just now.
  if (!isSymbolicLink(grant.path)) return undefined;
  throw badGrant(what, {
    ...openFailed(Errno.ENOENT),
    why: "it is a symbolic link to a file that does not exist (ENOENT)",
    whatToDo: "create the file, or grant it by its own path",
  });
}

/** Elsewhere than on Linux, or without FFI: ordinary files by node:fs, for the emulated engine. */
function openPortable(what: string, grant: PathGrant, files: Files): number {
  if (grant.direct === true) {
    throw badGrant(what, { why: '"direct" needs Linux and koffi', whatToDo: 'leave "direct" out' });
  }
  // Asked first because open would wait for a FIFO's other end.
  const status = statSync(grant.path, { throwIfNoEntry: false });
  if (status !== undefined && !status.isFile()) {
    const kind = status.isDirectory() ? "it is a directory" : "it is not an ordinary file";
    throw badGrant(what, { why: `${kind}; without system calls nothing else is granted` });
  }
  const fd = files.open(grant.path, accessFlags(grant.access ?? "read"), 0);
  if (fd < 0) throwOpenFailed(what, grant, -fd);
  return fd;
}

/** Opens the file that `pathFd` (O_PATH) has found and that has been judged to be of this kind. */
function openFound(
  what: string,
  grant: PathGrant,
  files: Files,
  pathFd: number,
  kind: GrantKind,
): number {
  if (kind === GrantKind.SOCKET) {
    throw badGrant(what, {
      why: "it is a socket's address, which cannot be opened",
      whatToDo: "connect to it in the host and grant the descriptor",
    });
  }
  if (grant.direct === true && kind !== GrantKind.FILE && kind !== GrantKind.BLOCK_DEVICE) {
    throw badGrant(what, {
      why: '"direct" is for files and block devices',
      whatToDo: "leave it out",
    });
  }
  let flags = accessFlags(grant.access ?? "read") | constants.O_NOCTTY;
  if (grant.direct === true) flags |= constants.O_DIRECT;
  // A FIFO is opened without waiting for its other end and stays so: the kernel's ring polls it all
  // the same, and the emulated engine must not be caught in a read. Read before a writer came, it
  // is at its end. Regular files and block devices never get the flag: it would make io_uring give
  // up where it should wait.
  if (kind === GrantKind.PIPE) flags |= constants.O_NONBLOCK;
  const fd = files.open(`/proc/self/fd/${pathFd}`, flags, 0);
  if (fd < 0) throwOpenFailed(what, grant, -fd, kind);
  return fd;
}

function openLinux(what: string, grant: PathGrant, files: Files): number {
  const pathFd = files.open(grant.path, O_PATH, 0);
  if (pathFd < 0) throwOpenFailed(what, grant, -pathFd);
  try {
    const verdict = judge(pathFd);
    if (verdict.refusal !== undefined) throw badGrant(what, verdict.refusal);
    return openFound(what, grant, files, pathFd, verdict.kind);
  } finally {
    files.close(pathFd);
  }
}

/**
 * Opens the file, creating it when it is missing and to be written; never truncates.
 *
 * @throws WasmUringError ERR_BAD_GRANT; nothing is left open or created then
 */
export function openPath(what: string, grant: PathGrant, syscalls: Syscalls | null): OpenedPath {
  const files = filesOf(syscalls);
  const created = createIfMissing(what, grant, files);
  try {
    const open = syscalls === null ? openPortable : openLinux;
    return { fd: open(what, grant, files), created };
  } catch (error) {
    if (created !== undefined) removeCreated(created);
    throw error;
  }
}
