/**
 * How much of a file is in the page cache alone, by cachestat(2): what a power cut would take, though a process that
 * is killed does not.
 */
import { closeSync, fsyncSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadLibc } from "../../host/ffi/libc";

const SYS_CACHESTAT = 451;
/** struct cachestat: five u64, of which the second and the third. */
const STAT_WORDS = 5;
const DIRTY = 1;
const WRITEBACK = 2;

/** Pages of the first bytes of an open file that are not on the disk; a negated errno where that cannot be asked. */
export function dirtyPages(fd: number, lengthBytes: number): number {
  const { number, checked } = loadLibc();
  const cachestat = number(
    "long syscall(long nr, int fd, void *range, void *stat, uint32_t flags)",
  );
  const range = new BigUint64Array([0n, BigInt(lengthBytes)]);
  const stat = new BigUint64Array(STAT_WORDS);
  const bytes = [range, stat].map(({ buffer }) => new Uint8Array(buffer));
  const result = checked(cachestat(SYS_CACHESTAT, fd, bytes[0] ?? null, bytes[1] ?? null, 0));
  return result < 0 ? result : Number((stat[DIRTY] ?? 0n) + (stat[WRITEBACK] ?? 0n));
}

/** Why files of the temporary folder cannot be asked; empty when they can. */
export function whyNoDirtyPages(): string {
  const folder = mkdtempSync(join(tmpdir(), "wasm-uring-dirty-"));
  const fd = openSync(join(folder, "file"), "w+");
  try {
    writeSync(fd, Buffer.alloc(1 << 20, 1));
    const before = dirtyPages(fd, 1 << 20);
    if (before < 0) return `cachestat(2) says ${before}`;
    fsyncSync(fd);
    const after = dirtyPages(fd, 1 << 20);
    return before > 0 && after === 0 ? "" : `${before} pages before fsync(2), ${after} after`;
  } finally {
    closeSync(fd);
    rmSync(folder, { recursive: true });
  }
}
