/**
 * The credentials of one thread, by raw system calls: libc's setresuid and its like would change those of every thread
 * of the process. Used by a guest's own thread for moments during set-up, before any of the guest's requests run.
 */
import { loadLibc } from "./libc";

/** Numbers of system calls that differ between architectures. */
interface Numbers {
  getresuid: number;
  setresuid: number;
  getresgid: number;
  setresgid: number;
  getgroups: number;
  setgroups: number;
  capget: number;
  capset: number;
}

const NUMBERS: Readonly<Record<string, Numbers>> = {
  x64: {
    getresuid: 118,
    setresuid: 117,
    getresgid: 120,
    setresgid: 119,
    getgroups: 115,
    setgroups: 116,
    capget: 125,
    capset: 126,
  },
  arm64: {
    getresuid: 148,
    setresuid: 147,
    getresgid: 150,
    setresgid: 149,
    getgroups: 158,
    setgroups: 159,
    capget: 90,
    capset: 91,
  },
};

const GROUPS_MAX = 65_536;
const CAPABILITY_VERSION_3 = 0x20080522;
const PR_GET_DUMPABLE = 3;
const PR_SET_DUMPABLE = 4;

/** Real, effective, saved. */
export type Ids = readonly [real: number, effective: number, saved: number];

/** struct __user_cap_data_struct, two of them: effective, permitted, inheritable, by 32 capabilities. */
export type Capabilities = readonly number[];

/** Word of a capability set that says what the thread may do now. */
export const CAPABILITY_EFFECTIVE_WORDS = [0, 3] as const;

export interface ThreadCredentials {
  userIds(): Ids | number;
  setUserIds(ids: Ids): number;
  groupIds(): Ids | number;
  setGroupIds(ids: Ids): number;
  /** Supplementary groups. */
  groups(): number[] | number;
  setGroups(groups: readonly number[]): number;
  capabilities(): Capabilities | number;
  setCapabilities(capabilities: Capabilities): number;
  /** PR_GET_DUMPABLE: the kernel clears it when credentials change, for the whole process. */
  dumpable(): number;
  setDumpable(value: number): number;
}

function makeThreadCredentials(): ThreadCredentials | null {
  const numbers = NUMBERS[process.arch];
  if (numbers === undefined) return null;
  const { number, checked } = loadLibc();
  const three = number("int syscall(int nr, uint32_t real, uint32_t effective, uint32_t saved)");
  const read3 = number("int syscall(int nr, uintptr_t a, uintptr_t b, uintptr_t c)");
  const list = number("int syscall(int nr, int count, void *list)");
  const two = number("int syscall(int nr, void *header, void *data)");
  const prctl = number("int prctl(int option, ulong argument, ulong b, ulong c, ulong d)");
  const { koffi } = loadLibc();

  const readIds = (nr: number): Ids | number => {
    const ids = new Uint32Array(new ArrayBuffer(12));
    const address = Number(koffi.address(ids));
    const result = checked(read3(nr, address, address + 4, address + 8));
    return result < 0 ? result : [ids[0] ?? 0, ids[1] ?? 0, ids[2] ?? 0];
  };
  const bytesOf = (words: Uint32Array<ArrayBuffer>) => new Uint8Array(words.buffer);
  const header = () => bytesOf(Uint32Array.from([CAPABILITY_VERSION_3, 0]));
  return {
    userIds: () => readIds(numbers.getresuid),
    setUserIds: ([real, effective, saved]) =>
      checked(three(numbers.setresuid, real, effective, saved)),
    groupIds: () => readIds(numbers.getresgid),
    setGroupIds: ([real, effective, saved]) =>
      checked(three(numbers.setresgid, real, effective, saved)),
    groups: () => {
      const groups = new Uint32Array(GROUPS_MAX);
      const count = checked(list(numbers.getgroups, GROUPS_MAX, bytesOf(groups)));
      return count < 0 ? count : [...groups.subarray(0, count)];
    },
    setGroups: (groups) => {
      const words = Uint32Array.from(groups);
      return checked(
        list(numbers.setgroups, groups.length, groups.length === 0 ? null : bytesOf(words)),
      );
    },
    capabilities: () => {
      const words = new Uint32Array(6);
      const result = checked(two(numbers.capget, header(), bytesOf(words)));
      return result < 0 ? result : [...words];
    },
    setCapabilities: (capabilities) =>
      checked(two(numbers.capset, header(), bytesOf(Uint32Array.from(capabilities)))),
    dumpable: () => checked(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0)),
    setDumpable: (value) => checked(prctl(PR_SET_DUMPABLE, value, 0, 0, 0)),
  };
}

let table: ThreadCredentials | null | undefined;

/** Of the calling thread; null on an architecture whose numbers are not known here. */
export function threadCredentials(): ThreadCredentials | null {
  if (table === undefined) table = makeThreadCredentials();
  return table;
}
