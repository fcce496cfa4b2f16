/**
 * What a test of this folder runs in a process of its own, because it cannot be undone: a seccomp filter that denies
 * io_uring as container runtimes do, and a limit on locked memory. `limits.test.js child MODE WORD...`.
 */
import koffi from "koffi";
import { type EngineName, runGuest } from "wasm-uring";
import { endOf, guestPath, textOf } from "./guests";

const PR_SET_SECCOMP = 22;
const PR_SET_NO_NEW_PRIVS = 38;
const SECCOMP_MODE_FILTER = 2;
const SYS_IO_URING_SETUP = 425;
const EPERM = 1;

/**
 * A classic BPF program: load the call's number; io_uring_setup fails with EPERM, the rest is allowed. Not the other two
 * calls: some versions of Node have rings of their own by now, and end when these fail.
 */
function filterProgram(): Uint32Array {
  const load = 0x20;
  const jumpIfEqual = 0x15;
  const returnConstant = 0x06;
  const instruction = (code: number, yes: number, no: number, value: number) => [
    code | (yes << 16) | (no << 24),
    value,
  ];
  return Uint32Array.from([
    ...instruction(load, 0, 0, 0),
    ...instruction(jumpIfEqual, 1, 0, SYS_IO_URING_SETUP),
    ...instruction(returnConstant, 0, 0, 0x7fff0000),
    ...instruction(returnConstant, 0, 0, 0x00050000 | EPERM),
  ]);
}

/** Denies io_uring to this thread and to all that it starts from now on. */
function denyIoUring(): void {
  const libc = koffi.load("libc.so.6");
  const prctl = libc.func("int prctl(int option, uintptr_t a, void *b, uintptr_t c, uintptr_t d)");
  const program = filterProgram();
  const header = new DataView(new ArrayBuffer(16)); // struct sock_fprog
  header.setUint16(0, program.length / 2, true);
  const address = koffi.address(program);
  header.setBigUint64(8, BigInt(address ?? 0), true);
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, null, 0, 0) !== 0) throw new Error("no_new_privs");
  const bytes = new Uint8Array(header.buffer);
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, bytes, 0, 0) !== 0) throw new Error("seccomp");
}

/** What the child tells its parent. */
export interface Told {
  end: string;
  exitCode: number;
  stdout: string;
  engine: string | undefined;
  reason: string | undefined;
}

/** Runs one guest, confined, and prints a `Told` as JSON. */
export async function runConfined([
  mode,
  engine,
  guest,
  ...args
]: readonly string[]): Promise<void> {
  if (mode === "denied") denyIoUring();
  const input = process.env["GUEST_INPUT"];
  const result = await runGuest(guestPath(guest ?? ""), {
    args: [guest ?? "", ...args],
    files: input === undefined ? {} : { input: { path: input } },
    engine: (engine ?? "auto") as "auto" | EngineName,
    stdout: "capture",
  });
  const told: Told = {
    end: endOf(result),
    exitCode: result.exitCode,
    stdout: textOf(result.stdout),
    engine: result.ring?.engine,
    reason: result.ring?.reason,
  };
  console.log(JSON.stringify(told));
}
