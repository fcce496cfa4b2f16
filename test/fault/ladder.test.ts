/**
 * The ladder and the self-test against fake kernels: one that has no io_uring, one that denies it, one without
 * NO_MMAP, and one that says it restricts and does not.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Errno, Params, Register, SetupFlag } from "../../host/abi";
import { WasmUringError } from "../../host/errors";
import type { Syscalls } from "../../host/ffi/syscalls";
import { GuestMemory } from "../../host/memory/guest-memory";
import type { EngineName } from "../../host/ring/engine";
import { checkRequest } from "../../host/ring/layout";
import { type RingSetup, setupRing } from "../../host/ring/setup";
import { Attacker, PAGE, unavailableReason } from "../hostile/attacker";
import { leakedSince, takeResources } from "../hostile/resources";
import { fakeKernel } from "./faults";

const ladder = suite("fault/ladder");

/** A set-up by `setupRing` itself, for its report. */
function setUp(syscalls: Syscalls | null, engine: "auto" | EngineName, sqpoll = false): RingSetup {
  const attacker = new Attacker({ engine });
  const memory = new GuestMemory(attacker.memory);
  const plan = { ...attacker.plan, sqpoll: sqpoll ? { idleMs: 10 } : null };
  const request = checkRequest(memory, 0, plan, PAGE);
  try {
    if ("errno" in request) throw new Error(request.reason);
    const syscallsReason = "there are none here";
    const stop = { stopped: () => false };
    const setup = setupRing({ memory, syscalls, syscallsReason, request, plan, stop });
    setup.engine.close();
    return setup;
  } finally {
    attacker.close();
  }
}

function codeOf(run: () => unknown): string {
  try {
    run();
    return "no error";
  } catch (error) {
    return error instanceof WasmUringError ? error.code : String(error);
  }
}

const denying = (errno: number) => fakeKernel(() => ({ ioUringSetup: () => -errno }));

for (const errno of [Errno.EPERM, Errno.ENOSYS]) {
  const name = Errno[errno] ?? "";
  ladder(`io_uring_setup says ${name}: auto is emulated, and says why`, () => {
    const setup = setUp(denying(errno), "auto");
    assert.is(setup.engine.name, "emulated");
    assert.match(setup.reason, name);
    assert.equal(setup.setupFlags, []);
    assert.equal(
      setup.ladder.map((step) => step.taken),
      [...setup.ladder.slice(1).map(() => false), true],
    );
  });

  for (const engine of ["mapped", "mirrored"] as const) {
    ladder(`io_uring_setup says ${name}: ${engine}, asked for by name, is refused`, () => {
      assert.is(
        codeOf(() => setUp(denying(errno), engine)),
        "ERR_ENGINE_UNAVAILABLE",
      );
    });
  }
}

ladder("no system calls at all: auto is emulated, mapped and mirrored are refused", () => {
  const setup = setUp(null, "auto");
  assert.is(setup.engine.name, "emulated");
  assert.match(setup.reason, "there are none here");
  for (const engine of ["mapped", "mirrored"] as const) {
    assert.is(
      codeOf(() => setUp(null, engine)),
      "ERR_ENGINE_UNAVAILABLE",
    );
  }
});

ladder("SQPOLL is never replaced by something that does not poll", () => {
  assert.is(
    codeOf(() => setUp(denying(Errno.EPERM), "auto", true)),
    "ERR_ENGINE_UNAVAILABLE",
  );
});

/** A kernel before 6.5: NO_MMAP is an unknown flag. This one refuses MAP_FIXED of a ring as well, as 6.4 does. */
const withoutNoMmap = fakeKernel((real) => ({
  ioUringSetup: (entries, params) => {
    const flags = new DataView(params.buffer, params.byteOffset).getUint32(Params.FLAGS, true);
    return (flags & SetupFlag.NO_MMAP) !== 0 ? -Errno.EINVAL : real.ioUringSetup(entries, params);
  },
}));

