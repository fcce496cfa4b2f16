/**
 * A device that this process serves (virtio-blk, vhost-blk, vdpa-sim), in the hands of the embedder's thread: its
 * file, its eventfds, its pool of workers, its thread.
 */
import { errnoName, WasmUringError } from "../errors";
import type { Syscalls } from "../ffi/syscalls";
import { releaseWindow } from "../memory/window";
import { type BackendRemains, closeRemains, startThreadPool, type ThreadPool } from "../virtio/aio";
import type { BlkDisk } from "../virtio/blk-config";
import { QUEUE_FAULT_REASONS, QueueFault } from "../virtio/queue-fault";
import { describeDevice } from "./check";
import { DeviceControl } from "./control";
import type { DeviceThreadStart } from "./device-messages";
import { DeviceThread } from "./device-thread";
import { type DiskFile, openDisk } from "./disk-file";
import type { VdpaSimDevice, VhostBlkDevice, VirtioBlkDevice } from "./options";
import type { DiskSource, Doorbells, ServedPlan, ThreadPlan } from "./plan";
import type { DeviceReport } from "./report";

export type ServedRequest = VirtioBlkDevice | VhostBlkDevice | VdpaSimDevice;

const EFD_CLOEXEC_NONBLOCK = 0o2000000 | 0o4000;
const VHOST_POLL_US_DEFAULT = 50;
const POOL_THREADS_DEFAULT = 8;
/** What a disk in memory says of its blocks. */
const RAM_BLOCK_BYTES = 512;

/** How long the device's thread polls, or null when the guest's thread serves. */
function pollUsOf(request: ServedRequest): number | null {
  if (request.path === "virtio-blk") return request.iothread === true ? 0 : null;
  return request.pollUs ?? (request.path === "vhost-blk" ? VHOST_POLL_US_DEFAULT : 0);
}

export class ServedDevice {
  readonly #name: string;
  readonly #request: ServedRequest;
  readonly #what: string;
  readonly #control = new DeviceControl();
  readonly #syscalls: Syscalls;
  readonly #workerFile: URL | undefined;
  readonly #file: DiskFile | null;
  readonly #doorbells: Doorbells | null;
  #pool: ThreadPool | null = null;
  #thread: DeviceThread | null = null;
  #remains: BackendRemains | null = null;
  #failure: string | null = null;
  #closed = false;
  /** Something still uses the file and the window. */
  #abandoned = false;

  /** @throws WasmUringError ERR_BAD_OPTION, ERR_BAD_GRANT, ERR_SYSCALL; nothing is left open then */
  constructor(name: string, request: ServedRequest, syscalls: Syscalls, workerFile?: URL) {
    this.#workerFile = workerFile;
    this.#name = name;
    this.#request = request;
    this.#what = describeDevice(name, request.path);
    this.#syscalls = syscalls;
    this.#file = request.path === "vdpa-sim" ? null : openDisk(name, request, syscalls);
    try {
      this.#doorbells = pollUsOf(request) === null ? null : this.#openDoorbells();
    } catch (error) {
      this.#file?.close();
      throw error;
    }
  }

  plan(): ServedPlan {
    return {
      name: this.#name,
      what: this.#what,
      path: this.#request.path,
      control: this.#control.shared,
      disk: this.#disk(),
      source: this.#source(),
      thread: this.#threadPlan(),
    };
  }

  /** @throws WasmUringError naming the device */
  async start(syscalls: Syscalls): Promise<void> {
    const request = this.#request;
    if (request.path !== "vdpa-sim" && request.aio === "threads") {
      const threads = request.threads ?? POOL_THREADS_DEFAULT;
      this.#pool = await startThreadPool({ threads, syscalls });
    }
    const thread = this.#threadPlan();
    if (thread === null) return;
    const start: DeviceThreadStart = {
      what: this.#what,
      control: this.#control.shared,
      disk: this.#disk(),
      source: this.#source(),
      thread,
    };
    this.#thread = new DeviceThread(start, this.#workerFile);
    await this.#thread.ready();
  }

