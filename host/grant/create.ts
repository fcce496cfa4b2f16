/**
 * Creating the missing file of a writable grant, in a way that can be undone: what this process
 * made is removed again when a later grant fails, and only if it is still the same file.
 */
import { constants, fstatSync, statSync, unlinkSync } from "node:fs";
import { Errno } from "../abi";
import type { Files } from "./files";

/** A file that did not exist before. */
export interface CreatedFile {
  path: string;
  device: bigint;
  inode: bigint;
}

/** 0666 less the umask, as every program creates files. */
const MODE = 0o666;

/**
 * Creates an empty file, or tells the negated errno; -EEXIST when something is there, be it a
 * symbolic link that leads nowhere. Without O_DIRECT: file systems that do not know it leave the
 * file behind although open fails.
 */
export function createFile(files: Files, path: string): CreatedFile | number {
  const fd = files.open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, MODE);
  if (fd < 0) return fd;
  try {
    const status = fstatSync(fd, { bigint: true });
    return { path, device: status.dev, inode: status.ino };
  } catch {
    return -Errno.EIO;
  } finally {
    files.close(fd);
  }
}

/** Removes it, unless the path leads to another file by now. Never throws. */
export function removeCreated(created: CreatedFile): void {
  try {
    const status = statSync(created.path, { bigint: true });
    if (status.dev === created.device && status.ino === created.inode && status.size === 0n) {
      unlinkSync(created.path);
    }
  } catch {
    // Gone already.
  }
}
