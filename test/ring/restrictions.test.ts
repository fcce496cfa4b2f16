/**
 * Is the restriction list byte for byte what the policy says, whatever the kernel knows, and does
 * the real kernel take it?
 */
import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Op, Register, SetupFlag } from "../../host/abi";
import { errnoName } from "../../host/errors";
import { loadSyscalls } from "../../host/ffi/load";
import { compilePolicy, POLICY_NAMES } from "../../host/policy";
import { SAFE_OP_NAMES } from "../../host/policy-reasons";
import { enableRing, probeOpcodes, registerRestrictions } from "../../host/ring/register";
import { restrictionsOf } from "../../host/ring/restrictions";

const restrictions = suite("ring/restrictions");

const ENTRY_BYTES = 16;
const ALL = new Set(Array.from({ length: Op.LAST }, (_, opcode) => opcode));

interface Decoded {
  calls: number[];
  opcodes: number[];
  allowed: number[];
  required: number[];
}

/** Reads the list as linux/io_uring.h says, with no help from the code under test. */
function decode(entries: Uint8Array): Decoded {
  const decoded: Decoded = { calls: [], opcodes: [], allowed: [], required: [] };
  const lists = [decoded.calls, decoded.opcodes, decoded.allowed, decoded.required];
  for (let at = 0; at < entries.length; at += ENTRY_BYTES) {
    const [low = -1, high = -1, value = -1, ...reserved] = entries.subarray(at, at + ENTRY_BYTES);
    lists[low | (high << 8)]?.push(value);
    assert.ok(reserved.every((byte) => byte === 0));
  }
  return decoded;
}

restrictions("the list is the policy, for any policy and any kernel", () => {
  const subset = fc.subarray([...SAFE_OP_NAMES], { minLength: 1 });
  const kernel = fc.uniqueArray(fc.integer({ min: 0, max: Op.LAST - 1 }));
  fc.assert(
    fc.property(subset, kernel, (opcodes, knownList) => {
      const policy = compilePolicy({ opcodes });
      const known = new Set(knownList);
      if (!policy.opcodes.some((opcode) => known.has(opcode))) {
        assert.throws(() => restrictionsOf(policy, known), /knows none of its opcodes/);
        return;
      }
      const { entries, count, missing, missingCalls } = restrictionsOf(policy, known);
      const decoded = decode(entries);
      assert.is(entries.length, count * ENTRY_BYTES);
      assert.equal(decoded.required, [policy.sqeFlagsRequired]);
      assert.equal(decoded.allowed, [policy.sqeFlagsAllowed]);
      assert.equal(
        [...decoded.opcodes, ...missing].sort((a, b) => a - b),
        policy.opcodes,
      );
      assert.ok(decoded.opcodes.every((opcode) => known.has(opcode)));
      assert.ok(decoded.calls.length > 0);
      assert.ok(!decoded.calls.some((call) => missingCalls.includes(call)));
    }),
  );
});

restrictions(
  "register calls: those that a host needs, and none that undoes the confinement",
  () => {
    const { entries, missing, missingCalls } = restrictionsOf(compilePolicy("stream"), ALL);
    const { calls } = decode(entries);
    assert.equal([...missing, ...missingCalls], []);
    for (const call of [1, 3, 4, 5, 6, 14, 16, 19, 24]) assert.ok(calls.includes(call), `${call}`);
    const never = [Register.PERSONALITY, Register.BUFFERS, Register.BUFFERS2, Register.PBUF_RING];
    for (const call of never) assert.not.ok(calls.includes(call));
  },
);

restrictions("an older kernel gets a shorter list", () => {
  const upTo = (last: number) => new Set([...ALL].filter((opcode) => opcode <= last));
  const beforeFtruncate = restrictionsOf(compilePolicy("file-write"), upTo(Op.FIXED_FD_INSTALL));
  assert.equal(beforeFtruncate.missing, [Op.FTRUNCATE]);
  assert.equal(beforeFtruncate.missingCalls, []);
  const kernel5_10 = restrictionsOf(compilePolicy("file-read"), upTo(Op.TEE));
  assert.ok(kernel5_10.missingCalls.includes(Register.SYNC_CANCEL));
  assert.ok(kernel5_10.missingCalls.includes(Register.IOWQ_MAX_WORKERS));
});

restrictions("the real kernel takes every policy's list, and is enabled with it", () => {
  const { syscalls, reason } = loadSyscalls();
  if (syscalls === null) return console.log(`skipped: ${reason}`);
  const policies = [
    ...POLICY_NAMES.map((name) => compilePolicy(name)),
    compilePolicy({ opcodes: SAFE_OP_NAMES }),
    ...SAFE_OP_NAMES.map((name) => compilePolicy({ opcodes: [name], sqeFlags: [] })),
  ];
  for (const policy of policies) {
    const params = new Uint8Array(120);
    new DataView(params.buffer).setUint32(8, SetupFlag.R_DISABLED, true);
    const fd = syscalls.ioUringSetup(8, params);
    if (fd < 0) return console.log(`skipped: io_uring_setup says ${errnoName(-fd)}`);
    try {
      const known = probeOpcodes(syscalls, fd);
      if (!policy.opcodes.some((opcode) => known.has(opcode))) continue;
      const { entries, count } = restrictionsOf(policy, known);
      registerRestrictions(syscalls, fd, entries, count);
      enableRing(syscalls, fd);
    } finally {
      syscalls.close(fd);
    }
  }
});

restrictions.run();
