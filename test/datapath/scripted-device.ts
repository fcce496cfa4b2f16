/**
 * The guest disk-script in this thread: its imports of module `virtio` lead to the host's register file and device
 * (`host/virtio`), and behind them is a `ScriptedService`. What it needs of WASI is here as well, so that nothing but
 * the driver and the device takes part.
 */
import { readFileSync } from "node:fs";
import { Errno, VirtioDeviceFlag, VirtioDeviceInfo } from "../../assembly/abi/index";
import { type BlkDescription, BlkDevice } from "../../host/virtio/blk-device";
import { MmioRegisters } from "../../host/virtio/mmio";
import { type Behaviour, ScriptedService } from "./scripted-service";

export interface Played {
  exitCode: number;
  lines: string[];
  stderr: string;
  service: ScriptedService;
}

class Exit extends Error {
  readonly code: number;

  constructor(code: number) {
    super(`exit ${code}`);
    this.code = code;
  }
}

const HEAP_PAGES = 1024;

/** Runs the guest disk-script in this thread, with one virtio device named "disk". */
export function playOnDevice(
  script: string,
  disk: Uint8Array,
  description: BlkDescription,
  args: readonly string[],
  behaviour: Behaviour = {},
): Played {
  let memory: WebAssembly.Memory;
  const service = new ScriptedService(disk, () => memory, behaviour);
  const device = new BlkDevice({ description, service, pageBytes: 4096 });
  const registers = new MmioRegisters(device);
  const view = () => new DataView(memory.buffer);
  const input = new TextEncoder().encode(script);
  const output = { 1: "", 2: "" };
  let inputAt = 0;

  const virtio = {
    find: (name: number, length: number, info: number) => {
      const bytes = new Uint8Array(memory.buffer, name, length);
      if (new TextDecoder().decode(bytes) !== "disk") return -Errno.ENOENT;
      const flags = behaviour.selfRunning ? VirtioDeviceFlag.SELF_RUNNING : 0;
      view().setUint32(info + VirtioDeviceInfo.FLAGS, flags, true);
      view().setUint32(info + VirtioDeviceInfo.PAGE_SIZE, 4096, true);
      view().setUint32(info + VirtioDeviceInfo.BLOCK_SIZE, device.blockBytes, true);
      return 0;
    },
    window: (_: number, offset: number, length: number) => device.setWindow(offset, length),
    read: (_: number, register: number) => registers.read(register),
    write: (_: number, register: number, value: number) => registers.write(register, value),
    wait: (_: number, timeoutUs: number) => device.waitInterrupt(timeoutUs),
  };
  const wasi = {
    args_sizes_get: (count: number, bytes: number) => {
      view().setUint32(count, args.length + 1, true);
      view().setUint32(bytes, ["", ...args].join("\0").length + 1, true);
      return 0;
    },
    args_get: (argv: number, at: number) => {
      ["", ...args].forEach((word, index) => {
        view().setUint32(argv + index * 4, at, true);
        new Uint8Array(memory.buffer).set(new TextEncoder().encode(`${word}\0`), at);
        at += word.length + 1;
      });
      return 0;
    },
    fd_read: (_: number, vectors: number, __: number, read: number) => {
      const length = Math.min(view().getUint32(vectors + 4, true), input.length - inputAt);
      const target = new Uint8Array(memory.buffer, view().getUint32(vectors, true), length);
      target.set(input.subarray(inputAt, inputAt + length));
      inputAt += length;
      view().setUint32(read, length, true);
      return 0;
    },
    fd_write: (fd: 1 | 2, vectors: number, _: number, written: number) => {
      const length = view().getUint32(vectors + 4, true);
      const bytes = new Uint8Array(memory.buffer, view().getUint32(vectors, true), length);
      output[fd] += new TextDecoder().decode(bytes);
      view().setUint32(written, length, true);
      return 0;
    },
    clock_time_get: (_: number, __: bigint, time: number) => {
      view().setBigUint64(time, process.hrtime.bigint(), true);
      return 0;
    },
    proc_exit: (code: number) => {
      throw new Exit(code);
    },
  };
  const uring = {
    query: () => -Errno.ENOSYS,
    grant: () => -Errno.ENOENT,
    setup: () => -1,
    enter: () => -1,
  };
  const module = new WebAssembly.Module(readFileSync("build/guests/disk-script.wasm"));
  const instance = new WebAssembly.Instance(module, {
    virtio,
    uring,
    wasi_snapshot_preview1: wasi,
    env: {
      abort: () => {
        throw new Error("the guest aborted");
      },
    },
  });
  memory = instance.exports["memory"] as WebAssembly.Memory;
  // So that it does not grow later: growing detaches what the device looks at.
  memory.grow(HEAP_PAGES);
  let exitCode = 0;
  try {
    (instance.exports["_start"] as () => void)();
  } catch (error) {
    if (!(error instanceof Exit)) throw error;
    exitCode = error.code;
  }
  return { exitCode, lines: output[1].trim().split("\n"), stderr: output[2], service };
}
