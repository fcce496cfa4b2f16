/**
 * The one error class for everything that goes wrong outside our own code: the kernel, the environment, the
 * embedder's input. Its message says what failed with which values, why, the likely cause and what to do, in one line.
 * Our own bugs are assertions; a guest's mistakes are errno values given to that guest.
 */
import { Errno } from "./abi";

/** What kind of failure it was; stable, for programs. */
export type ErrorCode =
  | "ERR_BAD_OPTION"
  | "ERR_BAD_MODULE"
  | "ERR_BAD_POLICY"
  | "ERR_BAD_GRANT"
  | "ERR_DEVICE"
  | "ERR_ENGINE_UNAVAILABLE"
  | "ERR_SETUP"
  | "ERR_MEMLOCK"
  | "ERR_SELF_TEST"
  | "ERR_PERSONALITY"
  | "ERR_REVOKE"
  | "ERR_MEMORY_MOVED"
  | "ERR_SYSCALL"
  | "ERR_WORKER"
  | "ERR_TOOL_MISSING";

export interface ErrorDetail {
  /** What failed, with the values involved: "registering the arena of 64 MiB". */
  what: string;
  /** Why: the kernel's answer or the broken rule. */
  why: string;
  /** The most likely cause, when it is not obvious. */
  likelyCause?: string;
  /** What the reader can do about it. */
  whatToDo?: string;
  syscall?: string;
  /** Positive Linux errno. */
  errno?: number;
  cause?: unknown;
}

/** Names a positive Linux errno, "E#200" when unknown. */
export function errnoName(errno: number): string {
  return Errno[errno] ?? `E#${errno}`;
}

export class WasmUringError extends Error {
  readonly code: ErrorCode;
  readonly syscall: string | undefined;
  /** The errno's name ("EPERM"), when a system call failed. */
  readonly errno: string | undefined;
  readonly detail: ErrorDetail;

  constructor(code: ErrorCode, detail: ErrorDetail) {
    const parts = [`${detail.what}: ${detail.why}`];
    if (detail.likelyCause !== undefined) parts.push(`Likely cause: ${detail.likelyCause}`);
    if (detail.whatToDo !== undefined) parts.push(`What to do: ${detail.whatToDo}`);
    super(parts.join(". "), detail.cause === undefined ? undefined : { cause: detail.cause });
    this.name = "WasmUringError";
    this.code = code;
    this.syscall = detail.syscall;
    this.errno = detail.errno === undefined ? undefined : errnoName(detail.errno);
    this.detail = detail;
  }
}

/** A broken invariant of this library itself. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(`wasm-uring bug: ${message}`);
}

/** A WasmUringError as it crosses between threads: structured clone drops the class and its fields. */
export interface PortableError {
  code: ErrorCode;
  message: string;
  detail: ErrorDetail;
}

/** The cause stays behind: it may be anything, and not everything can be cloned. */
export function toPortable({ code, message, detail }: WasmUringError): PortableError {
  const { cause: _, ...rest } = detail;
  return { code, message, detail: rest };
}

export function reviveError({ code, detail }: PortableError): WasmUringError {
  return new WasmUringError(code, detail);
}
