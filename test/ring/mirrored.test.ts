/**
 * The `mirrored` engine: the cases that every engine answers alike, and what is its own: hidden
 * fields never reach the kernel, back-pressure, stopping.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Errno, GUEST_ADDRESS_BASE, Op, RingMode, SetupFlag } from "../../host/abi";
import { errnoName } from "../../host/errors";
import { linuxSyscalls } from "../../host/ffi";
import type { EngineContext, RingEngine } from "../../host/ring/engine";
import { startMirrored } from "../../host/ring/mirrored/engine";
import { conformance } from "./conformance";
import { Files, GuestDriver, type SqeFields } from "./guest-driver";
import { refusal } from "./refusal";

const test = suite("ring/mirrored");

function start(context: EngineContext): RingEngine {
  const started = startMirrored(context);
  if (typeof started === "number") throw new Error(`io_uring_setup: ${errnoName(started)}`);
  return started.engine;
}

const refused = refusal();
if (refused !== undefined) {
  console.log(`ring/mirrored skipped: io_uring_setup answers ${refused}`);
} else {
  conformance(test, start);

  test("says how it works", () => {
    const driver = new GuestDriver(start);
    assert.is(driver.engine.name, "mirrored");
    assert.is(driver.engine.layout.mode, RingMode.MIRRORED | RingMode.DEFER_TASKRUN);
    assert.is(driver.engine.layout.sqArray, 0);
    assert.ok(driver.engine.ringFd >= 0);
    driver.close();
  });

  test("never follows attr_ptr", () => {
    const files = new Files();
    const driver = new GuestDriver(start, { slots: [files.file(0, "x", "r")] });
    const read: SqeFields = { opcode: Op.READ_FIXED, addr: driver.address(), len: 1, pad2: 1n };
    // Mapped, zero and non-zero host words and an unmapped page: one answer for all.
    const secret = new BigUint64Array(64);
    const base = linuxSyscalls().addressOf(secret);
    for (const addr3 of [0n, base, base + 8n, 0x10n, 1n << 63n]) {
      assert.equal(driver.run([{ ...read, addr3 }]), [`0:${-Errno.EINVAL}`]);
    }
    driver.close();
    files.dispose();
  });

  test("refuses every host address", () => {
    const files = new Files();
    const driver = new GuestDriver(start, { slots: [files.file(0, "x".repeat(100), "r+")] });
    const { memory, request, syscalls } = driver.context;
    const host = memory.baseAddress(syscalls) + BigInt(request.arenaOffset);
    for (const opcode of [Op.READ_FIXED, Op.WRITE_FIXED]) {
      for (const addr of [
        host,
        host + 1n,
        BigInt(request.arenaOffset),
        BigInt(GUEST_ADDRESS_BASE),
      ]) {
        assert.equal(driver.run([{ opcode, addr, len: 8 }]), [`0:${-Errno.EFAULT}`]);
      }
    }
    driver.close();
    files.dispose();
  });

  test("counts what the policy refused", () => {
    const driver = new GuestDriver(start);
    driver.run([{ opcode: Op.NOP }, { opcode: Op.READ }, { opcode: Op.READ_FIXED, flags: 0 }]);
    const { denied, submitted, completed, enterCalls } = driver.engine.stats();
    assert.equal(
      { denied, submitted, completed, enterCalls },
      {
        denied: 3,
        submitted: 3,
        completed: 3,
        enterCalls: 1,
      },
    );
    driver.close();
  });

  test("an unreaped queue ends in EBUSY, and goes on when reaped", () => {
    const driver = new GuestDriver(start, { sqEntries: 8, cqEntries: 8 });
    let result = 0;
    let taken = 0;
    for (let round = 0; round < 10 && result >= 0; round++) {
      for (let index = 0; index < 8; index++) driver.queue({ opcode: Op.NOP });
      result = driver.enter(8);
      if (result > 0) taken += result;
    }
    assert.is(result, -Errno.EBUSY);
    assert.is(taken, 24);
    let seen = 0;
    while (seen < taken) {
      seen += driver.reap().length;
      driver.enter(0, 1, 0);
    }
    assert.is(driver.enter(8, 8), 8, "the SQEs of the refused call are still queued");
    driver.close();
  });

  test("a stopped wait ends soon", () => {
    let stopped = false;
    const driver = new GuestDriver(start, { stopped: () => stopped });
    stopped = true;
    const before = performance.now();
    assert.is(driver.enter(0, 1, -1), -Errno.EINTR);
    assert.ok(performance.now() - before < 1000);
    driver.close();
  });

  test("uses the flags that make a ring cheap where the kernel has them", () => {
    const driver = new GuestDriver(start);
    driver.close();
    const again = startMirrored(driver.context);
    if (typeof again === "number") throw new Error(errnoName(again));
    assert.ok((again.setupFlags & SetupFlag.SUBMIT_ALL) !== 0);
    assert.ok((again.setupFlags & SetupFlag.R_DISABLED) !== 0);
    again.engine.close();
  });
}

test.run();
