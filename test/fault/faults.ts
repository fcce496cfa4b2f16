/**
 * Tables of system calls that fail on purpose: the n-th call of a kind, or calls that a fake kernel answers otherwise
 * than the real one.
 */
import { Register } from "../../host/abi";
import { linuxSyscalls } from "../../host/ffi";
import type { Syscalls } from "../../host/ffi/syscalls";

/** The calls of a set-up that can fail. */
export type Failing =
  | "ioUringSetup"
  | "ioUringRegister"
  | "ioUringEnter"
  | "mmap"
  | "mremap"
  | "munmap"
  | "mprotect"
  | "eventfd"
  | "pipe2"
  | "dup"
  | "open";

export interface Call {
  name: Failing;
  /** The register operation's name, for messages. */
  detail: string;
}

export interface FaultTable {
  syscalls: Syscalls;
  /** Every call of the kinds above, in order. */
  calls: Call[];
  /** From now on nothing fails. */
  heal(): void;
}

/**
 * The real table, except that the call with the given index (among the calls of `Failing`) is not made and says
 * `errno`. Index -1 fails nothing and only records.
 *
 * @param times how many calls of that kind fail, from that one on
 */
export function failCall(index: number, errno: number, times = 1): FaultTable {
  const real = linuxSyscalls();
  const calls: Call[] = [];
  let healed = false;
  let failing: Failing | undefined;
  let left = times;
  const wrap = <Arguments extends readonly unknown[], Result>(
    name: Failing,
    call: (...values: Arguments) => Result,
    failure: Result,
  ): ((...values: Arguments) => Result) => {
    return (...values) => {
      if (healed) return call(...values);
      const operation = name === "ioUringRegister" ? Register[Number(values[1])] : undefined;
      calls.push({ name, detail: operation === undefined ? name : `${name} ${operation}` });
      if (calls.length - 1 === index) failing = name;
      if (name !== failing || left === 0) return call(...values);
      left--;
      return failure;
    };
  };
  const syscalls: Syscalls = {
    ...real,
    ioUringSetup: wrap("ioUringSetup", real.ioUringSetup, -errno),
    ioUringRegister: wrap("ioUringRegister", real.ioUringRegister, -errno),
    ioUringEnter: wrap("ioUringEnter", real.ioUringEnter, -errno),
    mmap: wrap("mmap", real.mmap, BigInt(-errno)),
    mremap: wrap("mremap", real.mremap, BigInt(-errno)),
    munmap: wrap("munmap", real.munmap, -errno),
    mprotect: wrap("mprotect", real.mprotect, -errno),
    eventfd: wrap("eventfd", real.eventfd, -errno),
    dup: wrap("dup", real.dup, -errno),
    open: wrap("open", real.open, -errno),
  };
  const heal = () => {
    healed = true;
  };
  return { syscalls, calls, heal };
}

/** The real table with some calls replaced. */
export function fakeKernel(replace: (real: Syscalls) => Partial<Syscalls>): Syscalls {
  const real = linuxSyscalls();
  return { ...real, ...replace(real) };
}
