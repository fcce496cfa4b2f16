/** Opens a device on the guest's thread: its description, and the service that its plan asks for. */
import { errnoName } from "../errors";
import { eventFds } from "../ffi/event-fd";
import { sharedMemoryCalls } from "../ffi/shared-memory";
import type { Syscalls } from "../ffi/syscalls";
import type { GuestMemory } from "../memory/guest-memory";
import { checkWindow, shareWindow, type WindowMapping } from "../memory/window";
import type { BackendRemains } from "../virtio/aio";
import { describeDisk } from "../virtio/blk-config";
import { type BlkDescription, BlkDevice } from "../virtio/blk-device";
import type { QueueService, WindowRange } from "../virtio/service";
import { DeviceControl } from "./control";
import { InlineService } from "./inline";
import type { DevicePlan, ServedPlan } from "./plan";
import { ServedDisk } from "./served-disk";
import type { ServiceContext } from "./service-context";
import { ThreadService } from "./thread";
import { VhostUserService, vhostUserCalls } from "./vhost-user-blk";

export interface OpenServiceOptions {
  memory: () => GuestMemory;
  syscalls: Syscalls;
  stop: { stopped(): boolean };
  pageBytes: number;
  /** Told at once what this thread would leave behind if it were killed. */
  onBackend: (remains: BackendRemains) => void;
  /** Told why a window was refused to the guest, in a sentence. */
  onRefusal: (reason: string) => void;
  /** Told why the device stopped serving, in a sentence. */
  onFailure: (reason: string) => void;
}

function sharerOf(what: string, options: OpenServiceOptions) {
  return (range: WindowRange): WindowMapping | number => {
    const { syscalls, pageBytes, onRefusal } = options;
    const memory = options.memory();
    const refusal = checkWindow(memory, range.offset, range.length, pageBytes);
    if (refusal !== null) {
      onRefusal(`${what}: ${refusal.reason}`);
      return -refusal.errno;
    }
    const calls = { syscalls, sharedMemory: sharedMemoryCalls() };
    const window = shareWindow(memory, range.offset, range.length, calls);
    if (typeof window === "number") {
      const size = `${range.length} bytes of guest memory`;
      onRefusal(`${what}: sharing ${size} with the device failed: ${errnoName(-window)}`);
    }
    return window;
  };
}

function serve(plan: ServedPlan, options: OpenServiceOptions): QueueService {
  const control = new DeviceControl(plan.control);
  const { what, disk, source, thread } = plan;
  const { syscalls, stop, onBackend } = options;
  const context: ServiceContext = { stop, shareWindow: sharerOf(what, options) };
  if (thread !== null) return new ThreadService(control, thread.doorbells, context, eventFds());
  const served = new ServedDisk({ what, disk, source, control, syscalls });
  onBackend(served.backend.remains);
  return new InlineService(served, control, context);
}

/** @throws WasmUringError naming the device */
export function openService(plan: DevicePlan, options: OpenServiceOptions): BlkDevice {
  const { pageBytes, memory, syscalls, stop, onFailure } = options;
  let description: BlkDescription;
  let service: QueueService;
  if (plan.path === "vhost-user-blk") {
    description = plan.daemon.description;
    service = new VhostUserService({
      plan: plan.daemon,
      control: new DeviceControl(plan.control),
      context: { stop, shareWindow: sharerOf(plan.what, options) },
      memory,
      calls: vhostUserCalls(syscalls),
      onFailure,
    });
  } else {
    description = describeDisk(plan.disk);
    service = serve(plan, options);
  }
  return new BlkDevice({ description, service, pageBytes });
}
