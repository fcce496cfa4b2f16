/**
 * One run of the load, checked before anything starts: what to do (fio's words), on which file, by
 * which path. Bad input is one sentence, whichever path would have met it.
 */
import { closeSync, constants, fstatSync, openSync, readFileSync, type Stats } from "node:fs";
import type { DataPathName } from "../../datapath/options";
import type { EngineName } from "../../ring/engine";
import type { AioName } from "../../virtio/aio";
import { badOption } from "../failure";

export const RW_NAMES = ["randread", "randwrite", "read", "write"] as const;
export type RwName = (typeof RW_NAMES)[number];

/** Those of a guest: its own ring, and the virtqueues that it replaces. */
export const GUEST_PATHS = [
  ...(["passthrough", "virtio-blk", "vhost-blk"] as const),
  ...(["vhost-user-blk", "vdpa-sim"] as const),
] satisfies readonly DataPathName[];
/** `native` is a guest's own ring in C; the last three are what one would use instead. */
export const PATH_NAMES = [
  ...GUEST_PATHS,
  ...(["native", "fs-sync", "fs-promises", "node-wasi"] as const),
] as const;
export type PathName = (typeof PATH_NAMES)[number];

export function isGuestPath(path: PathName): path is DataPathName {
  return GUEST_PATHS.some((candidate) => candidate === path);
}

/**
 * Set-up flags of the native twin's ring, to compare them: `coop` is what the host gives to guests.
 */
export const NATIVE_FLAGS = ["none", "coop", "single", "defer"] as const;
export type NativeFlags = (typeof NATIVE_FLAGS)[number];

export interface BenchJob {
  path: PathName;
  /** With vhost-user-blk the daemon's socket; vdpa-sim takes the file's length only. */
  file: string;
  /** 0 with vhost-user-blk, until the daemon was asked. */
  fileBytes: number;
  rw: RwName;
  /** Bytes of one operation. */
  bs: number;
  iodepth: number;
  /** Seconds. */
  runtime: number;
  /** Seconds of the same load before anything counts. */
  rampTime: number;
  direct: boolean;
  engine: "auto" | EngineName;
  /** null: enter mode. */
  sqpollIdleMs: number | null;
  /** Completions are polled for: needs O_DIRECT and a device with poll queues. */
  iopoll: boolean;
  nativeFlags: NativeFlags;
  /** Of virtio-blk and vhost-blk; the library's default when undefined. */
  aio: AioName | undefined;
  iothread: boolean;
  /** Of the thread that serves the device, µs. */
  pollUs: number | undefined;
}

/** Buffers of all operations in flight; one fixed buffer of the kernel is at most 1 GiB. */
const ARENA_BYTES_MAX = 512 << 20;
const DIRECT_ALIGNMENT_BYTES = 512;

export function isWrite(rw: RwName): boolean {
  return rw.endsWith("write");
}

/** The flags with which a path that opens the file itself opens it. */
export function openFlags(job: Pick<BenchJob, "rw" | "direct">): number {
  const access = isWrite(job.rw) ? constants.O_RDWR : constants.O_RDONLY;
  return job.direct ? access | constants.O_DIRECT : access;
}

function checkPath(job: BenchJob): void {
  const ring = job.path === "passthrough" || job.path === "native";
  if (job.sqpollIdleMs !== null && !ring) {
    throw badOption(
      `--sqpoll with --path ${job.path}`,
      "that path has no ring",
      "leave one of the two out",
    );
  }
  if (job.iopoll && !ring) {
    throw badOption(
      `--iopoll with --path ${job.path}`,
      "that path has no ring",
      "leave one of the two out",
    );
  }
  if (job.iopoll && !job.direct) {
    throw badOption("--iopoll without --direct", "the page cache cannot be polled", "add --direct");
  }
  if (job.engine !== "auto" && job.path !== "passthrough") {
    throw badOption(
      `--engine with --path ${job.path}`,
      "only passthrough has engines",
      "leave one of the two out",
    );
  }
  if (job.nativeFlags !== "coop" && job.path !== "native") {
    throw badOption(
      `--native-flags with --path ${job.path}`,
      "they are the native twin's",
      "use --path native",
    );
  }
  checkDevicePath(job);
}

