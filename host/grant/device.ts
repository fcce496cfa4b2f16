/**
 * What is to be known of a device before it is granted: is it one of the few harmless character
 * devices, does the block device carry an integrity profile, how large is it, which alignment does
 * O_DIRECT need on it. Read from sysfs.
 */
import { existsSync, readFileSync } from "node:fs";
import type { Refusal } from "./refusal";

const SECTOR_BYTES = 512;

/** O_DIRECT's alignment on nearly every device, and never too little on one with smaller blocks. */
const PAGE_ALIGNMENT_BYTES = 4096;

export interface DeviceNumber {
  major: number;
  minor: number;
}

/** Takes a dev_t apart as the kernel's new_encode_dev does. */
export function deviceNumber(device: bigint): DeviceNumber {
  return {
    major: Number(((device >> 8n) & 0xfffn) | ((device >> 32n) & 0xfffff000n)),
    minor: Number((device & 0xffn) | ((device >> 12n) & 0xffffff00n)),
  };
}

function sysfsFolder(device: bigint, sysfs = "/sys"): string {
  const { major, minor } = deviceNumber(device);
  return `${sysfs}/dev/block/${major}:${minor}`;
}

/**
 * The first of the files that can be read, trimmed. A partition's attributes are its disk's, one
 * folder up.
 */
function readAttribute(folder: string, name: string): string | undefined {
  for (const path of [`${folder}/${name}`, `${folder}/../${name}`]) {
    try {
      return readFileSync(path, "utf8").trim();
    } catch {
      // Absent in this folder; the next one, or nothing.
    }
  }
  return undefined;
}

/**
 * Memory-less devices of major 1: reading and writing them touches nothing but the caller's buffer.
 */
const HARMLESS: ReadonlyMap<number, string> = new Map([
  [3, "null"],
  [5, "zero"],
  [7, "full"],
  [8, "random"],
  [9, "urandom"],
]);
const MEM_MAJOR = 1;

/** tty, console, ptmx (5), virtual consoles and serial lines (4), pseudo-terminals (136 to 143). */
function isTerminal({ major }: DeviceNumber): boolean {
  return major === 4 || major === 5 || (major >= 136 && major <= 143);
}

/** Why a character device is not granted; undefined when it may be. */
export function refuseCharacterDevice(device: bigint): Refusal | undefined {
  const { major, minor } = deviceNumber(device);
  if (major === MEM_MAJOR && HARMLESS.has(minor)) return undefined;
  if (isTerminal({ major, minor })) {
    return {
      why:
        "it is a terminal: a guest would read what the user types to others and write escape " +
        "sequences that the terminal obeys",
      whatToDo: "pass text by the guest's standard streams, or grant a pipe",
    };
  }
  return {
    why:
      `it is a character device (${major}:${minor}): its driver's read and write may be ` +
      "commands, or reach memory outside the arena",
    whatToDo: `only ${[...HARMLESS.values()].map((name) => `/dev/${name}`).join(", ")} are granted`,
  };
}

/**
 * Why a block device is not granted; undefined when it may be. With an integrity profile, a
 * request's hidden fields (`attr_ptr`) name a buffer for protection information in the host's
 * address space: arbitrary host memory read and write (kernel-facts 0.2). What cannot be judged is
 * refused. `sysfs` is where sysfs is mounted.
 */
export function refuseBlockDevice(device: bigint, sysfs?: string): Refusal | undefined {
  const folder = sysfsFolder(device, sysfs);
  if (!existsSync(folder)) {
    return {
      why: `${folder} cannot be read, so that nobody can tell whether it has an integrity profile`,
      likelyCause: "sysfs is not mounted, or the device is gone",
    };
  }
  const format = readAttribute(folder, "integrity/format") ?? "none";
  const capable = readAttribute(folder, "integrity/device_is_integrity_capable") ?? "0";
  if (format === "none" && capable === "0") return undefined;
  const profile = format === "none" ? "capable" : format;
  return {
    why:
      `it is a block device with an integrity profile (${profile}): ` +
      "a guest could make the kernel read and write host memory as protection information",
    whatToDo: "grant a file on it instead",
  };
}

/**
 * Why a device cannot be polled for completions (IORING_SETUP_IOPOLL); undefined when it can be.
 *
 * @param device that a file lies on, or a block device's own number
 */
export function refusePolling(device: bigint, sysfs?: string): Refusal | undefined {
  const folder = sysfsFolder(device, sysfs);
  const { major, minor } = deviceNumber(device);
  const polls = readAttribute(folder, "queue/io_poll");
  if (polls === undefined) {
    return {
      why: `no block device ${major}:${minor} is behind it, so there are no queues to poll`,
      likelyCause: "it lies on tmpfs, overlay, btrfs or a network filesystem",
      whatToDo: POLL_QUEUES,
    };
  }
  if (polls !== "0") return undefined;
  const name = readAttribute(folder, "uevent")?.match(/^DEVNAME=(.*)$/m)?.[1];
  return {
    why: `queue/io_poll of ${name ?? `${major}:${minor}`} is 0: the device has no poll queues`,
    whatToDo: POLL_QUEUES,
  };
}

const POLL_QUEUES =
  "use a device with poll queues (nvme.poll_queues=N or virtio_blk.poll_queues=N on the kernel's " +
  "command line, null_blk with poll_queues=N), or leave iopoll out";

/** Size of a block device or partition; 0 when sysfs does not tell. */
export function blockDeviceSizeBytes(device: bigint): number {
  try {
    return Number(readFileSync(`${sysfsFolder(device)}/size`, "utf8").trim()) * SECTOR_BYTES;
  } catch {
    return 0;
  }
}

/**
 * Alignment for O_DIRECT on the device itself, or on a file whose file system lies on it. Node has
 * no statx, which could tell exactly (STATX_DIOALIGN); a multiple of the logical block size always
 * works, and 4096 is one of nearly every device. File systems without a device (tmpfs, NFS,
 * overlay) need no more.
 */
export function directAlignmentBytes(device: bigint): number {
  const told = Number(readAttribute(sysfsFolder(device), "queue/logical_block_size") ?? 0);
  return Number.isInteger(told) ? Math.max(PAGE_ALIGNMENT_BYTES, told) : PAGE_ALIGNMENT_BYTES;
}
