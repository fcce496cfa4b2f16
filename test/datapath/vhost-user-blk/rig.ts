/** A device served by a daemon, and the model driver on it, all on the test's own thread. */

import { DeviceControl } from "../../../host/datapath/control";
import {
  closeRemains,
  planVhostUser,
  type VhostUserPlan,
  type VhostUserRequest,
  VhostUserService,
  vhostUserCalls,
} from "../../../host/datapath/vhost-user-blk";
import { loadSyscalls } from "../../../host/ffi";
import { sharedMemoryCalls } from "../../../host/ffi/shared-memory";
import { GuestMemory } from "../../../host/memory/guest-memory";
import { releaseWindow, shareWindow } from "../../../host/memory/window";
import { BlkDevice } from "../../../host/virtio/blk-device";
import { DiskDriver, MEMORY_PAGES, PAGE } from "./disk-driver";

export interface Rig {
  plan: VhostUserPlan;
  service: VhostUserService;
  device: BlkDevice;
  driver: DiskDriver;
  memory: GuestMemory;
  /** What the host was told of failures. */
  failures: string[];
  stop(): void;
  close(): void;
}

export async function makeRig(request: VhostUserRequest): Promise<Rig> {
  return rigOf(await planVhostUser(request));
}

/** From a plan, so that the daemon may be another by now. */
export function rigOf(plan: VhostUserPlan): Rig {
  const { syscalls } = loadSyscalls();
  if (syscalls === null) throw new Error("no system calls");
  const failures: string[] = [];
  const wasm = new WebAssembly.Memory({ initial: MEMORY_PAGES, maximum: MEMORY_PAGES + 4 });
  const memory = new GuestMemory(wasm);
  const control = new DeviceControl();
  let stopped = false;
  const service = new VhostUserService({
    plan,
    control,
    context: {
      stop: { stopped: () => stopped },
      shareWindow: ({ offset, length }) =>
        shareWindow(memory, offset, length, { syscalls, sharedMemory: sharedMemoryCalls() }),
    },
    memory: () => memory,
    calls: vhostUserCalls(syscalls),
    onFailure: (reason) => failures.push(reason),
  });
  const device = new BlkDevice({ description: plan.description, service, pageBytes: PAGE });
  const close = () => {
    device.close();
    const window = control.takeWindow();
    if (window !== null) releaseWindow(window, syscalls);
    closeRemains(plan, () => {
      throw new Error("a descriptor was left");
    });
  };
  const stop = () => {
    stopped = true;
  };
  const driver = new DiskDriver(device, memory);
  return { plan, service, device, driver, memory, failures, stop, close };
}
