/**
 * Options of the ring that bind the policy: a polled ring takes reads and writes alone, and a personality is given only
 * to a guest whose policy says so.
 */
import { Op } from "../abi";
import { type CompiledPolicy, POLICY_NAMES } from "../policy";
import type { Credentials, RingPlan, SqpollOptions } from "../ring/engine";
import { badOption } from "./check-together";
import type { GuestModule } from "./module";
import type { GuestOptions } from "./options";

/** What IORING_SETUP_IOPOLL leaves of io_uring: the kernel answers EINVAL to every other opcode. */
const POLLED_OPS: readonly number[] = [Op.READ_FIXED, Op.WRITE_FIXED];
/** The largest id; -1 means "leave it" to the kernel. */
const ID_MAX = 0xffff_fffe;
const NAME_BYTES_MAX = 255;
const GROUPS_MAX = 1024;

/** Who drives the ring. */
export interface RingDrive {
  engine: RingPlan["engine"];
  sqpoll: SqpollOptions | null;
}

/** Whether a guest's module has the export by which an idle guest is woken. */
export function wantsInterrupts(guest: GuestModule): boolean {
  return WebAssembly.Module.exports(guest.module).some(
    ({ name, kind }) => name === "on_completion" && kind === "function",
  );
}

/**
 * @returns the policy as a polled ring can carry it out: a built-in one is cut to reads and writes
 * @throws WasmUringError ERR_BAD_OPTION
 */
function checkIopoll(
  policy: CompiledPolicy,
  isCustom: boolean,
  { engine, sqpoll }: RingDrive,
  guest: GuestModule,
): CompiledPolicy {
  if (engine === "emulated") {
    throw badOption(
      "iopoll with the emulated engine",
      "it has no ring that could poll",
      "leave one of the two out",
    );
  }
  if (sqpoll === null && wantsInterrupts(guest)) {
    throw badOption(
      "iopoll without sqpoll for a guest that exports on_completion",
      "completions of a polled ring raise no interrupt unless the kernel's thread polls",
      "add sqpoll, or leave iopoll out",
    );
  }
  const opcodes = policy.opcodes.filter((opcode) => POLLED_OPS.includes(opcode));
  if (opcodes.length > 0 && (!isCustom || opcodes.length === policy.opcodes.length)) {
    return { ...policy, opcodes };
  }
  const others = policy.opcodes.filter((opcode) => !POLLED_OPS.includes(opcode));
  throw badOption(
    `iopoll with policy "${policy.name}"`,
    `a polled ring takes READ_FIXED and WRITE_FIXED alone, not ${others.map((opcode) => Op[opcode]).join(", ")}`,
    "leave these opcodes out of the policy, or leave iopoll out",
  );
}

function checkId(name: string, field: string, value: unknown): void {
  const valid =
    typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= ID_MAX;
  if (valid) return;
  throw badOption(
    `${field} ${String(value)} of personality "${name}"`,
    `is not a whole number from 0 to ${ID_MAX}`,
    "use the number of a user or group, not its name",
  );
}

/**
 * @param given GuestOptions.personalities
 * @returns a private copy
 * @throws WasmUringError ERR_BAD_OPTION
 */
function checkPersonalities(
  given: Readonly<Record<string, Credentials>>,
  policy: CompiledPolicy,
  engine: RingPlan["engine"],
): Record<string, Credentials> {
  const allowed = policy.personalities ?? [];
  const checked: Record<string, Credentials> = {};
  for (const [name, { uid, gid, groups = [] }] of Object.entries(given)) {
    if (name === "" || Buffer.byteLength(name) > NAME_BYTES_MAX) {
      throw badOption("the name of a personality", "is empty or too long", "use up to 255 bytes");
    }
    if (allowed !== true && !allowed.includes(name)) {
      throw badOption(
        `personality "${name}" with policy "${policy.name}"`,
        "the policy does not allow it",
        'use a policy with "personalities": true or a list that names it',
      );
    }
    checkId(name, "uid", uid);
    checkId(name, "gid", gid);
    if (groups.length > GROUPS_MAX) {
      throw badOption(`the groups of personality "${name}"`, "are too many", "name fewer");
    }
    for (const group of groups) checkId(name, "group", group);
    checked[name] = { uid, gid, groups: [...groups] };
  }
  if (Object.keys(checked).length > 0 && engine === "emulated") {
    throw badOption(
      "personalities with the emulated engine",
      "it performs the I/O with the rights of the process",
      "leave one of the two out",
    );
  }
  return checked;
}

export interface CheckedRing {
  policy: CompiledPolicy;
  iopoll: boolean;
  personalities: Readonly<Record<string, Credentials>>;
}

/**
 * @param policy what was asked for, or is the default
 * @throws WasmUringError ERR_BAD_OPTION
 */
export function checkRing(
  options: GuestOptions,
  policy: CompiledPolicy,
  drive: RingDrive,
  guest: GuestModule,
): CheckedRing {
  const iopoll = options.iopoll ?? false;
  const builtIn = (POLICY_NAMES as readonly string[]).includes(policy.name);
  const isCustom = options.policy !== undefined && !builtIn;
  return {
    policy: iopoll ? checkIopoll(policy, isCustom, drive, guest) : policy,
    iopoll,
    personalities: checkPersonalities(options.personalities ?? {}, policy, drive.engine),
  };
}
