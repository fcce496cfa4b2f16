/**
 * A polled ring: refused for real on every device of this machine that has no poll queues, with what it lacks; accepted
 * by the same check where a device says that it has some; and, because no such device is here, its flags and waits as
 * far as the kernel goes: set-up, restrictions, EOPNOTSUPP for every read.
 */
import {
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { createGuest, type GuestOptions, WasmUringError } from "wasm-uring";
import { GrantAccess, GrantKind, Op, RingMode } from "../../host/abi";
import { linuxSyscalls } from "../../host/ffi";
import { deviceNumber, refusePolling } from "../../host/grant/device";
import { checkPolled } from "../../host/grant/polled";
import { Attacker, answerName, unavailableReason } from "../hostile/attacker";
import { Slot } from "../hostile/granted";
import { guestPath, openPipe } from "./guests";

const test = suite("guest/iopoll");

const folder = mkdtempSync(join(tmpdir(), "wasm-uring-iopoll-"));
const path = join(folder, "data");
writeFileSync(path, Buffer.alloc(65536, 1));
test.after(() => rmSync(folder, { recursive: true, force: true }));

async function refusal(options: GuestOptions, guest = "hello"): Promise<string> {
  const error: unknown = await createGuest(guestPath(guest), { iopoll: true, ...options }).then(
    async (made) => {
      await made.close();
      return null;
    },
    (reason) => reason,
  );
  assert.instance(error, WasmUringError, "it was accepted");
  return String(error);
}

function pollQueues(): string | null {
  const { major, minor } = deviceNumber(statSync(path, { bigint: true }).dev);
  for (const at of [`${major}:${minor}`, `${major}:${minor}/..`]) {
    const attribute = `/sys/dev/block/${at}/queue/io_poll`;
    if (existsSync(attribute)) return readFileSync(attribute, "utf8").trim();
  }
  return null;
}

test("a device without poll queues is refused, with what it lacks and what to do", async () => {
  const polls = pollQueues();
  if (polls === "1") return console.log(`skipped: the disk under ${folder} has poll queues`);
  const message = await refusal({ files: { data: { path, direct: true } } });
  assert.match(message, /granting "data" to a guest whose ring polls \(iopoll\)/);
  // Memory, where /tmp is a tmpfs: no device, or on older kernels not even O_DIRECT.
  if (polls === null) assert.match(message, /no block device .* is behind it|cannot be opened/);
  else assert.match(message, /queue\/io_poll of \w+ is 0: the device has no poll queues/);
  assert.match(message, /nvme\.poll_queues=N/);
});

test("what cannot be polled anywhere is refused", async () => {
  assert.match(await refusal({ files: { data: { path } } }), /it is not open for O_DIRECT/);
  const pipe = openPipe();
  const files = { pipe: { fd: pipe.read } };
  assert.match(await refusal({ files }), /it is neither a file nor a block device/);
  pipe.close();
  const custom = { opcodes: ["READ_FIXED", "FSYNC"] } as const;
  assert.match(
    await refusal({ policy: custom }),
    /takes READ_FIXED and WRITE_FIXED alone, not FSYNC/,
  );
  assert.match(await refusal({ policy: "stream", engine: "emulated" }), /the emulated engine/);
  assert.match(await refusal({ policy: "stream" }, "interrupts"), /on_completion/);
});

test("a device that says it has poll queues is accepted", () => {
  const sysfs = join(folder, "sys");
  const device = statSync(path, { bigint: true }).dev;
  const { major, minor } = deviceNumber(device);
  const queue = join(sysfs, "dev", "block", `${major}:${minor}`, "queue");
  mkdirSync(queue, { recursive: true });
  const fd = linuxSyscalls().open(path, constants.O_RDONLY, 0);
  const grant = {
    ...{ slot: 0, name: "data", fd, access: GrantAccess.READ, kind: GrantKind.FILE },
    ...{ direct: true, alignmentBytes: 4096, sizeBytes: 65536 },
  };
  try {
    assert.match(refusePolling(device, sysfs)?.why ?? "", /no block device/);
    writeFileSync(join(queue, "io_poll"), "0\n");
    assert.match(refusePolling(device, sysfs)?.why ?? "", /is 0: the device has no poll queues/);
    writeFileSync(join(queue, "io_poll"), "1\n");
    assert.is(refusePolling(device, sysfs), undefined);
    checkPolled([grant], sysfs);
  } finally {
    linuxSyscalls().close(fd);
  }
});

const policy = { opcodes: ["READ_FIXED", "WRITE_FIXED"] } as const;

for (const { engine, sqpoll } of [
  { engine: "mapped", sqpoll: undefined },
  { engine: "mapped", sqpoll: { idleMs: 10 } },
  { engine: "mirrored", sqpoll: undefined },
] as const) {
  const label = `${engine}${sqpoll === undefined ? "" : ", sqpoll"}`;
  test(`${label}: the kernel takes the flags, holds the policy, and polls no file that cannot be`, () => {
    const unavailable = unavailableReason(engine);
    if (unavailable !== null) return console.log(`skipped ${engine}: ${unavailable}`);
    const attacker = new Attacker({
      ...{ engine, policy, iopoll: true },
      ...(sqpoll === undefined ? {} : { sqpoll }),
    });
    try {
      attacker.start();
      assert.ok((attacker.engine.layout.mode & RingMode.IOPOLL) !== 0);
      const read = { opcode: Op.READ_FIXED, addr: attacker.at(), len: 4096, slot: Slot.READ_WRITE };
      const answers = attacker.submitAll([
        read,
        { ...read, opcode: Op.WRITE_FIXED },
        { ...read, opcode: Op.FSYNC, addr: 0n, len: 0 },
        { ...read, opcode: Op.MADVISE },
        { ...read, flags: 0 },
        { ...read, slot: Slot.EMPTY },
      ]);
      assert.equal(answers.map(answerName), [
        ...["EOPNOTSUPP", "EOPNOTSUPP", "EACCES", "EACCES", "EACCES", "EBADF"],
      ]);
      // Nothing is in flight: the wait ends in time all the same.
      const began = performance.now();
      assert.is(answerName(attacker.enter(0, 1, 100_000)), "ETIME");
      const tookMs = performance.now() - began;
      assert.ok(tookMs >= 99 && tookMs < 2000, `${tookMs} ms`);
      assert.equal(attacker.damage(), { guest: 0, host: 0 });
    } finally {
      attacker.close();
    }
  });
}

test.run();