ladder("without NO_MMAP: MAP_FIXED is tried, then mirrored is taken", async () => {
  const unavailable = unavailableReason("mirrored");
  if (unavailable !== null) return console.log(`skipped: ${unavailable}`);
  const before = takeResources();
  const setup = setUp(withoutNoMmap, "auto");
  const steps = setup.ladder.map((step) => step.engine);
  assert.equal(steps.slice(0, 2), ["mapped (NO_MMAP)", "mapped (MAP_FIXED)"]);
  // An old kernel would take the second rung; the running one decides.
  assert.ok(["mapped", "mirrored"].includes(setup.engine.name));
  assert.equal(await leakedSince(before), []);
});

/** A kernel that takes a ring's mapping at a fixed address (before 6.1.51): the pages are plain, the ring is fake. */
ladder(
  "MAP_FIXED where the kernel takes it: both regions are mapped, and given back on failure",
  () => {
    const fixed: { address: bigint; length: number; offset: number }[] = [];
    const restored: bigint[] = [];
    const old = fakeKernel((real) => ({
      ioUringSetup: withoutNoMmap.ioUringSetup,
      mmap: (address, length, protection, flags, fd, offset) => {
        const ofRing = fd >= 0 && (flags & 0x10) !== 0;
        if (ofRing) {
          fixed.push({ address, length, offset });
          return address;
        }
        if (fd < 0 && (flags & 0x10) !== 0) restored.push(address);
        return real.mmap(address, length, protection, flags, fd, offset);
      },
      // The ring is not really there, so nothing may be enabled on it.
      ioUringRegister: (fd, opcode, argument, count) =>
        opcode === Register.RESTRICTIONS
          ? -Errno.EINVAL
          : real.ioUringRegister(fd, opcode, argument, count),
    }));
    if (unavailableReason("mapped") !== null) return console.log("skipped: no io_uring here");
    assert.is(
      codeOf(() => setUp(old, "mapped")),
      "ERR_SETUP",
    );
    assert.is(fixed.length, 2);
    assert.equal(
      restored,
      fixed.map((mapping) => mapping.address),
    );
  },
);

/** Linux 5.15: rings go anywhere, but no sparse file table (5.19) and no cancelling of everything (6.0). */
const without519 = fakeKernel((real) => ({
  ioUringRegister: (fd, opcode, argument, count) =>
    opcode === Register.FILES2 || opcode === Register.SYNC_CANCEL
      ? -Errno.EINVAL
      : real.ioUringRegister(fd, opcode, argument, count),
}));

ladder("a register call that this kernel lacks: auto is emulated, and says why", async () => {
  if (unavailableReason("mapped") !== null) return console.log("skipped: no io_uring here");
  const before = takeResources();
  const setup = setUp(without519, "auto");
  assert.is(setup.engine.name, "emulated");
  assert.match(setup.reason, /sparse table.*EINVAL.*5\.19/);
  assert.is(
    codeOf(() => setUp(without519, "mapped")),
    "ERR_SETUP",
  );
  assert.equal(await leakedSince(before), []);
});

/** Says yes to restrictions and drops them. */
const forgetful = fakeKernel((real) => ({
  ioUringRegister: (fd, opcode, argument, count) =>
    opcode === Register.RESTRICTIONS ? 0 : real.ioUringRegister(fd, opcode, argument, count),
}));

for (const engine of ["mapped", "mirrored"] as const) {
  ladder(
    `${engine}: a kernel that ignores its restrictions is caught by the self-test`,
    async () => {
      const unavailable = unavailableReason(engine);
      if (unavailable !== null) return console.log(`skipped: ${unavailable}`);
      const before = takeResources();
      assert.is(
        codeOf(() => setUp(forgetful, engine)),
        "ERR_SELF_TEST",
      );
      assert.equal(await leakedSince(before), []);
    },
  );
}

ladder.run();
