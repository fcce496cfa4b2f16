/**
 * What an embedder or a command line says of devices, and every way to get it wrong: one sentence that names the device
 * and the wrong word, before anything is opened; and the policy that goes with disks on the guest's own ring.
 */
import { mkdirSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { createGuest, type GuestOptions, runGuest, WasmUringError } from "wasm-uring";
import { Op } from "../../host/abi";
import { checkDevices } from "../../host/datapath/check";
import { parseDeviceOption } from "../../host/datapath/parse";
import { defaultPolicy } from "../../host/guest/check-together";
import { compilePolicy } from "../../host/policy";
import { endOf, guestPath, textOf } from "../guest/guests";
import { leakedSince, takeResources } from "../hostile/resources";
import { makeDisk } from "./paths";

const test = suite("datapath/check");

const GUEST = guestPath("disk-ends");
const disk = makeDisk(1 << 20);
process.on("exit", () => disk.remove());
const { file } = disk;
const empty = join(disk.folder, "empty");
const odd = join(disk.folder, "odd");
const folder = join(disk.folder, "folder");
writeFileSync(empty, "");
writeFileSync(odd, "");
truncateSync(odd, 1000);
mkdirSync(folder);

function messageOf(step: () => unknown): string {
  try {
    step();
  } catch (error) {
    assert.ok(error instanceof WasmUringError || error instanceof Error);
    return error.message;
  }
  return "nothing was wrong";
}

/** [what is said, what the sentence must hold]. */
const WRONG_SHAPES: readonly (readonly [unknown, RegExp])[] = [
  [7, /option devices: it must be an object/],
  [{ disk: 7 }, /device "disk": it must be an object/],
  [{ "": { path: "virtio-blk", file } }, /device "": the name is empty/],
  [{ disk: { file } }, /device "disk": "path" is missing/],
  [
    { disk: { path: "virtio-blc", file } },
    /there is no path "virtio-blc".*did you mean "virtio-blk"/,
  ],
  [{ disk: { path: "virtio-blk" } }, /by virtio-blk: "file" is missing/],
  [{ disk: { path: "virtio-blk", file: "" } }, /"file" must be a path: .*not empty/],
  [{ disk: { path: "virtio-blk", file: 7 } }, /"file" must be a path: a string/],
  [{ disk: { path: "virtio-blk", file: "a\0b" } }, /"file" must be a path: .*without a NUL$/],
  [null, /option devices: it must be an object/],
  [new Map([["disk", { path: "virtio-blk", file }]]), /option devices: it must be an object/],
  [
    {
      a: { path: "vhost-user-blk", socket: "/s" },
      b: { path: "vhost-user-blk", socket: "/x/../s" },
    },
    /device "b" by vhost-user-blk: the daemon at \/s is that of device "a"/,
  ],
  [{ disk: { path: "virtio-blk", file, ai: 1 } }, /there is no key "ai".*did you mean "aio"/],
  [{ disk: { path: "virtio-blk", file, pollUs: 5 } }, /"pollUs" is for vhost-blk and vdpa-sim/],
  [{ disk: { path: "virtio-blk", file, aio: "uring" } }, /"aio" must be one of threads, native/],
  [{ disk: { path: "virtio-blk", file, threads: 4 } }, /"threads" is for aio "threads"/],
  [{ disk: { path: "virtio-blk", file, aio: "threads", threads: 65 } }, /from 1 to 64/],
  [{ disk: { path: "vhost-blk", file, pollUs: -1 } }, /"pollUs" must be a whole number/],
  [{ disk: { path: "vhost-blk", file, pollUs: 1e9 } }, /"pollUs" must be a whole number/],
  [{ disk: { path: "vhost-blk", file, direct: 1 } }, /"direct" must be true or false/],
  [{ disk: { path: "vdpa-sim", capacityBytes: 1000 } }, /"capacityBytes" must be a multiple/],
  [{ disk: { path: "vdpa-sim", capacityBytes: 0 } }, /"capacityBytes" must be a whole number/],
  [{ disk: { path: "vhost-user-blk", file } }, /"file" is for passthrough and virtio-blk/],
];

for (const [said, wanted] of WRONG_SHAPES) {
  test(`refused: ${JSON.stringify(said)}`, () => {
    assert.match(
      messageOf(() => checkDevices(said)),
      wanted,
    );
  });
}

test("seventeen devices are one too many", () => {
  const entries = Array.from({ length: 17 }, (_, index) => [
    `disk${index}`,
    { path: "vdpa-sim", capacityBytes: 512 },
  ]);
  assert.match(
    messageOf(() => checkDevices(Object.fromEntries(entries))),
    /at most 16/,
  );
});

/** Text of --device, and what it becomes or why it does not. */
const TEXTS: readonly (readonly [string, object | RegExp])[] = [
  ["disk=a.img", { path: "virtio-blk", file: "a.img" }],
  ["disk=a=b.img,path=passthrough,ro", { path: "passthrough", file: "a=b.img", readOnly: true }],
  [
    "disk=a,path=vhost-blk,aio=threads,threads=4,poll-us=0,direct",
    {
      path: "vhost-blk",
      ...{ file: "a", aio: "threads", threads: 4, pollUs: 0, direct: true },
    },
  ],
  ["disk=a,iothread", { path: "virtio-blk", file: "a", iothread: true }],
  ["disk=64m,path=vdpa-sim", { path: "vdpa-sim", capacityBytes: 64 << 20 }],
  ["disk=s.sock,path=vhost-user-blk", { path: "vhost-user-blk", socket: "s.sock" }],
  ["disk", /there is no "="/],
  ["=a", /there is no name/],
  ["disk=", /there is no path after/],
  ["disk=a,iothred", /there is no word "iothred".*did you mean "iothread"/],
  ["disk=a,ro=1", /"ro" takes no value/],
  ["disk=a,aio=", /"aio" has no value/],
  ["disk=a,aio", /"aio" has no value/],
  ["disk=a,ro,ro", /"ro" stands twice/],
  ["disk=a,path=vhost-blk,poll-us=1.5", /poll-us "1.5" is not a whole number/],
  ["disk=a,path=vhost-blk,poll-us=-1", /poll-us "-1" is not a whole number from 0/],
  ["disk=a,path=vdpa-sim", /"a" is not a size/],
  ["disk=a,path=vdpa", /there is no path "vdpa"/],
];

for (const [text, wanted] of TEXTS) {
  test(`--device ${text}`, () => {
    if (wanted instanceof RegExp)
      assert.match(
        messageOf(() => parseDeviceOption(text)),
        wanted,
      );
    else assert.equal(parseDeviceOption(text), { name: "disk", request: wanted });
  });
}

async function refusalOf(options: GuestOptions): Promise<string> {
  const before = takeResources();
  try {
    await (await createGuest(GUEST, options)).close();
    return "nothing was wrong";
  } catch (error) {
    assert.instance(error, WasmUringError);
    assert.equal(await leakedSince(before), []);
    return error instanceof Error ? error.message : "";
  }
}

for (const path of ["passthrough", "virtio-blk", "vhost-blk"] as const) {
  test(`${path}: a file that can be no disk is refused, and nothing is left open or made`, async () => {
    const refused = async (wrong: string) => {
      const good = { path: "vhost-blk", file } as const;
      return refusalOf({ devices: { other: good, disk: { path, file: wrong } } });
    };
    const missing = join(disk.folder, "missing");
    assert.match(await refused(missing), /device "disk" by .*missing\): there is no such file/);
    assert.match(await refused(missing), /there is no such file/, "it was not made");
    assert.match(await refused(empty), /it is empty/);
    assert.match(await refused(odd), /its 1000 bytes are not whole sectors.*truncate -s 1024/);
    assert.match(await refused(folder), /it is a directory/);
    assert.match(await refused("/proc/self/mem"), /proc/);
    assert.match(await refused("/dev/null"), /neither a regular file nor a block device/);
  });
}

