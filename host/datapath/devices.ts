/**
 * A guest's devices in the hands of the embedder's thread: files opened and options checked before anything starts,
 * threads made before the guest's own and ended after it, and at last windows unmapped and descriptors closed, in the
 * order in which nothing is still in use.
 */
import { WasmUringError } from "../errors";
import type { SyscallsLoad } from "../ffi";
import type { Syscalls } from "../ffi/syscalls";
import type { GrantSlot, PathGrant } from "../grant";
import type { BackendRemains } from "../virtio/aio";
import { badDevice, describeDevice } from "./check";
import { DaemonDevice } from "./daemon-device";
import { checkDisk, describeDisk, grantOf } from "./disk-file";
import type { DeviceRequest, PassthroughDevice } from "./options";
import type { DevicePlan } from "./plan";
import type { DeviceReport } from "./report";
import { ServedDevice } from "./served-device";

/** A device that is not on the guest's own ring. */
export type HostDevice = ServedDevice | DaemonDevice;

export class Devices {
  /** What devices on the guest's own ring are granted, by name. */
  readonly grants: Readonly<Record<string, PathGrant>>;
  readonly #requests: ReadonlyMap<string, DeviceRequest>;
  readonly #devices: readonly HostDevice[];
  readonly #syscalls: Syscalls | null;
  #passthrough: readonly DeviceReport[] = [];

  constructor(
    requests: ReadonlyMap<string, DeviceRequest>,
    devices: readonly HostDevice[],
    syscalls: Syscalls | null,
  ) {
    this.#requests = requests;
    this.#devices = devices;
    this.#syscalls = syscalls;
    this.grants = passthroughGrants(requests);
  }

  /** Looks at what became of `grants`. @throws WasmUringError ERR_BAD_OPTION when one can be no disk */
  checkGranted(slots: readonly GrantSlot[]): void {
    const reports: DeviceReport[] = [];
    for (const [name, request] of this.#requests) {
      if (request.path === "passthrough") reports.push(passthroughReport(name, request, slots));
    }
    this.#passthrough = reports;
  }

  /** Whether there is a device of this name behind a virtqueue. */
  isServed(name: string): boolean {
    const request = this.#requests.get(name);
    return request !== undefined && request.path !== "passthrough";
  }

  /** For the guest's worker: a device's number is its place. After `start`. */
  plans(): DevicePlan[] {
    return this.#devices.map((device) => device.plan());
  }

  /**
   * Starts threads and pools, and asks daemons what they serve.
   *
   * @throws WasmUringError naming the device that cannot be served; the others are to be ended by `stop`
   */
  async start(): Promise<void> {
    const syscalls = this.#syscalls;
    if (syscalls === null) return;
    const results = await Promise.allSettled(this.#devices.map((device) => device.start(syscalls)));
    const failed = results.find((result) => result.status === "rejected");
    if (failed !== undefined) throw failed.reason;
  }

  /** What the guest's thread would leave behind of a device that it serves itself. */
  noteBackend(index: number, remains: BackendRemains): void {
    const device = this.#devices[index];
    if (device instanceof ServedDevice) device.noteBackend(remains);
  }

  noteFailure(index: number, reason: string): void {
    this.#devices[index]?.noteFailure(reason);
  }

  /**
   * Once the guest's thread is gone: ends all threads, cleans up behind those that were killed, unmaps. Idempotent.
   */
  async stop(): Promise<void> {
    const syscalls = this.#syscalls;
    if (syscalls === null) return;
    await Promise.all(this.#devices.map((device) => device.stop(syscalls)));
  }

  reports(): DeviceReport[] {
    return [...this.#passthrough, ...this.#devices.map((device) => device.report())];
  }

  /** Closes what was opened. After `stop`. Idempotent. */
  close(): void {
    for (const device of this.#devices) device.close();
  }
}

function passthroughReport(
  name: string,
  request: PassthroughDevice,
  slots: readonly GrantSlot[],
): DeviceReport {
  const slot = slots.find((candidate) => candidate.name === name);
  if (slot === undefined) throw badDevice(describeDisk(name, request), "it was not granted");
  checkDisk(name, request, slot);
  return {
    name,
    path: "passthrough",
    aio: null,
    servedBy: "ring",
    capacityBytes: slot.sizeBytes,
    requests: null,
    errors: null,
    kicks: 0,
    interrupts: 0,
    failure: null,
  };
}

/** @throws WasmUringError ERR_BAD_OPTION */
function passthroughGrants(
  requests: ReadonlyMap<string, DeviceRequest>,
): Record<string, PathGrant> {
  const grants: Record<string, PathGrant> = {};
  for (const [name, request] of requests) {
    if (request.path === "passthrough") grants[name] = grantOf(name, request);
  }
  return grants;
}

function openDevice(
  name: string,
  request: Exclude<DeviceRequest, PassthroughDevice>,
  { syscalls, reason }: SyscallsLoad,
  workerFile: URL | undefined,
): HostDevice {
  if (syscalls === null) {
    throw new WasmUringError("ERR_ENGINE_UNAVAILABLE", {
      what: describeDevice(name, request.path),
      why: reason,
      whatToDo: "use passthrough, which the emulated engine serves anywhere",
    });
  }
  return request.path === "vhost-user-blk"
    ? new DaemonDevice(name, request)
    : new ServedDevice(name, request, syscalls, workerFile);
}

/**
 * Opens what devices need, all or nothing.
 *
 * @param workerFile the program of devices' threads; the one of this package by default
 * @throws WasmUringError ERR_BAD_OPTION, ERR_BAD_GRANT or ERR_ENGINE_UNAVAILABLE naming the device
 */
export function openDevices(
  requests: ReadonlyMap<string, DeviceRequest>,
  load: SyscallsLoad,
  workerFile?: URL,
): Devices {
  const devices: HostDevice[] = [];
  try {
    for (const [name, request] of requests) {
      if (request.path !== "passthrough") devices.push(openDevice(name, request, load, workerFile));
    }
    return new Devices(requests, devices, load.syscalls);
  } catch (error) {
    for (const device of devices) device.close();
    throw error;
  }
}
