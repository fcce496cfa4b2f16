/**
 * The import module `virtio` in a guest's hands: arguments that lie, windows where something else is, calls in the wrong
 * order. Every answer is an errno, the owner is told why a window was refused, a bounded number of times, and in the end
 * nothing is left behind.
 */
import { pathToFileURL } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  Errno,
  VIRTIO_MMIO_MAGIC,
  VirtioDeviceInfo,
  VirtioInterrupt,
  VirtioRegister,
  VirtioStatus,
} from "../../host/abi";
import { checkDevices } from "../../host/datapath/check";
import { openDevices } from "../../host/datapath/devices";
import { loadSyscalls } from "../../host/ffi";
import { VirtioImports } from "../../host/guest/virtio-imports";
import { GuestMemory } from "../../host/memory/guest-memory";
import { ReservedRanges } from "../../host/memory/reserved";
import { Control, WorkerState } from "../../host/ring/control";
import { makeDisk } from "../datapath/paths";
import { leakedSince, takeResources } from "../hostile/resources";

const test = suite("guest/virtio-imports");

const PAGE = 4096;
const WORKER = pathToFileURL("dist/device-worker.cjs");
const disk = makeDisk(1 << 20);
process.on("exit", () => disk.remove());

const loaded = loadSyscalls();
if (loaded.syscalls === null) console.log(`skipped: devices need Linux: ${loaded.reason}`);

interface Rig {
  call: ReturnType<VirtioImports["functions"]>;
  memory: GuestMemory;
  reserved: ReservedRanges;
  refusals: string[];
  control: Control;
}

/** Two devices, one on this thread and one on its own, for a guest that is this thread. */
async function withRig(body: (rig: Rig) => void): Promise<void> {
  const requests = checkDevices({
    disk: { path: "virtio-blk", file: disk.file },
    ram: { path: "vdpa-sim", capacityBytes: 1 << 20 },
  });
  const { syscalls } = loaded;
  const devices = openDevices(requests, loaded, WORKER);
  const memory = new GuestMemory(new WebAssembly.Memory({ initial: 4, maximum: 8 }));
  const reserved = new ReservedRanges();
  const refusals: string[] = [];
  const control = new Control();
  assert.ok(control.advance(WorkerState.STARTING, WorkerState.RUNNING));
  let imports: VirtioImports | null = null;
  try {
    await devices.start();
    imports = new VirtioImports({
      memory: () => memory,
      syscalls,
      plans: devices.plans(),
      control,
      reserved,
      onBackend: (device, remains) => devices.noteBackend(device, remains),
      onRefusal: (reason) => refusals.push(reason),
      onFailure: () => {},
    });
    imports.open();
    body({ call: imports.functions(), memory, reserved, refusals, control });
  } finally {
    imports?.close();
    await devices.stop();
    devices.close();
  }
}

function withDevices(name: string, body: (rig: Rig) => void): void {
  if (loaded.syscalls === null) return;
  test(name, async () => {
    const before = takeResources();
    await withRig(body);
    assert.equal(await leakedSince(before, 2), []);
  });
}

function placeName(memory: GuestMemory, name: string): [offset: number, length: number] {
  const bytes = Buffer.from(name);
  memory.bytes.set(bytes, 64);
  return [64, bytes.length];
}

withDevices("find names devices by their place, and says what they are", ({ call, memory }) => {
  assert.is(call.find(...placeName(memory, "disk"), 0), 0);
  assert.is(call.find(...placeName(memory, "ram"), 128), 1);
  assert.is(memory.view.getUint32(128 + VirtioDeviceInfo.FLAGS, true), 1);
  assert.is(memory.view.getUint32(128 + VirtioDeviceInfo.PAGE_SIZE, true), PAGE);
  assert.is(memory.view.getUint32(128 + VirtioDeviceInfo.BLOCK_SIZE, true), 512);
  assert.is(call.find(...placeName(memory, "none"), 0), -Errno.ENOENT);
  assert.is(call.find(64, 0, 0), -Errno.ENOENT);
  assert.is(call.find(64, 256, 0), -Errno.ENAMETOOLONG);
  assert.is(call.find(-8, 16, 0), -Errno.EFAULT);
  assert.is(call.find(...placeName(memory, "disk"), memory.lengthBytes - 15), -Errno.EFAULT);
});

withDevices("there is no device but those that were found", ({ call }) => {
  for (const device of [2, -1, 0x7fffffff, Number.NaN, 0.5]) {
    assert.is(call.read(device, VirtioRegister.MAGIC_VALUE), 0);
    assert.is(call.write(device, VirtioRegister.STATUS, 0), -Errno.EBADF);
    assert.is(call.write(device, VirtioRegister.QUEUE_NOTIFY, 0), -Errno.EBADF);
    assert.is(call.window(device, PAGE, PAGE), -Errno.EBADF);
    assert.is(call.wait(device, -1), -Errno.EBADF);
  }
  assert.is(call.read(0, VirtioRegister.MAGIC_VALUE), VIRTIO_MMIO_MAGIC);
});

