/**
 * Judges an open descriptor: may a guest have it, and what is it? Always the descriptor that will
 * be granted, never a path, so that nothing can be swapped in between. The reasons are the kernel's
 * (kernel-facts 1, 10): some files take addresses of the calling process instead of the ring's
 * pinned pages, some are commands, some are memory.
 */
import { type BigIntStats, constants, fstatSync, readlinkSync, statfsSync } from "node:fs";
import { Errno, GrantKind } from "../abi";
import { errnoName } from "../errors";
import type { Syscalls } from "../ffi/syscalls";
import {
  blockDeviceSizeBytes,
  directAlignmentBytes,
  refuseBlockDevice,
  refuseCharacterDevice,
} from "./device";
import { refusedFileSystem } from "./filesystems";
import { hasReadIterator } from "./read-iterator";
import type { Refusal } from "./refusal";

/** O_ACCMODE. */
export const ACCESS_MODE = 3;

/** A descriptor that may be granted, or why not. */
export type Verdict =
  | { refusal: Refusal }
  | { refusal?: never; kind: GrantKind; sizeBytes: number };

function refuse(why: string, whatToDo?: string): { refusal: Refusal } {
  return { refusal: whatToDo === undefined ? { why } : { why, whatToDo } };
}

/** Files without a path, by what /proc/self/fd links to; undefined for all others. */
function judgeUnnamed(link: string): Verdict | undefined {
  if (link.startsWith("/memfd:")) {
    return refuse(
      "it is a memfd, memory that somebody may have mapped: a guest's arena, a program's data",
      "grant a file in /dev/shm or /tmp",
    );
  }
  if (!link.startsWith("anon_inode:")) return undefined;
  const type = link.slice("anon_inode:".length).replace(/^\[|\]$/g, "");
  if (type === "timerfd") return { kind: GrantKind.TIMERFD, sizeBytes: 0 };
  if (type === "eventfd") {
    // It has ->read_iter but only ->write. Seen on 6.18: with something mapped at the guest
    // address, WRITE_FIXED adds those 8 bytes of the host to the counter and READ_FIXED hands them
    // over.
    return refuse(
      "it is an eventfd, always writable, and the kernel takes what is written to one from the " +
        "host's address space instead of the arena: a guest could read host memory",
      "grant a pipe, or a timerfd for time",
    );
  }
  return refuse(
    `it is ${/^[aeiou]/.test(type) ? "an" : "a"} ${type}, which is no stream of data: ` +
      "it controls the host or the kernel",
    "only files, block devices, sockets, pipes and timerfds are granted",
  );
}

function judgeMode(status: BigIntStats): Verdict {
  if (status.isFile()) return { kind: GrantKind.FILE, sizeBytes: Number(status.size) };
  if (status.isFIFO()) return { kind: GrantKind.PIPE, sizeBytes: 0 };
  if (status.isSocket()) return { kind: GrantKind.SOCKET, sizeBytes: 0 };
  if (status.isDirectory()) return refuse("it is a directory", "grant the files in it one by one");
  if (status.isCharacterDevice()) {
    const refusal = refuseCharacterDevice(status.rdev);
    return refusal === undefined ? { kind: GrantKind.CHARACTER_DEVICE, sizeBytes: 0 } : { refusal };
  }
  if (status.isBlockDevice()) {
    const refusal = refuseBlockDevice(status.rdev);
    if (refusal !== undefined) return { refusal };
    return { kind: GrantKind.BLOCK_DEVICE, sizeBytes: blockDeviceSizeBytes(status.rdev) };
  }
  return refuse("it is no file, block device, socket, pipe or timerfd");
}

/** Everything that can be told without reading: works on an O_PATH descriptor as well. */
export function judge(fd: number): Verdict {
  const status = fstatSync(fd, { bigint: true });
  // Elsewhere the host performs the I/O itself, on ordinary files only: no kernel to be fooled.
  if (process.platform !== "linux") {
    return status.isFile()
      ? { kind: GrantKind.FILE, sizeBytes: Number(status.size) }
      : refuse(`it is not an ordinary file, and ${process.platform} grants nothing else`);
  }
  let link: string;
  let fileSystem: bigint;
  try {
    link = readlinkSync(`/proc/self/fd/${fd}`);
    fileSystem = statfsSync(`/proc/self/fd/${fd}`, { bigint: true }).type;
  } catch (cause) {
    const why = `what it is cannot be told through /proc/self/fd/${fd}`;
    return { refusal: { why, likelyCause: "/proc is not mounted", cause } };
  }
  const unnamed = judgeUnnamed(link);
  if (unnamed !== undefined) return unnamed;
  const verdict = judgeMode(status);
  if (verdict.refusal !== undefined) return verdict;
  const refused = refusedFileSystem(fileSystem);
  if (refused === undefined) return verdict;
  return refuse(
    `it lies on ${refused}, whose files are not data but a way into the kernel or other processes`,
    "copy what the guest needs into an ordinary file",
  );
}

/** Judges a descriptor that is open for `flags` (F_GETFL). */
export function vet(fd: number, flags: number, syscalls: Syscalls | null): Verdict {
  const verdict = judge(fd);
  if (verdict.refusal !== undefined || syscalls === null) return verdict;
  const readable = (flags & ACCESS_MODE) !== constants.O_WRONLY;
  if (!readable || hasReadIterator(syscalls, fd, verdict.kind)) return verdict;
  return {
    refusal: {
      why:
        `the kernel has no read_iter for it (${errnoName(Errno.EOPNOTSUPP)}): it would copy to ` +
        "the host's address space instead of the arena",
      ...(verdict.kind === GrantKind.TIMERFD ? { likelyCause: "a kernel before 6.10" } : {}),
      syscall: "preadv2",
      errno: Errno.EOPNOTSUPP,
    },
  };
}

/** Alignment that a direct descriptor needs: see `directAlignmentBytes`. */
export function alignmentOf(fd: number, kind: GrantKind): number {
  const status = fstatSync(fd, { bigint: true });
  return directAlignmentBytes(kind === GrantKind.BLOCK_DEVICE ? status.rdev : status.dev);
}
