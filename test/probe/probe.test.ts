/**
 * The probe itself: on the real kernel, on one that denies io_uring, on no Linux at all; and that
 * it leaves nothing.
 */
import { readdirSync, readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Errno } from "../../host/abi";
import { linuxSyscalls, loadSyscalls } from "../../host/ffi";
import { probe } from "../../host/probe";

const test = suite("probe");
const isLinux = process.platform === "linux";

function openDescriptors(): number {
  return readdirSync("/proc/self/fd").length;
}

/** Mappings at or above 4 GiB and below 8 GiB: where a relocated arena would have been left. */
function mappingsAtGuestAddresses(): string[] {
  return readFileSync("/proc/self/maps", "utf8")
    .split("\n")
    .filter((line) => /^1[0-9a-f]{8}-/.test(line));
}

test("every hostile check is refused here, and nothing is left behind", async () => {
  if (!isLinux) return console.log("skipped: this platform has no /proc");
  await probe();
  const before = openDescriptors();
  const report = await probe();
  assert.is(openDescriptors(), before);
  assert.equal(mappingsAtGuestAddresses(), []);
  for (const { name, verdict, answer } of report.hostile) {
    assert.ok(verdict === "refused" || verdict === "passed", `${name}: ${verdict} (${answer})`);
  }
  assert.equal(JSON.parse(JSON.stringify(report)), report, "not plain data");
});

test("io_uring denied: the emulated engine, confined as well", async () => {
  if (!isLinux) return console.log("skipped: no Linux system calls here");
  const denied = { ...linuxSyscalls(), ioUringSetup: () => -Errno.EPERM };
  const report = await probe({ syscalls: denied, reason: "" });
  assert.is(report.choice.engine, "emulated", report.choice.reason);
  assert.is(report.capabilities[0]?.answer, "EPERM");
  assert.ok(report.advice.length > 0);
  for (const { name, verdict, answer } of report.hostile) {
    assert.ok(verdict === "refused" || verdict === "passed", `${name}: ${verdict} (${answer})`);
  }
  assert.is(report.oracle.present, false);
});

test("no rings in given memory: the mirrored engine, without the oracle", async () => {
  const { syscalls } = loadSyscalls();
  const capable = (await probe()).choice.engine === "mapped";
  if (syscalls === null || !capable)
    return console.log("skipped: no mapped engine to take away here");
  const NO_MMAP = 16384;
  const old = {
    ...syscalls,
    ioUringSetup: (entries: number, params: Uint8Array) => {
      const flags = new DataView(params.buffer, params.byteOffset).getUint32(8, true);
      return (flags & NO_MMAP) !== 0 ? -Errno.EINVAL : syscalls.ioUringSetup(entries, params);
    },
  };
  const report = await probe({ syscalls: old, reason: "" });
  assert.is(report.choice.engine, "mirrored", report.choice.reason);
  for (const { name, verdict, answer } of report.hostile) {
    assert.ok(verdict === "refused" || verdict === "passed", `${name}: ${verdict} (${answer})`);
  }
  assert.is(report.oracle.present, false);
});

test("no Linux: the emulated engine", async () => {
  const report = await probe(loadSyscalls("sunos"));
  assert.is(report.choice.engine, "emulated", report.choice.reason);
  assert.equal(report.capabilities, []);
  for (const { name, verdict, answer } of report.hostile) {
    assert.ok(verdict === "refused" || verdict === "passed", `${name}: ${verdict} (${answer})`);
  }
});

test.run();