withDevices("a window lies inside memory, in whole pages, and over nothing else", (rig) => {
  const { call, memory, reserved, refusals } = rig;
  reserved.add("ring", 8 * PAGE, 2 * PAGE);
  const wrong = [
    [PAGE, 0],
    [0, PAGE],
    [PAGE + 1, PAGE],
    [PAGE, PAGE - 1],
    [memory.lengthBytes - PAGE, 2 * PAGE],
    [-PAGE, -PAGE],
    [7 * PAGE, 2 * PAGE],
    [9 * PAGE, 8 * PAGE],
  ] as const;
  for (const [offset, length] of wrong) {
    const result = call.window(0, offset, length);
    assert.ok(result === -Errno.EINVAL || result === -Errno.EFAULT, `${offset}: ${result}`);
  }
  assert.match(refusals.join("\n"), /device "disk" by virtio-blk: .* overlaps the ring/);
  assert.is(call.window(0, 16 * PAGE, 4 * PAGE), 0);
  assert.is(call.window(0, 32 * PAGE, 4 * PAGE), -Errno.EBUSY, "one window a device");
  assert.is(call.window(1, 18 * PAGE, 4 * PAGE), -Errno.EINVAL, "the other device's window");
  assert.match(refusals.at(-1) ?? "", /overlaps the window of device "disk"/);
  assert.is(call.window(1, 20 * PAGE, 4 * PAGE), 0);
  assert.is(reserved.overlapped(20 * PAGE, PAGE), 'window of device "ram" by vdpa-sim');
  memory.bytes[20 * PAGE] = 7;
  memory.memory.grow(2);
  assert.is(memory.bytes[20 * PAGE], 7);
});

withDevices("refusals in a loop are told a bounded number of times", ({ call, refusals }) => {
  for (let turn = 0; turn < 1000; turn++) call.window(0, 0x7ffff000, PAGE);
  assert.ok(refusals.length > 0 && refusals.length <= 16, `${refusals.length} refusals`);
});

withDevices("kicks and waits without a queue are errors at once", ({ call }) => {
  for (const device of [0, 1]) {
    assert.is(call.write(device, VirtioRegister.QUEUE_NOTIFY, 0), -Errno.EINVAL);
    assert.is(call.wait(device, -1), -Errno.EINVAL);
    assert.is(call.write(device, VirtioRegister.QUEUE_READY, 1), -Errno.EINVAL, "no window");
  }
});

/** Makes a device serve an empty queue of 4 entries at the start of its window. */
function startQueue({ call }: Rig, device: number, at: number): void {
  const { ACKNOWLEDGE, DRIVER, FEATURES_OK, DRIVER_OK } = VirtioStatus;
  const write = (register: VirtioRegister, value: number) =>
    assert.is(call.write(device, register, value), 0, VirtioRegister[register]);
  write(VirtioRegister.STATUS, 0);
  write(VirtioRegister.STATUS, ACKNOWLEDGE | DRIVER);
  write(VirtioRegister.DRIVER_FEATURES_SEL, 1);
  write(VirtioRegister.DRIVER_FEATURES, 1);
  write(VirtioRegister.STATUS, ACKNOWLEDGE | DRIVER | FEATURES_OK);
  write(VirtioRegister.QUEUE_NUM, 4);
  write(VirtioRegister.QUEUE_DESC_LOW, at);
  write(VirtioRegister.QUEUE_AVAIL_LOW, at + 64);
  write(VirtioRegister.QUEUE_USED_LOW, at + 128);
  write(VirtioRegister.QUEUE_READY, 1);
  write(VirtioRegister.STATUS, ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK);
}

withDevices("a queue that is broken wants a reset, and serves again after it", (rig) => {
  const { call, memory } = rig;
  for (const device of [0, 1]) {
    const at = (4 + device * 4) * PAGE;
    assert.is(call.window(device, at, PAGE), 0);
    for (let round = 0; round < 2; round++) {
      memory.bytes.fill(0, at, at + PAGE);
      startQueue(rig, device, at);
      assert.is(call.wait(device, 0), -Errno.ETIME);
      assert.is(call.wait(device, 1000), -Errno.ETIME);
      // avail.idx is further ahead than the queue is long.
      memory.view.setUint16(at + 64 + 2, 9, true);
      call.write(device, VirtioRegister.QUEUE_NOTIFY, 0);
      const answer = call.wait(device, 1_000_000);
      const isTold = answer === -Errno.EPROTO || (answer & VirtioInterrupt.CONFIG) !== 0;
      assert.ok(isTold, `device ${device} answers ${answer}`);
      const status = call.read(device, VirtioRegister.STATUS);
      assert.ok((status & VirtioStatus.NEEDS_RESET) !== 0, `status ${status}`);
      assert.ok(call.write(device, VirtioRegister.QUEUE_NOTIFY, 0) < 0);
      assert.ok(call.wait(device, -1) !== -Errno.ETIME);
    }
  }
});

withDevices("a guest that is to end begins nothing and waits for nothing", (rig) => {
  const { call, control } = rig;
  for (const device of [0, 1]) {
    const at = (4 + device * 4) * PAGE;
    assert.is(call.window(device, at, PAGE), 0);
    startQueue(rig, device, at);
  }
  control.stop();
  const stopped = /GuestStopped|Error/;
  for (const device of [0, 1]) {
    assert.throws(
      () => call.wait(device, -1),
      (error: Error) => stopped.test(error.constructor.name),
    );
    assert.throws(() => call.window(device, PAGE, PAGE));
    assert.throws(() => call.write(device, VirtioRegister.STATUS, 0));
  }
});

test.run();
