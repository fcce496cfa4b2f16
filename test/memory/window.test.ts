/**
 * A range of a guest's memory becomes a memfd in place: the contents stay, both mappings are the same pages, the memory
 * grows and is collected afterwards as before, and a failure at any step leaves everything as it was.
 */
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Errno } from "../../host/abi";
import { loadSyscalls } from "../../host/ffi";
import { type SharedMemoryCalls, sharedMemoryCalls } from "../../host/ffi/shared-memory";
import type { Syscalls } from "../../host/ffi/syscalls";
import { GuestMemory } from "../../host/memory/guest-memory";
import { ReservedRanges } from "../../host/memory/reserved";
import {
  checkWindow,
  releaseWindow,
  shareWindow,
  viewWindow,
  type WindowMapping,
} from "../../host/memory/window";
import { leakedSince, takeResources } from "../hostile/resources";

const window = suite("memory/window");

const PAGE = 4096;
const OFFSET = 3 * PAGE;
const LENGTH = 5 * PAGE;

const loaded = loadSyscalls();
if (loaded.syscalls === null) console.log(`skipped: windows need Linux: ${loaded.reason}`);

/** Runs with system calls, which every test here needs. */
function withCalls(name: string, body: (syscalls: Syscalls) => void | Promise<void>): void {
  const { syscalls } = loaded;
  if (syscalls !== null) window(name, () => body(syscalls));
}

function filled(memory: WebAssembly.Memory): GuestMemory {
  const guest = new GuestMemory(memory);
  guest.bytes.forEach((_, index) => {
    guest.bytes[index] = index * 7;
  });
  return guest;
}

function share(guest: GuestMemory, syscalls: Syscalls): WindowMapping {
  const shared = shareWindow(guest, OFFSET, LENGTH, {
    syscalls,
    sharedMemory: sharedMemoryCalls(),
  });
  if (typeof shared === "number") throw new Error(`shareWindow: ${shared}`);
  return shared;
}

const kinds = {
  plain: () => new WebAssembly.Memory({ initial: 2, maximum: 64 }),
  shared: () => new WebAssembly.Memory({ initial: 2, maximum: 64, shared: true }),
};

for (const [kind, make] of Object.entries(kinds)) {
  withCalls(`a ${kind} memory keeps its contents, shares the window and grows`, (syscalls) => {
    const guest = filled(make());
    const before = Buffer.from(guest.bytes);
    const mapping = share(guest, syscalls);
    assert.ok(before.equals(Buffer.from(guest.bytes)), "contents");
    const device = new Uint8Array(viewWindow(mapping, syscalls));
    device[17] = 99;
    assert.is(guest.bytes[OFFSET + 17], 99);
    const base = guest.baseAddress(syscalls);
    guest.memory.grow(40);
    assert.is(guest.baseAddress(syscalls), base, "V8 must not move the memory");
    guest.bytes[OFFSET + LENGTH - 1] = 42;
    assert.is(device[LENGTH - 1], 42, "still shared after growth");
    guest.bytes[20 * 65536] = 1;
    assert.is(guest.bytes[OFFSET - 1], before[OFFSET - 1]);
    assert.is(guest.bytes[OFFSET + LENGTH], before[OFFSET + LENGTH]);
    releaseWindow(mapping, syscalls);
    assert.is(guest.bytes[OFFSET + LENGTH - 1], 42, "the guest's pages outlive the device's");
  });
}

withCalls("a guest's own code sees the window", (syscalls) => {
  // (module (memory (export "m") 2) (func (export "f") (param i32) (result i32)
  //   (i32.store8 (i32.add (local.get 0) (i32.const 1)) (i32.const 5)) (i32.load8_u (local.get 0))))
  const bytes = Buffer.from(
    "0061736d01000000" +
      "0106" +
      "0160017f017f" +
      "0302" +
      "0100" +
      "0503" +
      "010002" +
      "0709" +
      "02016d0200" +
      "01660000" +
      "0a13" +
      "0111" +
      "00200041016a41053a0000" +
      "20002d00000b",
    "hex",
  );
  const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes));
  const { m: memory, f } = instance.exports;
  assert.ok(memory instanceof WebAssembly.Memory && typeof f === "function");
  const guest = new GuestMemory(memory);
  const mapping = share(guest, syscalls);
  const device = new Uint8Array(viewWindow(mapping, syscalls));
  device[100] = 77;
  assert.is(f(OFFSET + 100), 77);
  assert.is(device[101], 5);
  memory.grow(10);
  device[100] = 78;
  assert.is(f(OFFSET + 100), 78);
  releaseWindow(mapping, syscalls);
});

