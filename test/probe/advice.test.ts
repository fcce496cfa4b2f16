/** What a probe advises: for each way in which io_uring may be missing, the sentence that helps. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Errno } from "../../host/abi";
import type { Environment } from "../../host/probe";
import { type AdviceInput, adviceFor } from "../../host/probe/advice";

const test = suite("probe/advice");

const PLAIN: Environment = {
  platform: "linux",
  kernel: "6.18.0",
  machine: "x64",
  node: "v24.0.0",
  userId: 1000,
  capabilities: [],
  memlockSoftBytes: null,
  memlockHardBytes: null,
  ioUringDisabled: 0,
  ioUringGroup: -1,
  seccomp: "off",
  container: [],
};

function advice(environment: Partial<Environment>, rest: Partial<AdviceInput> = {}): string {
  return adviceFor({
    environment: { ...PLAIN, ...environment },
    syscallsReason: "",
    setupErrno: 0,
    capabilities: [
      { name: "NO_MMAP, one page", available: true, answer: "ok", meaning: "" },
      { name: "NO_MMAP, many pages", available: true, answer: "ok", meaning: "" },
    ],
    opcodes: [],
    choice: { engine: "mapped", reason: "", ladder: [], setupFlags: [] },
    oracle: { present: false, answers: [] },
    escaped: false,
    ...rest,
  }).join("\n");
}

test("nothing to say about a machine that allows everything", () => {
  assert.is(advice({}), "");
});

test("denied: by sysctl, by group, by seccomp, by an old kernel, by something else", () => {
  const denied = { setupErrno: Errno.EPERM };
  assert.match(advice({ ioUringDisabled: 2 }, denied), "sysctl kernel.io_uring_disabled=0");
  assert.match(advice({ ioUringDisabled: 1, ioUringGroup: 117 }, denied), "group 117");
  const rootOfContainer = { userId: 0, ioUringDisabled: 1, ioUringGroup: -1 };
  assert.match(advice(rootOfContainer, denied), "CAP_SYS_ADMIN");
  assert.match(advice({ seccomp: "filter" }, denied), "seccomp");
  assert.match(advice({}, { setupErrno: Errno.ENOSYS }), "has no io_uring");
  assert.match(advice({}, denied), "EPERM");
  const elsewhere = { platform: "darwin" };
  assert.match(advice(elsewhere, { syscallsReason: "darwin has no io_uring" }), "Linux 6.5");
  assert.match(advice({}, { syscallsReason: "koffi cannot load" }), "install koffi");
});

test("kernels that cannot place rings, or only small ones", () => {
  assert.match(advice({}, { capabilities: [] }), "mirrored");
  const small = { name: "NO_MMAP, one page", available: true, answer: "ok", meaning: "" };
  assert.match(advice({}, { capabilities: [small] }), "--entries");
});

test("the locked-memory limit, unless a capability lifts it", () => {
  assert.match(advice({ memlockSoftBytes: 8 << 20 }), "8388608 bytes");
  assert.is(advice({ memlockSoftBytes: 8 << 20, capabilities: ["CAP_IPC_LOCK"] }), "");
});

test("the oracle, missing opcodes, and above all an escape", () => {
  assert.match(advice({}, { oracle: { present: true, answers: [] } }), "mirrored");
  const opcodes = [{ name: "FTRUNCATE", opcode: 55, supported: false }];
  assert.match(advice({}, { opcodes }), "FTRUNCATE");
  assert.match(advice({}, { escaped: true, opcodes }), /^A hostile check was not refused/);
});

test.run();
