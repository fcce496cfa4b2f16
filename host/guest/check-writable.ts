/** A grant for writing under a policy that cannot write contradicts itself, at the start and while the guest runs. */
import { Op } from "../abi";
import { WasmUringError } from "../errors";
import type { GrantRequest } from "../grant/request";
import type { CompiledPolicy } from "../policy";

/** Opcodes that need a writable grant. */
const WRITING_OPS: readonly number[] = [Op.WRITE_FIXED, Op.FALLOCATE, Op.FTRUNCATE];

export function isWritable(request: GrantRequest): boolean {
  return request.access === "write" || request.access === "read-write";
}

/** @throws WasmUringError ERR_BAD_OPTION */
export function checkWritable(
  policy: CompiledPolicy,
  files: Readonly<Record<string, GrantRequest>>,
): void {
  const [written] = Object.entries(files).find(([, request]) => isWritable(request)) ?? [];
  if (written === undefined || WRITING_OPS.some((opcode) => policy.opcodes.includes(opcode))) {
    return;
  }
  throw new WasmUringError("ERR_BAD_OPTION", {
    what: `grant "${written}" for writing with policy "${policy.name}"`,
    why: "no opcode of the policy writes",
    whatToDo: "grant it for reading, or use policy file-write",
  });
}
