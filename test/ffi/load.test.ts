/** Where there are no system calls the reason is said: another platform, another architecture. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { loadSyscalls } from "../../host/ffi";

const test = suite("ffi/load");

test("another platform and another architecture have none, and the reason is a sentence", () => {
  assert.equal(loadSyscalls("darwin"), { syscalls: null, reason: "darwin has no io_uring" });
  const { syscalls, reason } = loadSyscalls("linux", "riscv64");
  assert.is(syscalls, null);
  assert.match(reason, /^system calls are known for x64 and arm64, not for riscv64$/);
});

test("Linux on x64 and arm64 has them", () => {
  if (process.platform !== "linux") return console.log(`skipped: this is ${process.platform}`);
  const { syscalls, reason } = loadSyscalls();
  assert.ok(syscalls !== null, reason);
  assert.ok(syscalls.pageSize() >= 4096);
});

test.run();
