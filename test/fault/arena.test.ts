/**
 * Adding an arena with every system call of it failing once, on the engines that make any: the guest gets an errno, its
 * owner the reason, the pages hold what they held, and the same place can be registered afterwards.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Errno, GUEST_ADDRESS_BASE, Op, Register } from "../../host/abi";
import { errnoName } from "../../host/errors";
import { Attacker, answerName, PAGE, unavailableReason } from "../hostile/attacker";
import { Slot } from "../hostile/granted";
import { leakedSince, takeResources } from "../hostile/resources";
import { fakeKernel } from "./faults";

const fault = suite("fault/arena");

const MARK = 0x3c;
const INDEX = 3;

/** The n-th call after `arm` says `errno`. */
function armedKernel(errno: number) {
  let left = -1;
  const fails = () => left >= 0 && left-- === 0;
  const syscalls = fakeKernel((real) => ({
    ioUringRegister: (...values) => (fails() ? -errno : real.ioUringRegister(...values)),
    mmap: (...values) => (fails() ? BigInt(-errno) : real.mmap(...values)),
    mremap: (...values) => (fails() ? BigInt(-errno) : real.mremap(...values)),
  }));
  return {
    syscalls,
    arm: (call: number) => {
      left = call;
    },
    /** Whether the call that was to fail was reached. */
    fired: () => left < 0,
  };
}

for (const engine of ["mapped", "mirrored"] as const) {
  for (const errno of [Errno.ENOMEM, Errno.EINVAL, Errno.EPERM]) {
    fault(`${engine}: every call failing once with ${errnoName(errno)}`, async () => {
      const unavailable = unavailableReason(engine);
      if (unavailable !== null) return console.log(`skipped ${engine}: ${unavailable}`);
      const before = takeResources();
      const kernel = armedKernel(errno);
      const attacker = new Attacker({ engine, syscalls: kernel.syscalls });
      try {
        attacker.start();
        const free = attacker.memory.grow(1) * 65536;
        attacker.bytes.fill(MARK, free, free + 4 * PAGE);
        const add = () => attacker.imports.functions().arena(free, 4 * PAGE, INDEX);
        let calls = 0;
        for (kernel.arm(0); ; kernel.arm(++calls)) {
          const answer = add();
          if (!kernel.fired() || answer === 0) break;
          assert.ok(answer < 0, answerName(answer));
          assert.match(attacker.refusals.at(-1) ?? "", /^uring\.arena was refused: /);
          const content = attacker.bytes.slice(free, free + 4 * PAGE);
          assert.ok(
            content.every((byte) => byte === MARK),
            `call ${calls}: the content changed`,
          );
        }
        kernel.arm(-1);
        // Moving back is tried more than once, so that the last of them may fail and all is well.
        assert.ok(calls >= (engine === "mapped" ? 3 : 1), `${calls} calls`);
        const addr = BigInt(GUEST_ADDRESS_BASE + free);
        const read = { opcode: Op.READ_FIXED, addr, len: 8, slot: Slot.READ_WRITE };
        assert.is(answerName(attacker.submitOne({ ...read, bufIndex: INDEX })), "8");
        assert.equal(attacker.damage(), { guest: 0, host: 0 });
      } finally {
        attacker.close();
      }
      assert.equal(await leakedSince(before), []);
    });
  }
}

fault("locked memory that does not suffice is named", () => {
  const unavailable = unavailableReason("mapped");
  if (unavailable !== null) return console.log(`skipped: ${unavailable}`);
  let armed = false;
  const syscalls = fakeKernel((real) => ({
    ioUringRegister: (fd, opcode, argument, count) =>
      armed && opcode === Register.BUFFERS_UPDATE
        ? -Errno.ENOMEM
        : real.ioUringRegister(fd, opcode, argument, count),
  }));
  const attacker = new Attacker({ engine: "mapped", syscalls });
  try {
    attacker.start();
    armed = true;
    const free = attacker.memory.grow(1) * 65536;
    assert.is(answerName(attacker.imports.functions().arena(free, PAGE, 1)), "ENOMEM");
    assert.match(attacker.refusals.at(-1) ?? "", /ENOMEM: RLIMIT_MEMLOCK is .* raise the limit/);
  } finally {
    attacker.close();
  }
});

fault.run();
