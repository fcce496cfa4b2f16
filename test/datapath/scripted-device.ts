/**
 * The guest disk-script on one virtio device in this thread: its imports lead to the host's register file and device
 * (`host/virtio`), and behind them is a `ScriptedService`.
 */
import { Errno, VirtioDeviceFlag, VirtioDeviceInfo } from "../../assembly/abi/index";
import { type BlkDescription, BlkDevice } from "../../host/virtio/blk-device";
import { MmioRegisters } from "../../host/virtio/mmio";
import { type Played, playHere } from "./scripted-guest";
import { type Behaviour, ScriptedService } from "./scripted-service";

const NO_RING = {
  query: () => -Errno.ENOSYS,
  grant: () => -Errno.ENOENT,
  setup: () => -Errno.ENOSYS,
  enter: () => -Errno.ENOSYS,
};

/** The module `virtio` with one device named "disk". */
function importsOf(device: BlkDevice, memory: () => ArrayBuffer, selfRunning: boolean) {
  const registers = new MmioRegisters(device);
  return {
    find: (name = 0, length = 0, info = 0) => {
      if (Buffer.from(memory(), name, length).toString() !== "disk") return -Errno.ENOENT;
      const view = new DataView(memory(), info);
      const flags = selfRunning ? VirtioDeviceFlag.SELF_RUNNING : 0;
      view.setUint32(VirtioDeviceInfo.FLAGS, flags, true);
      view.setUint32(VirtioDeviceInfo.PAGE_SIZE, 4096, true);
      view.setUint32(VirtioDeviceInfo.BLOCK_SIZE, device.blockBytes, true);
      return 0;
    },
    window: (_ = 0, offset = 0, length = 0) => device.setWindow(offset, length),
    read: (_ = 0, register = 0) => registers.read(register),
    write: (_ = 0, register = 0, value = 0) => registers.write(register, value),
    wait: (_ = 0, timeoutUs = 0) => device.waitInterrupt(timeoutUs),
  };
}

export function playOnDevice(
  script: string,
  disk: Uint8Array,
  description: BlkDescription,
  args: readonly string[],
  behaviour: Behaviour = {},
): Played & { service: ScriptedService } {
  const service = new ScriptedService(disk, behaviour);
  const device = new BlkDevice({ description, service, pageBytes: 4096 });
  const played = playHere(script, args, (memory) => {
    service.memory = memory;
    return { virtio: importsOf(device, memory, service.selfRunning), uring: NO_RING };
  });
  return { ...played, service };
}
