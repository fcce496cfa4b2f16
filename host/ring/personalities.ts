/**
 * Registers credentials with a ring, so that a request which names their id is carried out with the rights of another
 * user (IORING_REGISTER_PERSONALITY, 5.6). The kernel takes the credentials of the calling thread: the guest's thread
 * becomes that user, without capabilities, for the one call, and must be what it was afterwards, or nothing goes on.
 */
import { Register } from "../abi";
import { errnoName, WasmUringError } from "../errors";
import {
  CAPABILITY_EFFECTIVE_WORDS,
  type Capabilities,
  type Ids,
  type ThreadCredentials,
  threadCredentials,
} from "../ffi/credentials";
import type { Syscalls } from "../ffi/syscalls";
import type { Credentials, RingPlan } from "./engine";

/** What a thread is. */
interface Identity {
  users: Ids;
  groups: Ids;
  supplementary: readonly number[];
  capabilities: Capabilities;
  dumpable: number;
}

function personalityError(what: string, errno: number, syscall: string): WasmUringError {
  return new WasmUringError("ERR_PERSONALITY", {
    what,
    why: errnoName(errno),
    likelyCause: "the process has no CAP_SETUID and CAP_SETGID, or a security module forbids it",
    whatToDo: "run the process as root or with these capabilities, or leave personalities out",
    syscall,
    errno,
  });
}

function read<Value>(what: string, value: Value | number): Value {
  if (typeof value !== "number") return value;
  throw personalityError(`reading ${what} of the guest's thread`, -value, "getresuid");
}

function identityOf(calls: ThreadCredentials): Identity {
  return {
    users: read("the user ids", calls.userIds()),
    groups: read("the group ids", calls.groupIds()),
    supplementary: read("the groups", calls.groups()),
    capabilities: read("the capabilities", calls.capabilities()),
    dumpable: calls.dumpable(),
  };
}

/** All but `dumpable`, which the kernel may refuse to set again: the process is then only harder to debug. */
function isSame(left: Identity, right: Identity): boolean {
  const shown = ({ users, groups, supplementary, capabilities }: Identity) =>
    JSON.stringify([users, groups, supplementary, capabilities]);
  return shown(left) === shown(right);
}

/** The saved ids stay, and with them the permitted capabilities: the way back. */
function become(calls: ThreadCredentials, wanted: Credentials, own: Identity): void {
  const { uid, gid, groups = [] } = wanted;
  const steps: readonly (readonly [what: string, syscall: string, call: () => number])[] = [
    ["groups", "setgroups", () => calls.setGroups(groups)],
    [`gid ${gid}`, "setresgid", () => calls.setGroupIds([gid, gid, own.groups[1]])],
    [`uid ${uid}`, "setresuid", () => calls.setUserIds([uid, uid, own.users[1]])],
    [
      "no capabilities",
      "capset",
      () => {
        const now = read("the capabilities", calls.capabilities());
        return calls.setCapabilities(withoutEffective(now));
      },
    ],
  ];
  for (const [what, syscall, call] of steps) {
    const result = call();
    if (result < 0) throw personalityError(`switching to ${what}`, -result, syscall);
  }
}

function withoutEffective(capabilities: Capabilities): Capabilities {
  const kept = [...capabilities];
  for (const word of CAPABILITY_EFFECTIVE_WORDS) kept[word] = 0;
  return kept;
}

/** What was permitted becomes effective again, and by its right the rest. Each step is tried; the end is compared. */
function restore(calls: ThreadCredentials, own: Identity): boolean {
  calls.setCapabilities(own.capabilities);
  calls.setUserIds(own.users);
  calls.setGroupIds(own.groups);
  calls.setGroups(own.supplementary);
  calls.setCapabilities(own.capabilities);
  calls.setDumpable(own.dumpable);
  return isSame(identityOf(calls), own);
}

/** Matters more than whatever else went wrong: the thread must end. */
function notRestored(name: string): WasmUringError {
  return new WasmUringError("ERR_PERSONALITY", {
    what: `giving the guest's thread its own credentials back after personality "${name}"`,
    why: "they are not what they were, so the guest was ended before any of its requests ran",
    likelyCause: "a security module or securebits that forbid the way back",
    whatToDo: "leave personalities out",
  });
}

function registerOne(
  syscalls: Syscalls,
  calls: ThreadCredentials,
  ringFd: number,
  name: string,
  wanted: Credentials,
): number {
  const own = identityOf(calls);
  let id = 0;
  let failure: unknown;
  try {
    become(calls, wanted, own);
    id = syscalls.ioUringRegister(ringFd, Register.PERSONALITY, null, 0);
  } catch (error) {
    failure = error;
  }
  if (!restore(calls, own)) throw notRestored(name);
  if (failure !== undefined) throw failure;
  if (id > 0) return id;
  throw personalityError(`registering personality "${name}"`, -id, "io_uring_register");
}

/**
 * Registers the plan's personalities with a ring that is not enabled yet, on the thread of the guest.
 *
 * @returns their ids by name
 * @throws WasmUringError ERR_PERSONALITY; the ring must be closed then
 */
export function registerPersonalities(
  syscalls: Syscalls,
  ringFd: number,
  plan: RingPlan,
): ReadonlyMap<string, number> {
  const ids = new Map<string, number>();
  const wanted = Object.entries(plan.personalities ?? {});
  if (wanted.length === 0) return ids;
  const calls = threadCredentials();
  if (calls === null) {
    throw new WasmUringError("ERR_PERSONALITY", {
      what: "registering personalities",
      why: `the system calls of ${process.arch} that switch a thread's user are not known here`,
      whatToDo: "leave personalities out",
    });
  }
  for (const [name, credentials] of wanted) {
    ids.set(name, registerOne(syscalls, calls, ringFd, name, credentials));
  }
  return ids;
}