withCalls("nobody can change the size of a window's file", (syscalls) => {
  const mapping = share(filled(kinds.plain()), syscalls);
  assert.is(syscalls.ftruncate(mapping.memfd, PAGE), -Errno.EPERM);
  assert.is(syscalls.ftruncate(mapping.memfd, LENGTH + PAGE), -Errno.EPERM);
  releaseWindow(mapping, syscalls);
});

withCalls("windows and memories come and go without a trace", async (syscalls) => {
  const before = takeResources();
  for (let round = 0; round < 20; round++) {
    releaseWindow(share(filled(kinds.plain()), syscalls), syscalls);
  }
  assert.equal(await leakedSince(before), []);
});

function windowMappings(): number {
  return readFileSync("/proc/self/maps", "utf8").split("wasm-uring-window").length - 1;
}

/** Calls of which the n-th fails, and what it would have done does not happen. */
function failing(
  syscalls: Syscalls,
  nth: number,
): { syscalls: Syscalls; sharedMemory: SharedMemoryCalls; failed: () => boolean } {
  let calls = 0;
  const fails = () => calls++ === nth;
  const real = sharedMemoryCalls();
  return {
    failed: () => calls > nth,
    sharedMemory: {
      create: (name, length) => (fails() ? -Errno.ENOMEM : real.create(name, length)),
      seal: (fd) => (fails() ? -Errno.ENOMEM : real.seal(fd)),
      close: (fd) => real.close(fd),
    },
    syscalls: {
      ...syscalls,
      mmap: (...values) => (fails() ? -BigInt(Errno.ENOMEM) : syscalls.mmap(...values)),
    },
  };
}

withCalls("a failure at any step leaves the memory as it was, and nothing behind", async (real) => {
  for (let nth = 0; ; nth++) {
    const guest = filled(kinds.plain());
    const content = Buffer.from(guest.bytes);
    const before = takeResources();
    const mapped = windowMappings();
    const calls = failing(real, nth);
    const result = shareWindow(guest, OFFSET, LENGTH, calls);
    if (typeof result !== "number") {
      assert.is(nth, 4, "create, seal and two mappings can fail");
      releaseWindow(result, real);
      break;
    }
    assert.is(result, -Errno.ENOMEM);
    assert.ok(content.equals(Buffer.from(guest.bytes)), `contents after failure ${nth}`);
    assert.equal(await leakedSince(before), []);
    assert.is(windowMappings(), mapped, `mappings after failure ${nth}`);
  }
});

withCalls("what cannot be a window is refused", () => {
  const guest = new GuestMemory(kinds.plain());
  const errno = (offset: number, length: number) =>
    checkWindow(guest, offset, length, PAGE)?.errno ?? 0;
  assert.is(errno(PAGE, PAGE), 0);
  assert.is(errno(PAGE, 0), Errno.EINVAL);
  assert.is(errno(0, PAGE), Errno.EINVAL);
  assert.is(errno(PAGE + 1, PAGE), Errno.EINVAL);
  assert.is(errno(PAGE, PAGE + 1), Errno.EINVAL);
  assert.is(errno(2 * 65536 - PAGE, 2 * PAGE), Errno.EFAULT);
  assert.is(errno(0xfffff000, 0xfffff000), Errno.EFAULT);
});

window("ranges that belong to something of the host's do not overlap", () => {
  const ranges = new ReservedRanges();
  ranges.add("the ring", 4096, 8192);
  assert.is(ranges.overlapped(0, 4096), null);
  assert.is(ranges.overlapped(12288, 4096), null);
  assert.is(ranges.overlapped(0, 4097), "the ring");
  assert.is(ranges.overlapped(8192, 4096), "the ring");
  assert.is(ranges.overlapped(0, 65536), "the ring");
});

window.run();
