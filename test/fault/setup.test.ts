/**
 * Every system call of a set-up fails once, with several errnos, on every engine: what comes of it is an error of the
 * one class or another engine, nothing is left behind, the guest's memory outside the rings is as it was, and the next
 * set-up in the same memory succeeds. A failed restriction is never followed by an enabled ring.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Errno } from "../../host/abi";
import { WasmUringError } from "../../host/errors";
import type { EngineName } from "../../host/ring/engine";
import { Attacker, answerName, ENGINES, unavailableReason } from "../hostile/attacker";
import { Slot } from "../hostile/granted";
import { leakedSince, takeResources } from "../hostile/resources";
import { failCall } from "./faults";

const fault = suite("fault/setup");

const ERRNOS = [Errno.EPERM, Errno.EINVAL, Errno.ENOMEM, Errno.EINTR];
const MARK = 0x3c;

interface Trial {
  /** "engine NAME", or the error's code. */
  outcome: string;
  calls: string[];
}

/** One set-up with one failing call, and all that must hold afterwards. */
async function setUpFailing(
  engine: "auto" | EngineName,
  sqpoll: boolean,
  index: number,
  errno: number,
  times = 1,
): Promise<Trial> {
  const table = failCall(index, errno, times);
  const before = takeResources();
  const attacker = new Attacker({
    engine,
    syscalls: table.syscalls,
    ...(sqpoll ? { sqpoll: { idleMs: 10 } } : {}),
  });
  const { arena } = attacker;
  attacker.bytes.fill(MARK, arena.offset, arena.offset + arena.length);
  let outcome: string;
  try {
    const result = attacker.setup();
    outcome = result === 0 ? `engine ${attacker.engine.name}` : answerName(result);
  } catch (error) {
    assert.instance(error, WasmUringError, String(error));
    outcome = error instanceof WasmUringError ? error.code : "";
  }
  const calls = table.calls.map((call) => call.detail);
  const where = `call ${index} (${calls[index]}) says ${Errno[errno]}`;
  table.heal();
  const content = attacker.bytes.slice(arena.offset, arena.offset + arena.length);
  assert.ok(
    content.every((byte) => byte === MARK),
    `${where}: the arena's content changed`,
  );
  if (attacker.imports.engine === null) {
    attacker.renew().start();
  }
  const read = { opcode: 4, addr: attacker.at(), len: 8, slot: Slot.READ_WRITE };
  assert.is(answerName(attacker.submitOne(read)), "8", where);
  assert.equal(attacker.damage(), { guest: 0, host: 0 }, where);
  attacker.close();
  assert.equal(await leakedSince(before), [], where);
  return { outcome, calls };
}

const VARIANTS = [
  ...ENGINES.map((engine) => ({ engine, sqpoll: false, name: engine })),
  { engine: "mapped", sqpoll: true, name: "mapped under SQPOLL" },
  { engine: "auto", sqpoll: false, name: "auto" },
] as const;

for (const { engine, sqpoll, name } of VARIANTS) {
  fault(`${name}: every call failing once`, async () => {
    const unavailable = engine === "auto" ? null : unavailableReason(engine);
    if (unavailable !== null) return console.log(`skipped ${name}: ${unavailable}`);
    const { calls } = await setUpFailing(engine, sqpoll, -1, 0);
    if (engine === "mapped") assert.ok(calls.length >= 10, calls.join());
    for (let index = 0; index < calls.length; index++) {
      for (const errno of engine === "mapped" && !sqpoll ? ERRNOS : ERRNOS.slice(0, 2)) {
        const trial = await setUpFailing(engine, sqpoll, index, errno);
        const restricting = trial.calls.indexOf("ioUringRegister RESTRICTIONS");
        const enabled = trial.calls.indexOf("ioUringRegister ENABLE_RINGS", restricting + 1);
        if (index !== restricting || enabled < 0) continue;
        // Another ring may be enabled after it, with restrictions of its own in between.
        const between = trial.calls.slice(restricting + 1, enabled);
        assert.ok(between.includes("ioUringRegister RESTRICTIONS"), "enabled without restrictions");
      }
    }
  });
}

fault(
  "mapped: the pages cannot be moved back: their content is, and the error says so",
  async () => {
    const unavailable = unavailableReason("mapped");
    if (unavailable !== null) return console.log(`skipped: ${unavailable}`);
    const { calls } = await setUpFailing("mapped", false, -1, 0);
    const back = calls.lastIndexOf("mremap");
    const { outcome } = await setUpFailing("mapped", false, back, Errno.ENOMEM, 1000);
    assert.is(outcome, "ERR_MEMORY_MOVED");
  },
);

fault.run();
