/**
 * The hostile corpus on every engine: each attack gets the errno that the table names, nothing outside ring and arena
 * changes, and the process holds afterwards what it held before.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Op, SqeFlag } from "../../host/abi";
import { compilePolicy, type PolicyOption } from "../../host/policy";
import {
  Attacker,
  type AttackerOptions,
  answerName,
  ENGINES,
  HARMLESS_OP_NAMES,
  unavailableReason,
} from "./attacker";
import {
  type Attack,
  accessAttacks,
  addressAttacks,
  flagAttacks,
  hiddenFieldAttacks,
  lengthAttacks,
  opcodeAnswer,
  pointerSweep,
  slotAttacks,
} from "./attacks";
import { Slot } from "./granted";
import type { RawSqe } from "./raw-sqe";
import { leakedSince, takeResources } from "./resources";

const corpus = suite("hostile/corpus");

/** Runs an attack with a ring, and holds it to the three promises of this file. */
async function attackWith(
  options: AttackerOptions,
  attack: (attacker: Attacker) => void | Promise<void>,
): Promise<void> {
  const before = takeResources();
  const attacker = new Attacker(options);
  try {
    attacker.start();
    assert.is(attacker.engine.name, options.engine);
    await attack(attacker);
    assert.equal(attacker.damage(), { guest: 0, host: 0 });
  } finally {
    attacker.close();
  }
  assert.equal(attacker.damage(), { guest: 0, host: 0 });
  assert.equal(await leakedSince(before), []);
}

function check(attacker: Attacker, attacks: readonly Attack[]): void {
  // One at a time: what one SQE's flags say changes the answer to the next.
  const results = attacks.map((attack) => attacker.submitOne(attack.sqe));
  const wrong = attacks.flatMap(({ name, expect }, index) => {
    const answer = answerName(results[index] ?? Number.NaN);
    return expect.includes(answer) ? [] : [`${name}: ${answer} instead of ${expect.join(" or ")}`];
  });
  assert.equal(wrong, []);
}

const TABLES: readonly (readonly [name: string, make: (attacker: Attacker) => Attack[]])[] = [
  ["addresses", addressAttacks],
  ["lengths", lengthAttacks],
  ["slots", slotAttacks],
  ["access", accessAttacks],
  ["hidden fields", hiddenFieldAttacks],
  ["flags", flagAttacks],
];

/** The kernel's opcodes, and a sample of the rest of the byte. */
const OPCODES = [...Array(65).keys(), 65, 66, 100, 127, 128, 200, 254, 255];

const SWEPT_POLICIES: readonly (readonly [name: string, policy: PolicyOption])[] = [
  ["file-read", "file-read"],
  ["stream", "stream"],
  ["of all but FALLOCATE", { opcodes: HARMLESS_OP_NAMES }],
];

function sweepOpcodes(attacker: Attacker, allowed: readonly number[]): void {
  const sqes: RawSqe[] = OPCODES.flatMap((opcode) => pointerSweep(attacker, opcode));
  const results = attacker.submitAll(sqes);
  const wrong = sqes.flatMap((sqe, index) => {
    const answer = answerName(results[index] ?? Number.NaN);
    const expect = opcodeAnswer(sqe.opcode, sqe.flags ?? 0, allowed);
    const right = expect === null ? answer !== "no answer" : expect.includes(answer);
    return right ? [] : [`${Op[sqe.opcode] ?? sqe.opcode} flags ${sqe.flags}: ${answer}`];
  });
  assert.equal(wrong, []);
}

/** Chains of links around a denied operation: the whole chain fails before any of it ran. */
function attackByChains(attacker: Attacker): void {
  const { FIXED_FILE, IO_LINK, IO_HARDLINK } = SqeFlag;
  const read = { opcode: Op.READ_FIXED, addr: attacker.at(), len: 8, slot: Slot.READ_WRITE };
  const linked = { ...read, flags: FIXED_FILE | IO_LINK };
  const denied = { opcode: Op.MADVISE, addr: attacker.host.address, len: 4096 };
  const answers = (sqes: readonly RawSqe[]) => attacker.submitAll(sqes).map(answerName);
  const cancelled = ["ECANCELED", "EACCES", "ECANCELED"];
  assert.equal(answers([linked, { ...denied, flags: FIXED_FILE | IO_LINK }, read]), cancelled);
  const hard = { ...read, flags: FIXED_FILE | IO_HARDLINK };
  assert.equal(answers([hard, { ...denied, flags: FIXED_FILE | IO_HARDLINK }, read]), cancelled);
  assert.equal(answers([linked, { ...denied, flags: FIXED_FILE }, read]), [
    "ECANCELED",
    "EACCES",
    "8",
  ]);
  assert.equal(answers([{ ...denied, flags: IO_LINK }, read]), ["EACCES", "ECANCELED"]);
  // A whole queue as one chain that never ends: the last link points at what is not there yet.
  const endless = answers(new Array(attacker.sqEntries).fill(linked));
  assert.ok(
    endless.every((answer) => answer === "8" || answer === "ECANCELED"),
    endless.join(),
  );
}

for (const engine of ENGINES) {
  const unavailable = unavailableReason(engine);
  const test = (name: string, run: () => Promise<void>): void => {
    corpus(`${engine}: ${name}`, async () => {
      if (unavailable !== null) return console.log(`skipped ${engine}: ${unavailable}`);
      await run();
    });
  };

  for (const [name, make] of TABLES) {
    test(name, () => attackWith({ engine }, (attacker) => check(attacker, make(attacker))));
    test(`${name}, shared memory`, () =>
      attackWith({ engine, shared: true }, (attacker) => check(attacker, make(attacker))));
  }

  for (const [name, policy] of SWEPT_POLICIES) {
    test(`every opcode, every pointer field, policy ${name}`, () =>
      attackWith({ engine, policy }, (attacker) => {
        sweepOpcodes(attacker, compilePolicy(policy).opcodes);
      }));
  }

  test("chains", () => attackWith({ engine }, attackByChains));
}

corpus.run();
