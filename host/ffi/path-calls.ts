/**
 * System calls that take a path. `beneath` is the only one that resolves more than one component:
 * openat2(2) with RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS, with which the kernel itself is the
 * sandbox. All others are for a directory's descriptor and one last component, by their callers.
 * Paths are addresses of strings that end with a zero byte.
 */
import { Errno } from "../abi";
import { loadLibc } from "./libc";
import { type NativeBuffer, nativeBuffer } from "./native-buffer";

/** The same on every architecture that shares the generic table, x86_64 included. */
const SYS_OPENAT2 = 437;
const RESOLVE_NO_MAGICLINKS = 0x02;
const RESOLVE_BENEATH = 0x08;
const SYS_FSTATAT = process.arch === "arm64" ? 79 : 262;
/** AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT. */
const NOT_FOLLOWED = 0x100 | 0x800;
const AT_EMPTY_PATH = 0x1000;

/** `struct open_how`: flags u64, mode u64, resolve u64. */
const enum OpenHow {
  FLAGS = 0,
  MODE = 8,
  RESOLVE = 16,
  SIZE = 24,
}

export interface PathCalls {
  /** openat2(2). -EXDEV when the path leaves the directory, -EAGAIN when a rename came between. */
  beneath(directory: number, path: number, flags: number, mode: number): number;
  /** fstatat(2) of one component, never followed, into the kernel's struct stat. */
  status(directory: number, name: number, result: number): number;
  /** utimensat(2) of what an O_PATH descriptor stands for: two struct timespec. */
  setTimes(fd: number, times: number): number;
  makeDirectory(directory: number, name: number, mode: number): number;
  /** unlinkat(2); `flags` 0, or AT_REMOVEDIR. */
  unlink(directory: number, name: number, flags: number): number;
  rename(directory: number, name: number, newDirectory: number, newName: number): number;
  /** linkat(2) that follows nothing. */
  link(directory: number, name: number, newDirectory: number, newName: number): number;
  symlink(target: number, directory: number, name: number): number;
  /** readlinkat(2) of one component. */
  readLink(directory: number, name: number, buffer: number, length: number): number;
  /** readlinkat(2) of the link that an O_PATH descriptor stands for. */
  readOpenLink(fd: number, buffer: number, length: number): number;
  /** open(2) by the embedder's own authority: for what it grants, never for a guest's path. */
  openGranted(path: string, flags: number): number;
}

function makePathCalls(): PathCalls {
  const { koffi, number, mixed, checked } = loadLibc();
  const how: NativeBuffer = nativeBuffer(OpenHow.SIZE);
  const empty: NativeBuffer = nativeBuffer(8);
  how.view.setUint32(OpenHow.RESOLVE, RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS, true);
  const openat2 = number(
    "int syscall(long nr, int fd, uintptr_t path, uintptr_t how, size_t size)",
  );
  const fstatat = number(
    "int syscall(long nr, int fd, uintptr_t path, uintptr_t result, int flags)",
  );
  const utimensat = number("int utimensat(int fd, uintptr_t path, uintptr_t times, int flags)");
  const mkdirat = number("int mkdirat(int fd, uintptr_t path, uint32_t mode)");
  const unlinkat = number("int unlinkat(int fd, uintptr_t path, int flags)");
  const renameat = number("int renameat(int fd, uintptr_t path, int to, uintptr_t newPath)");
  const linkat = number("int linkat(int fd, uintptr_t path, int to, uintptr_t newPath, int flags)");
  const symlinkat = number("int symlinkat(uintptr_t target, int fd, uintptr_t path)");
  const readlinkat = number(
    "int64_t readlinkat(int fd, uintptr_t path, uintptr_t buffer, size_t length)",
  );
  const open = mixed("int open(const char *path, int flags, uint32_t mode)");

  return {
    beneath: (directory, path, flags, mode) => {
      how.view.setUint32(OpenHow.FLAGS, flags, true);
      how.view.setUint32(OpenHow.MODE, mode, true);
      const fd = openat2(SYS_OPENAT2, directory, path, how.address, OpenHow.SIZE);
      return fd === -1 ? -koffi.errno() : fd;
    },
    status: (directory, name, result) =>
      checked(fstatat(SYS_FSTATAT, directory, name, result, NOT_FOLLOWED)),
    setTimes: (fd, times) => checked(utimensat(fd, empty.address, times, AT_EMPTY_PATH)),
    makeDirectory: (directory, name, mode) => checked(mkdirat(directory, name, mode)),
    unlink: (directory, name, flags) => checked(unlinkat(directory, name, flags)),
    rename: (directory, name, newDirectory, newName) =>
      checked(renameat(directory, name, newDirectory, newName)),
    link: (directory, name, newDirectory, newName) =>
      checked(linkat(directory, name, newDirectory, newName, 0)),
    symlink: (target, directory, name) => checked(symlinkat(target, directory, name)),
    readLink: (directory, name, buffer, length) =>
      checked(readlinkat(directory, name, buffer, length)),
    readOpenLink: (fd, buffer, length) => {
      const used = checked(readlinkat(fd, empty.address, buffer, length));
      // Of an empty name Linux says ENOENT when the descriptor is no link.
      return used === -Errno.ENOENT ? -Errno.EINVAL : used;
    },
    openGranted: (path, flags) => checked(open(path, flags, 0)),
  };
}

let table: PathCalls | undefined;

/** The table of this thread. Throws what koffi throws when libc cannot be loaded. */
export function pathCalls(): PathCalls {
  table ??= makePathCalls();
  return table;
}

const refuse = (): number => -Errno.ENOSYS;

/** Where there are no system calls: no directory is open that they could be used on. */
export const absentPathCalls: PathCalls = {
  beneath: refuse,
  status: refuse,
  setTimes: refuse,
  makeDirectory: refuse,
  unlink: refuse,
  rename: refuse,
  link: refuse,
  symlink: refuse,
  readLink: refuse,
  readOpenLink: refuse,
  openGranted: refuse,
};
