/**
 * A policy as the kernel's own restrictions: the array that IORING_REGISTER_RESTRICTIONS takes. One
 * entry that the running kernel does not know rejects the whole list, and a ring enabled without
 * its list is unrestricted, so the list is cut to what the kernel knows and what was cut is
 * returned for the caller to report.
 */
import { Op, Register, Restriction, RestrictionKind } from "../abi";
import { WasmUringError } from "../errors";
import type { CompiledPolicy } from "../policy";

/**
 * The register calls that a host needs on an enabled ring, each with an opcode that came no
 * earlier.
 */
const REGISTER_CALLS: readonly (readonly [call: Register, witness: Op])[] = [
  // 5.1 and 5.2, older than restrictions themselves.
  [Register.UNREGISTER_BUFFERS, Op.NOP],
  [Register.UNREGISTER_FILES, Op.NOP],
  [Register.EVENTFD, Op.NOP],
  [Register.UNREGISTER_EVENTFD, Op.NOP],
  [Register.FILES_UPDATE, Op.NOP],
  // 5.13, 5.13 and 5.15; LINKAT came with 5.15.
  [Register.FILES_UPDATE2, Op.LINKAT],
  [Register.BUFFERS_UPDATE, Op.LINKAT],
  [Register.IOWQ_MAX_WORKERS, Op.LINKAT],
  // 5.18; so did MSG_RING. A registered ring descriptor keeps the ring alive after close until it
  // is taken back.
  [Register.UNREGISTER_RING_FDS, Op.MSG_RING],
  // 6.0; so did SEND_ZC.
  [Register.SYNC_CANCEL, Op.SEND_ZC],
];

export interface RestrictionList {
  /** `count` of struct io_uring_restriction. */
  entries: Uint8Array;
  count: number;
  /**
   * Opcodes of the policy that this kernel does not know: guests get -EINVAL or -EACCES for them.
   */
  missing: readonly number[];
  /**
   * Register calls that this kernel does not know. Without SYNC_CANCEL a teardown cannot be ordered
   * (design D6): do not go on.
   */
  missingCalls: readonly Register[];
}

/**
 * Builds the list. `known` are the opcodes that the kernel reports by IORING_REGISTER_PROBE.
 * Register calls cannot be probed without being made; each is taken as known when an opcode of the
 * same or a later release is.
 *
 * @throws WasmUringError ERR_ENGINE_UNAVAILABLE when the kernel knows none of the policy's opcodes: a list
 * without an opcode
 *   leaves every SQE unrestricted from kernel 7.0 on
 */
export function restrictionsOf(
  policy: CompiledPolicy,
  known: ReadonlySet<number>,
): RestrictionList {
  const opcodes = policy.opcodes.filter((opcode) => known.has(opcode));
  const missing = policy.opcodes.filter((opcode) => !known.has(opcode));
  if (opcodes.length === 0) {
    const names = missing.map((opcode) => Op[opcode]);
    throw new WasmUringError("ERR_ENGINE_UNAVAILABLE", {
      what: `policy "${policy.name}"`,
      why: `this kernel knows none of its opcodes (${names.join(", ")})`,
      whatToDo: "use a newer kernel, the emulated engine, or another policy",
    });
  }
  const newest = Math.max(...known);
  const calls = REGISTER_CALLS.filter(([, witness]) => newest >= witness).map(([call]) => call);
  const missingCalls = REGISTER_CALLS.map(([call]) => call).filter((call) => !calls.includes(call));

  const rules: (readonly [kind: RestrictionKind, value: number])[] = [
    [RestrictionKind.SQE_FLAGS_REQUIRED, policy.sqeFlagsRequired],
    [RestrictionKind.SQE_FLAGS_ALLOWED, policy.sqeFlagsAllowed],
    ...opcodes.map((opcode) => [RestrictionKind.SQE_OP, opcode] as const),
    ...calls.map((call) => [RestrictionKind.REGISTER_OP, call] as const),
  ];
  const entries = new Uint8Array(rules.length * Restriction.SIZE);
  const view = new DataView(entries.buffer);
  rules.forEach(([kind, value], index) => {
    const entry = index * Restriction.SIZE;
    view.setUint16(entry + Restriction.OPCODE, kind, true);
    // One byte, whichever of the union's three names it goes by.
    view.setUint8(entry + Restriction.SQE_OP, value);
  });
  return { entries, count: rules.length, missing, missingCalls };
}
