/**
 * What must never be granted is refused with its reason, by path and by descriptor, however it is
 * reached: process memory, kernel windows, anonymous kernel objects, terminals, devices with an
 * integrity profile.
 */
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import koffi from "koffi";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { GrantAccess, GrantKind } from "../../host/abi";
import { WasmUringError } from "../../host/errors";
import { loadSyscalls } from "../../host/ffi/load";
import { deviceNumber, refuseBlockDevice, refuseCharacterDevice } from "../../host/grant/device";
import { refusedFileSystem } from "../../host/grant/filesystems";
import { openGrants } from "../../host/grant/open";
import { hasReadIterator } from "../../host/grant/read-iterator";
import type { GrantRequest } from "../../host/grant/request";

const refused = suite("grant/refused");

const { syscalls, reason } = loadSyscalls();
const folder = fs.mkdtempSync(join(tmpdir(), "wasm-uring-refused-"));
refused.after(() => fs.rmSync(folder, { recursive: true, force: true }));

function refusal(request: GrantRequest): string {
  const before = fs.readdirSync("/proc/self/fd").length;
  try {
    const grants = openGrants({ a: request }, syscalls);
    grants.close();
  } catch (error) {
    assert.is(fs.readdirSync("/proc/self/fd").length, before);
    assert.ok(error instanceof WasmUringError && error.code === "ERR_BAD_GRANT", String(error));
    return error.message;
  }
  throw new Error(`granted: ${JSON.stringify(request)}`);
}

/** Skipped aloud where there is no such file, or this user or container may not look at it. */
function refusedPath(path: string, why: RegExp): void {
  refused(`path ${path}`, () => {
    if (syscalls === null) return console.log(`skipped ${path}: ${reason}`);
    if (!fs.existsSync(path)) return console.log(`skipped ${path}: there is none here`);
    assert.match(refusal({ path }), why);
    assert.match(refusal({ path, access: "read-write" }), why);
    const link = join(folder, path.replaceAll("/", "_"));
    fs.symlinkSync(path, link);
    assert.match(refusal({ path: link }), why);
  });
}

