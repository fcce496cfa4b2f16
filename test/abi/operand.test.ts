/**
 * Are the operand tables whole and of one mind? Each opcode has its operands and its hazards, and
 * an opcode that follows a pointer or takes a raw descriptor is never in the set that policies may
 * allow.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Op } from "../../assembly/abi/op";
import { Hazard, HazardOf, Operand, OperandsOf } from "../../assembly/abi/operand";

const OPCODES = Array.from(
  { length: Op.LAST },
  (_, opcode) => Op[opcode] as keyof typeof OperandsOf,
);

const SAFE = [
  "FSYNC",
  "READ_FIXED",
  "WRITE_FIXED",
  "POLL_ADD",
  "POLL_REMOVE",
  "SYNC_FILE_RANGE",
  "ASYNC_CANCEL",
  "FALLOCATE",
  "FADVISE",
  "SHUTDOWN",
  "FTRUNCATE",
];

/** ATTRIBUTE is not among them: no allowlist avoids it, see the threat model. */
const FOLLOWED = Operand.ADDRESS | Operand.ADDRESS2 | Operand.ADDRESS3 | Operand.INDIRECT;

function membersOf(table: object): string[] {
  return Object.keys(table).filter((key) => Number.isNaN(Number(key)));
}

function isPowerOfTwo(value: number): boolean {
  return value > 0 && (value & (value - 1)) === 0;
}

test("both tables have every opcode, in the kernel's order", () => {
  assert.equal(membersOf(OperandsOf), OPCODES);
  assert.equal(membersOf(HazardOf), OPCODES);
});

test("kinds and hazards are single bits", () => {
  for (const name of membersOf(Operand)) {
    assert.ok(isPowerOfTwo(Operand[name as keyof typeof Operand]), name);
  }
  for (const name of membersOf(Hazard).filter((name) => name !== "NONE")) {
    assert.ok(isPowerOfTwo(Hazard[name as keyof typeof Hazard]), name);
  }
});

test("the opcodes without a hazard are the safe set", () => {
  assert.equal(
    OPCODES.filter((name) => Number(HazardOf[name]) === Hazard.NONE),
    SAFE,
  );
});

test("a safe opcode follows no pointer and reaches nothing but its slot", () => {
  const unsafe =
    FOLLOWED |
    Operand.RAW_FD |
    Operand.PATH |
    Operand.AMBIENT |
    Operand.FILE_INDEX |
    Operand.NO_FIXED_FILE;
  for (const name of OPCODES) {
    if (Number(HazardOf[name]) === Hazard.NONE) assert.is(OperandsOf[name] & unsafe, 0, name);
  }
});

test("an opcode that is refused with FIXED_FILE is called useless", () => {
  for (const name of OPCODES) {
    if (OperandsOf[name] & Operand.NO_FIXED_FILE) assert.ok(HazardOf[name] & Hazard.USELESS, name);
  }
});

test("an opcode that takes paths is refused with FIXED_FILE and reaches ambient authority", () => {
  const implied = Operand.NO_FIXED_FILE | Operand.AMBIENT;
  for (const name of OPCODES) {
    if (OperandsOf[name] & Operand.PATH) assert.is(OperandsOf[name] & implied, implied, name);
  }
});

test.run();