/** Options of devices, and the paths that have them. */
function checkDevicePath(job: BenchJob): void {
  const options = [
    ["--aio", job.aio !== undefined, ["virtio-blk", "vhost-blk"]],
    ["--iothread", job.iothread, ["virtio-blk"]],
    ["--poll-us", job.pollUs !== undefined, ["vhost-blk", "vdpa-sim"]],
  ] as const;
  for (const [option, isGiven, paths] of options) {
    if (!isGiven || paths.some((path) => path === job.path)) continue;
    throw badOption(
      `${option} with --path ${job.path}`,
      `it is for ${paths.join(" and ")}`,
      "leave one of the two out",
    );
  }
  if (job.direct && (job.path === "vhost-user-blk" || job.path === "vdpa-sim")) {
    const why =
      job.path === "vdpa-sim"
        ? "its disk is memory"
        : "how the file is opened is the daemon's business";
    throw badOption(`--direct with --path ${job.path}`, why, "leave one of the two out");
  }
}

function checkSizes(job: BenchJob): void {
  if (job.direct && job.bs % DIRECT_ALIGNMENT_BYTES !== 0) {
    throw badOption(
      `--bs ${job.bs} with --direct`,
      `O_DIRECT needs a multiple of ${DIRECT_ALIGNMENT_BYTES} bytes`,
      "use 4k, or leave --direct out",
    );
  }
  const bytes = job.bs * job.iodepth;
  if (bytes > ARENA_BYTES_MAX) {
    throw badOption(
      `--bs ${job.bs} with --iodepth ${job.iodepth}`,
      `the buffers would take ${bytes} bytes, more than ${ARENA_BYTES_MAX}`,
      "make one of the two smaller",
    );
  }
}

function openError(job: BenchJob, cause: unknown): Error {
  const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
  const what = `--file "${job.file}"`;
  if (code === "ENOENT")
    return badOption(what, "there is no such file", "make one: head -c 256M /dev/urandom > FILE");
  if (code === "EISDIR") return badOption(what, "it is a directory", "name a file in it");
  if (code === "EINVAL" && job.direct) {
    return badOption(
      what,
      "its filesystem has no O_DIRECT",
      "leave --direct out, or use a file on ext4 or xfs",
    );
  }
  const text = cause instanceof Error ? cause.message : String(cause);
  return badOption(what, `it cannot be opened for ${job.rw}: ${text}`, "check its permissions");
}

/** Block devices report no size in their status; sysfs counts sectors of 512 bytes. */
function sizeOf(status: Stats): number {
  if (!status.isBlockDevice()) return status.size;
  const major = (status.rdev >> 8) & 0xfff;
  const minor = (status.rdev & 0xff) | ((status.rdev >> 12) & 0xfff00);
  return Number(readFileSync(`/sys/dev/block/${major}:${minor}/size`, "utf8")) * 512;
}

/** Opens the file as the job will, to see whether that works and how large it is. */
function measureFile(job: BenchJob): number {
  let fd: number;
  try {
    // Not to hang on a pipe without a writer.
    fd = openSync(job.file, openFlags(job) | constants.O_NONBLOCK);
  } catch (cause) {
    throw openError(job, cause);
  }
  try {
    const status = fstatSync(fd);
    if (status.isDirectory())
      throw badOption(`--file "${job.file}"`, "it is a directory", "name a file in it");
    if (!status.isFile() && !status.isBlockDevice()) {
      throw badOption(`--file "${job.file}"`, "it is neither a regular file nor a block device");
    }
    return sizeOf(status);
  } finally {
    closeSync(fd);
  }
}

/**
 * @param wanted the job as said, its `fileBytes` not yet known
 * @throws WasmUringError ERR_BAD_OPTION
 */
export function checkJob(wanted: Omit<BenchJob, "fileBytes">): BenchJob {
  const job: BenchJob = { ...wanted, fileBytes: 0 };
  checkPath(job);
  checkSizes(job);
  // The daemon knows what it serves, and says so to the guest.
  if (job.path === "vhost-user-blk") return job;
  const fileBytes = measureFile(job);
  if (fileBytes < job.bs) {
    throw badOption(
      `--file "${job.file}"`,
      `its ${fileBytes} bytes are less than one block of ${job.bs}`,
      "use a larger file or a smaller --bs",
    );
  }
  return { ...job, fileBytes };
}