  noteBackend(remains: BackendRemains): void {
    this.#remains = remains;
  }

  noteFailure(reason: string): void {
    this.#failure ??= reason;
  }

  /** Ends whoever serves, then gives the window's device mapping back. Idempotent. */
  async stop(syscalls: Syscalls): Promise<void> {
    await this.#thread?.end(syscalls);
    if (this.#remains !== null && this.#control.claimBackend()) {
      if (!(await closeRemains(this.#remains, syscalls))) this.#control.keepMapped();
    }
    if (this.#pool !== null && !(await this.#pool.close())) this.#control.keepMapped();
    if (this.#control.mustStayMapped()) {
      // A worker hangs in a system call. What it was given stays: the kernel would write to whatever came in its place.
      this.#abandoned = true;
      this.noteFailure(`${this.#what}: what is in flight did not end, and keeps file and window`);
      return;
    }
    const vectors = this.#control.takeVectors();
    if (vectors !== null) syscalls.munmap(BigInt(vectors.address), vectors.length);
    const window = this.#control.takeWindow();
    if (window !== null) releaseWindow(window, syscalls);
  }

  report(): DeviceReport {
    const { requests, errors, kicks, interrupts } = this.#control.counts();
    const source = this.#source();
    return {
      name: this.#name,
      path: this.#request.path,
      aio: source.kind === "ram" ? "ram" : source.aio,
      servedBy: this.#doorbells === null ? "guest thread" : "device thread",
      capacityBytes: this.#disk().capacityBytes,
      requests,
      errors,
      kicks,
      interrupts,
      failure: this.#thread?.failure?.message ?? this.#failure ?? this.#fault(),
    };
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (!this.#abandoned) this.#file?.close();
    if (this.#doorbells === null) return;
    this.#syscalls.close(this.#doorbells.kick);
    this.#syscalls.close(this.#doorbells.call);
  }

  #fault(): string | null {
    const fault: QueueFault = this.#control.fault;
    if (fault === QueueFault.NONE) return null;
    return `${this.#what}: the guest broke its queue: ${QUEUE_FAULT_REASONS[fault]}`;
  }

  #disk(): BlkDisk {
    const request = this.#request;
    const writable = request.readOnly !== true;
    const rest = {
      readOnly: !writable,
      discard: writable,
      writeZeroes: writable,
      serial: this.#name,
    };
    if (request.path === "vdpa-sim") {
      return { capacityBytes: request.capacityBytes, blockBytes: RAM_BLOCK_BYTES, ...rest };
    }
    const slot = this.#file?.slot;
    const blockBytes = Math.max(slot?.alignmentBytes ?? 0, RAM_BLOCK_BYTES);
    return { capacityBytes: slot?.sizeBytes ?? 0, blockBytes, ...rest };
  }

  #source(): DiskSource {
    const request = this.#request;
    if (request.path === "vdpa-sim") {
      return { kind: "ram", capacityBytes: request.capacityBytes };
    }
    const aio = request.aio ?? "io_uring";
    return { kind: "file", fd: this.#file?.slot.fd ?? -1, aio, pool: this.#pool?.shared ?? null };
  }

  #threadPlan(): ThreadPlan | null {
    const pollUs = pollUsOf(this.#request);
    if (pollUs === null || this.#doorbells === null) return null;
    return { doorbells: this.#doorbells, pollUs };
  }

  #openDoorbells(): Doorbells {
    const kick = this.#openEventFd();
    try {
      return { kick, call: this.#openEventFd() };
    } catch (error) {
      this.#syscalls.close(kick);
      throw error;
    }
  }

  #openEventFd(): number {
    const fd = this.#syscalls.eventfd(0, EFD_CLOEXEC_NONBLOCK);
    if (fd >= 0) return fd;
    throw new WasmUringError("ERR_SYSCALL", {
      what: `${this.#what}: making its eventfds`,
      why: errnoName(-fd),
      likelyCause: "too many open files (ulimit -n)",
      syscall: "eventfd",
      errno: -fd,
    });
  }
}
