/**
 * The import module `virtio` for one guest: find, window, read, write, wait (assembly/abi/virtio-mmio.ts). Every
 * argument is hostile; the answers are errno values for what the guest did wrong, and exceptions only for what ends
 * the guest.
 */
import { Errno, VirtioDeviceFlag, VirtioDeviceInfo, VirtioRegister } from "../abi";
import { openService } from "../datapath/open-service";
import type { DevicePlan } from "../datapath/plan";
import type { Syscalls } from "../ffi/syscalls";
import type { GuestMemory } from "../memory/guest-memory";
import type { ReservedRanges } from "../memory/reserved";
import { type Control, WorkerState } from "../ring/control";
import type { BackendRemains } from "../virtio/aio";
import { MmioRegisters } from "../virtio/mmio";
import { GuestStopped } from "./uring-imports";

const NAME_BYTES_MAX = 255;
/** A guest can be refused in a loop; its owner is told of the first few. */
const REFUSALS_MAX = 16;

export interface VirtioOptions {
  memory: () => GuestMemory;
  /** null: then there are no devices but those of passthrough. */
  syscalls: Syscalls | null;
  plans: readonly DevicePlan[];
  control: Control;
  /** Ranges of the memory that the ring and the windows have. */
  reserved: ReservedRanges;
  onBackend: (device: number, remains: BackendRemains) => void;
  onRefusal: (reason: string) => void;
  onFailure: (device: number, reason: string) => void;
}

export type VirtioFunctions = Record<
  "find" | "window" | "read" | "write" | "wait",
  (...values: number[]) => number
>;

export class VirtioImports {
  readonly #options: VirtioOptions;
  readonly #pageBytes: number;
  #devices: readonly MmioRegisters[] = [];
  #refusals = 0;
  /** Numbers of the devices whose failure was told. */
  readonly #failed = new Set<number>();

  constructor(options: VirtioOptions) {
    this.#options = options;
    this.#pageBytes = options.syscalls?.pageSize() ?? 4096;
  }

  /** Opens the devices, before the guest runs. @throws WasmUringError naming the device */
  open(): void {
    const { plans, syscalls, memory, control, onBackend, onFailure } = this.#options;
    if (syscalls === null) return;
    const opened: MmioRegisters[] = [];
    this.#devices = opened;
    for (const [index, plan] of plans.entries()) {
      const device = openService(plan, {
        memory,
        syscalls,
        stop: control,
        pageBytes: this.#pageBytes,
        onBackend: (remains) => onBackend(index, remains),
        onRefusal: (reason) => this.#refuse(reason),
        onFailure: (reason) => {
          // A guest can reset a lost device in a loop; its owner is told of the first loss.
          if (this.#failed.has(index)) return;
          this.#failed.add(index);
          onFailure(index, reason);
        },
      });
      opened.push(new MmioRegisters(device));
    }
  }

  /** Ends the devices of a guest that ended: what it left in flight completes or is cancelled. */
  close(): void {
    for (const registers of this.#devices) registers.device.close();
  }

  functions(): VirtioFunctions {
    return {
      find: (name = 0, length = 0, info = 0) => this.#find(name >>> 0, length >>> 0, info >>> 0),
      window: (device = 0, offset = 0, length = 0) =>
        this.#undisturbed(() => this.#window(device, offset >>> 0, length >>> 0)),
      read: (device = 0, register = 0) => {
        const registers = this.#devices[device];
        return registers === undefined ? 0 : registers.read(register >>> 0) | 0;
      },
      write: (device = 0, register = 0, value = 0) => {
        const registers = this.#devices[device];
        if (registers === undefined) return -Errno.EBADF;
        if (register !== VirtioRegister.QUEUE_NOTIFY) {
          return this.#undisturbed(() => registers.write(register >>> 0, value >>> 0));
        }
        return this.#unlessStopped(registers.write(VirtioRegister.QUEUE_NOTIFY, value >>> 0));
      },
      wait: (device = 0, timeoutUs = 0) => {
        const registers = this.#devices[device];
        if (registers === undefined) return -Errno.EBADF;
        return this.#unlessStopped(registers.device.waitInterrupt(timeoutUs | 0));
      },
    };
  }

  #unlessStopped(result: number): number {
    if (result === -Errno.EINTR && this.#options.control.stopped()) throw new GuestStopped();
    return result;
  }

  /**
   * The thread is not ended in the middle of a set-up: what is half-made would be left behind. A guest that is to end
   * begins none.
   */
  #undisturbed(step: () => number): number {
    const { control } = this.#options;
    if (control.stopped() || !control.advance(WorkerState.RUNNING, WorkerState.SETTING_UP)) {
      throw new GuestStopped();
    }
    try {
      return this.#unlessStopped(step());
    } finally {
      control.advance(WorkerState.SETTING_UP, WorkerState.RUNNING);
    }
  }

  #find(name: number, length: number, info: number): number {
    const memory = this.#options.memory();
    if (length > NAME_BYTES_MAX) return -Errno.ENAMETOOLONG;
    const bytes = memory.copyOut(name, length);
    if (bytes === null) return -Errno.EFAULT;
    if (info !== 0 && !memory.contains(info, VirtioDeviceInfo.SIZE)) return -Errno.EFAULT;
    const wanted = Buffer.from(bytes).toString("utf8");
    const found = this.#options.plans.findIndex((plan) => plan.name === wanted);
    const device = this.#devices[found]?.device;
    if (device === undefined) return -Errno.ENOENT;
    if (info === 0) return found;
    const { view } = memory;
    const flags = device.selfRunning ? VirtioDeviceFlag.SELF_RUNNING : 0;
    view.setUint32(info + VirtioDeviceInfo.FLAGS, flags, true);
    view.setUint32(info + VirtioDeviceInfo.PAGE_SIZE, this.#pageBytes, true);
    view.setUint32(info + VirtioDeviceInfo.BLOCK_SIZE, device.blockBytes, true);
    view.setUint32(info + VirtioDeviceInfo.RESERVED, 0, true);
    return found;
  }

  #window(index: number, offset: number, length: number): number {
    const { plans, reserved } = this.#options;
    const registers = this.#devices[index];
    const plan = plans[index];
    if (registers === undefined || plan === undefined) return -Errno.EBADF;
    const overlapped = reserved.overlapped(offset, length);
    if (overlapped !== null) {
      const where = `the window at offset ${offset}, ${length} bytes`;
      this.#refuse(`${plan.what}: ${where}, overlaps the ${overlapped}`);
      return -Errno.EINVAL;
    }
    const result = registers.device.setWindow(offset, length);
    if (result === 0) reserved.add(`window of ${plan.what}`, offset, length);
    return result;
  }

  #refuse(reason: string): void {
    if (this.#refusals++ < REFUSALS_MAX) this.#options.onRefusal(reason);
  }
}
