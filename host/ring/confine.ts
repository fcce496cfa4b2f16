/**
 * Installs a policy as the kernel's restrictions on a ring that is still disabled. What this kernel cannot hold, or
 * cannot tear down in order, is refused before the ring is enabled.
 */
import { Register } from "../abi";
import { WasmUringError } from "../errors";
import type { EngineContext } from "./engine";
import { probeOpcodes, registerRestrictions } from "./register";
import { restrictionsOf } from "./restrictions";

/**
 * Opcodes of the policy that this kernel does not know are left out: a guest gets an errno for them, as for any opcode
 * that its kernel lacks.
 *
 * @returns the opcodes that are allowed
 * @throws WasmUringError ERR_BAD_POLICY, ERR_SETUP, or ERR_ENGINE_UNAVAILABLE; the ring must not be enabled then
 */
export function confine(context: EngineContext, ringFd: number): readonly number[] {
  const { syscalls, plan } = context;
  const known = probeOpcodes(syscalls, ringFd);
  const restrictions = restrictionsOf(plan.policy, known);
  if (restrictions.missingCalls.includes(Register.SYNC_CANCEL)) {
    throw new WasmUringError("ERR_ENGINE_UNAVAILABLE", {
      what: "setting a ring up that can be torn down in order",
      why: "this kernel has no IORING_REGISTER_SYNC_CANCEL (6.0)",
      likelyCause: "a kernel before 6.0",
      whatToDo: "use the emulated engine",
    });
  }
  registerRestrictions(syscalls, ringFd, restrictions.entries, restrictions.count);
  return plan.policy.opcodes.filter((opcode) => known.has(opcode));
}
