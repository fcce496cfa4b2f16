/**
 * The probe: what this kernel, user and container allow, which engine a guest would get and why,
 * whether the kernel really confines a hostile one, and what the user can do. It acts on memory and
 * rings of its own and leaves nothing behind.
 */
import { loadSyscalls, type SyscallsLoad } from "../ffi/load";
import { adviceFor } from "./advice";
import { type KernelFindings, probeKernel } from "./capabilities";
import { probeChoice } from "./choice";
import { readEnvironment } from "./environment";
import type { ProbeReport } from "./report";
import { makeStage } from "./stage";

const NO_KERNEL: KernelFindings = {
  capabilities: [],
  opcodes: [],
  features: [],
  knownOpcodes: null,
  setupErrno: 0,
};

/**
 * Takes a fraction of a second, on the calling thread.
 *
 * @param loaded the table of system calls; a test passes another one
 */
export async function probe(loaded: SyscallsLoad = loadSyscalls()): Promise<ProbeReport> {
  const { syscalls } = loaded;
  const environment = readEnvironment(syscalls);
  const kernel = syscalls === null ? NO_KERNEL : probeKernel(syscalls, makeStage());
  const { choice, checks, oracle } = probeChoice(loaded, makeStage(), kernel.knownOpcodes);
  const { capabilities, opcodes, features, setupErrno } = kernel;
  const escaped = checks.some((check) => check.verdict === "ESCAPED");
  const advice = adviceFor({
    environment,
    syscallsReason: loaded.reason,
    setupErrno,
    capabilities,
    opcodes,
    choice,
    oracle,
    escaped,
  });
  return { environment, capabilities, opcodes, features, choice, hostile: checks, oracle, advice };
}