test("one name is one thing", async () => {
  const options: GuestOptions = {
    files: { disk: { path: file } },
    devices: { disk: { path: "virtio-blk", file } },
  };
  assert.match(await refusalOf(options), /device "disk": a file is granted under the same name/);
});

test("a policy that cannot write a writable disk on the ring is refused", async () => {
  const devices = { disk: { path: "passthrough", file } } as const;
  const refused = await refusalOf({ devices, policy: "file-read" });
  assert.match(refused, /device "disk" for writing with policy "file-read".*policy block-device/);
  const readOnly = { disk: { ...devices.disk, readOnly: true } };
  assert.is(await refusalOf({ devices: readOnly, policy: "file-read" }), "nothing was wrong");
});

test("beside a file that the guest may write, the default policy leaves the disk's discards out", () => {
  const devices = new Map([["disk", { path: "passthrough", file } as const]]);
  const opcodesWith = (access: "read" | "read-write") =>
    defaultPolicy({ log: { path: file, access } }, devices).opcodes;
  assert.ok(!opcodesWith("read-write").includes(Op.FALLOCATE));
  assert.ok(opcodesWith("read-write").includes(Op.WRITE_FIXED));
  assert.ok(opcodesWith("read").includes(Op.FALLOCATE));
});

test("a disk on the ring is written, flushed and discarded by the default policy", async () => {
  const result = await runGuest(GUEST, {
    devices: { disk: { path: "passthrough", file } },
    args: ["disk-ends", "flushed"],
    stdout: "capture",
    stderr: "capture",
  });
  assert.is(endOf(result), "exit 0", textOf(result.stderr));
  const [report] = result.devices;
  assert.is(report?.servedBy, "ring");
  assert.is(report?.capacityBytes, 1 << 20);
  const names = ["FSYNC", "READ_FIXED", "WRITE_FIXED", "FALLOCATE"] as const;
  assert.equal(compilePolicy("block-device").opcodes, compilePolicy({ opcodes: names }).opcodes);
});

test.run();
