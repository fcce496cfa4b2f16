/** A device that a vhost-user-blk daemon serves, in the hands of the embedder's thread. */
import { assert, WasmUringError } from "../errors";
import type { Syscalls } from "../ffi/syscalls";
import { releaseWindow } from "../memory/window";
import { describeDevice } from "./check";
import { DeviceControl } from "./control";
import type { VhostUserBlkDevice } from "./options";
import type { DaemonPlan } from "./plan";
import type { DeviceReport } from "./report";
import { closeRemains, planVhostUser, type VhostUserPlan } from "./vhost-user-blk";

export class DaemonDevice {
  readonly #name: string;
  readonly #what: string;
  readonly #request: VhostUserBlkDevice;
  readonly #control = new DeviceControl();
  #daemon: VhostUserPlan | null = null;
  #failure: string | null = null;

  constructor(name: string, request: VhostUserBlkDevice) {
    this.#name = name;
    this.#what = describeDevice(name, request.path);
    this.#request = request;
  }

  plan(): DaemonPlan {
    assert(this.#daemon !== null, "a daemon was not asked before its guest started");
    return {
      name: this.#name,
      what: this.#what,
      path: "vhost-user-blk",
      control: this.#control.shared,
      daemon: this.#daemon,
    };
  }

  /** @throws WasmUringError ERR_DEVICE naming the device, when there is no daemon, or none that can be used */
  async start(_: Syscalls): Promise<void> {
    try {
      this.#daemon = await planVhostUser(this.#request);
    } catch (error) {
      if (!(error instanceof WasmUringError)) throw error;
      const what = `${this.#what}: ${error.detail.what}`;
      throw new WasmUringError(error.code, { ...error.detail, what });
    }
  }

  noteFailure(reason: string): void {
    this.#failure ??= `${this.#what}: ${reason}`;
  }

  /** Closes the connection of a guest's thread that was killed. */
  async stop(syscalls: Syscalls): Promise<void> {
    if (this.#daemon !== null) closeRemains(this.#daemon, syscalls.close);
    const window = this.#control.takeWindow();
    if (window !== null) releaseWindow(window, syscalls);
  }

  report(): DeviceReport {
    const { kicks, interrupts } = this.#control.counts();
    return {
      name: this.#name,
      path: "vhost-user-blk",
      aio: null,
      servedBy: "daemon",
      capacityBytes: this.#daemon?.description.capacityBytes ?? 0,
      requests: null,
      errors: null,
      kicks,
      interrupts,
      failure: this.#failure,
    };
  }

  close(): void {}
}