refusedPath("/proc/self/mem", /procfs \(a process's memory/);
refusedPath("/proc/self/maps", /procfs/);
refusedPath("/proc/cpuinfo", /procfs/);
refusedPath("/sys/kernel/uevent_seqnum", /sysfs/);
refusedPath("/sys/kernel/debug/sleep_time", /debugfs/);
refusedPath("/sys/kernel/tracing/trace", /tracefs/);
refusedPath("/sys/fs/cgroup/cgroup.procs", /cgroup/);
refusedPath("/sys/fs/cgroup/unified/cgroup.procs", /cgroup/);
refusedPath("/dev/mem", /character device \(1:1\)/);
refusedPath("/dev/kmsg", /character device \(1:11\)/);
refusedPath("/dev/kvm", /character device/);
refusedPath("/dev/fuse", /character device/);
refusedPath("/dev/tty", /terminal/);
refusedPath("/dev/ptmx", /terminal/);
refusedPath("/proc/self/ns/net", /nsfs|procfs/);
refusedPath("/proc", /directory/);

refused("a descriptor of a refused file is refused as well", () => {
  if (syscalls === null) return console.log(`skipped: ${reason}`);
  for (const [path, why] of [
    ["/proc/self/mem", /procfs/],
    ["/sys/kernel/uevent_seqnum", /sysfs/],
    ["/proc", /directory/],
  ] as const) {
    const fd = fs.openSync(path, "r");
    assert.match(refusal({ fd }), why);
    assert.match(refusal({ path: `/proc/self/fd/${fd}` }), why);
    fs.closeSync(fd);
  }
  const pathOnly = syscalls.open("/etc/passwd", 0o10000000, 0);
  assert.match(refusal({ fd: pathOnly }), /O_PATH/);
  syscalls.close(pathOnly);
});

/** Descriptors of libc calls that return one: [declaration, arguments]. */
const OBJECTS: readonly (readonly [string, readonly (string | number | null)[], RegExp])[] = [
  ["int memfd_create(const char *name, uint32_t flags)", ["x", 0], /it is a memfd/],
  ["int epoll_create1(int flags)", [0], /it is an eventpoll/],
  ["int inotify_init1(int flags)", [0], /it is .*inotify/],
  ["int eventfd(uint32_t initial, int flags)", [0, 0], /eventfd, always writable/],
  ["int fanotify_init(uint32_t flags, uint32_t event)", [0, 0], /it is .*fanotify/],
  ["int syscall(long nr, int pid, uint32_t flags)", [434, process.pid, 0], /pidf[ds]/],
  ["int syscall(long nr, int flags, int none)", [323, 1, 0], /userfaultfd/],
  ["int syscall(long nr, uint32_t flags, int none)", [447, 0, 0], /secretmem/],
];

for (const [declaration, values, why] of OBJECTS) {
  const name = `${declaration.replace(/^int (\w+).*/, "$1")}(${values.join(", ")})`;
  refused(`descriptor of ${name}`, () => {
    if (syscalls === null) return console.log(`skipped ${name}: ${reason}`);
    const generic = declaration.includes("syscall") && values[0] === 323;
    if (generic && process.arch !== "x64") return console.log(`skipped ${name}: an x86 number`);
    const make = koffi.load("libc.so.6").func(declaration);
    const fd: unknown = make(...values);
    if (typeof fd !== "number" || fd < 0) {
      return console.log(`skipped ${name}: this kernel or user gets errno ${koffi.errno()}`);
    }
    assert.match(refusal({ fd }), why);
    assert.match(refusal({ path: `/proc/self/fd/${fd}` }), why);
    syscalls.close(fd);
  });
}

refused("descriptor of an io_uring", () => {
  if (syscalls === null) return console.log(`skipped: ${reason}`);
  const fd = syscalls.ioUringSetup(1, new Uint8Array(120));
  if (fd < 0) return console.log(`skipped: io_uring_setup says ${fd}`);
  assert.match(refusal({ fd }), /it is an io_uring/);
  syscalls.close(fd);
});

refused("a timerfd is granted for reading, where the kernel reads it by iterator", () => {
  if (syscalls === null) return console.log(`skipped: ${reason}`);
  const make = koffi.load("libc.so.6").func("int timerfd_create(int clock, int flags)");
  const fd: number = make(1, 0);
  try {
    if (!hasReadIterator(syscalls, fd, GrantKind.TIMERFD)) {
      return console.log("skipped: a kernel before 6.10 has no read_iter for timers");
    }
    const grants = openGrants({ timer: { fd, access: "read" } }, syscalls);
    assert.is(grants.slots[0]?.kind, GrantKind.TIMERFD);
    assert.is(grants.slots[0]?.access, GrantAccess.READ);
    grants.close();
    assert.match(refusal({ fd, access: "write" }), /open for "read" only/);
  } finally {
    syscalls.close(fd);
  }
});

refused("the kernel itself tells files without read_iter apart", () => {
  if (syscalls === null) return console.log(`skipped: ${reason}`);
  const tells = (path: string, kind: GrantKind) => {
    const fd = fs.openSync(path, "r");
    const has = hasReadIterator(syscalls, fd, kind);
    fs.closeSync(fd);
    return has;
  };
  assert.is(tells("/proc/self/mem", GrantKind.FILE), false);
  assert.is(tells("/proc/self/maps", GrantKind.FILE), false);
  assert.is(tells("/etc/passwd", GrantKind.FILE), true);
  assert.is(tells("/dev/null", GrantKind.CHARACTER_DEVICE), true);
});

refused(
  "block devices: judged by sysfs, refused with an integrity profile or when in doubt",
  () => {
    const device = (major: number, minor: number) => BigInt((major << 8) | minor);
    const make = (name: string, attributes: Record<string, string>) => {
      const at = join(folder, "dev/block", name, "integrity");
      fs.mkdirSync(at, { recursive: true });
      for (const [key, value] of Object.entries(attributes))
        fs.writeFileSync(join(at, key), `${value}\n`);
    };
    make("8:0", { format: "T10-DIF-TYPE1-CRC", device_is_integrity_capable: "1" });
    make("8:0/8:1", {});
    fs.rmdirSync(join(folder, "dev/block/8:0/8:1/integrity"));
    fs.symlinkSync("8:0/8:1", join(folder, "dev/block/8:1"));
    make("8:16", { format: "none", device_is_integrity_capable: "0" });
    make("8:32", { format: "none", device_is_integrity_capable: "1" });
    make("8:48", { format: "nop", device_is_integrity_capable: "0" });
    make("8:64", {});
    const why = (minor: number) => refuseBlockDevice(device(8, minor), folder)?.why;
    assert.match(why(0) ?? "", /integrity profile \(T10-DIF-TYPE1-CRC\)/);
    assert.match(why(1) ?? "", /integrity profile/, "a partition is its disk");
    assert.is(why(16), undefined);
    assert.match(why(32) ?? "", /integrity profile \(capable\)/);
    assert.match(why(48) ?? "", /integrity profile \(nop\)/);
    assert.is(why(64), undefined, "a kernel without integrity");
    assert.match(why(80) ?? "", /nobody can tell/);
  },
);

refused("a real block device: granted with its size, or skipped aloud", () => {
  if (syscalls === null) return console.log(`skipped: ${reason}`);
  const names = fs.existsSync("/sys/class/block") ? fs.readdirSync("/sys/class/block") : [];
  const name = names.find((candidate) => fs.existsSync(`/dev/${candidate}`));
  if (name === undefined) return console.log("skipped: no block device here");
  try {
    const grants = openGrants({ disk: { path: `/dev/${name}`, direct: true } }, syscalls);
    const [slot] = grants.slots;
    assert.is(slot?.kind, GrantKind.BLOCK_DEVICE);
    const sectors = Number(fs.readFileSync(`/sys/class/block/${name}/size`, "utf8"));
    assert.is(slot?.sizeBytes, sectors * 512);
    grants.close();
  } catch (error) {
    if (!(error instanceof WasmUringError)) throw error;
    assert.match(error.message, /permission denied|no device|medium/);
    console.log(`skipped: ${error.message}`);
  }
});

refused("device numbers and tables", () => {
  assert.equal(deviceNumber(0x0801n), { major: 8, minor: 1 });
  assert.equal(deviceNumber(0x123_000_45_678n & 0n), { major: 0, minor: 0 });
  assert.equal(deviceNumber((1n << 20n) | 0x10300n), { major: 259, minor: 256 });
  for (const minor of [3, 5, 7, 8, 9]) {
    assert.is(refuseCharacterDevice(BigInt((1 << 8) | minor)), undefined);
  }
  for (const minor of [1, 2, 4, 11]) assert.ok(refuseCharacterDevice(BigInt((1 << 8) | minor)));
  assert.match(refuseCharacterDevice(BigInt(136 << 8))?.why ?? "", /terminal/);
  assert.match(refusedFileSystem(0x9fa0n) ?? "", /procfs/);
  assert.match(refusedFileSystem(0xfffffffff97cff8cn) ?? "", /selinuxfs/, "sign-extended");
  for (const ordinary of [0xef53n, 0x58465342n, 0x9123683en, 0x01021994n, 0x6969n, 0x65735546n]) {
    assert.is(refusedFileSystem(ordinary), undefined);
  }
});

refused.run();
