/**
 * What an embedder says when it makes a guest, and what it gets back when the guest ended. Types
 * only; the checks are in `create.ts`.
 */

import type { DeviceRequest } from "../datapath/options";
import type { DeviceReport } from "../datapath/report";
import type { WasmUringError } from "../errors";
import type { GrantRequest } from "../grant/request";
import type { PolicyOption } from "../policy";
import type {
  Credentials,
  EngineName,
  EngineStats,
  RingLayout,
  SqpollOptions,
} from "../ring/engine";
import type { PreopenRequest, StdioProvider } from "../wasi";

/**
 * Where one of the guest's standard streams goes; a number is an open descriptor of this process.
 */
export type OutputOption = "inherit" | "capture" | "ignore" | number;

export interface GuestOptions {
  /**
   * Grants by name: what the guest asks for with `grant(name)`. Slots are given in the order of the
   * keys. Default: none.
   */
  files?: Readonly<Record<string, GrantRequest>>;
  /**
   * Block devices by name: what the guest finds with `openBlockDevice(name)`. At most 16. Default:
   * none.
   */
  devices?: Readonly<Record<string, DeviceRequest>>;
  /**
   * Which opcodes and SQE flags the guest may use. Default: `file-write` when a grant is writable,
   * else `file-read`, and `block-device` as well when a device on the guest's ring is writable and
   * no grant is.
   */
  policy?: PolicyOption;
  /**
   * Default "auto": the ladder of design D2. Any other name is taken or refused, never replaced.
   */
  engine?: "auto" | EngineName;
  /** Grants a kernel submission thread. `true` is an idle time of 50 ms. Default: enter mode. */
  sqpoll?: boolean | SqpollOptions;
  /**
   * Has the kernel poll the devices for completions instead of waiting for their interrupts
   * (IORING_SETUP_IOPOLL): every grant must be opened for O_DIRECT on a device with poll queues,
   * and only READ_FIXED and WRITE_FIXED are left of a built-in policy. Not on `emulated`. Default
   * false.
   */
  iopoll?: boolean;
  /**
   * Credentials that the guest may carry requests out under, by name: a policy must say so
   * (`personalities`), and the process must have CAP_SETUID and CAP_SETGID. Such requests have no
   * capabilities. Not on `emulated`. Default: none.
   */
  personalities?: Readonly<Record<string, Credentials>>;
  /** SQ entries recommended to the guest: a power of two, 1 to 32768. Default 64. */
  entries?: number;
  /** Caps of io-wq for this ring: bounded and unbounded workers. Default [2, 2]. */
  ioWorkersMax?: readonly [bounded: number, unbounded: number];
  /**
   * An eventfd(2) that is signalled when completions are posted on the guest's ring (the talk's
   * irqfd). It is duplicated, the embedder keeps its own. The guest may mute it by
   * CqFlag.EVENTFD_DISABLED. Linux only. Default: none.
   */
  eventFd?: number;
  /**
   * Directories of the host by the path that the guest knows them by (WASI preopens, from
   * descriptor 3 on). A path means everything in it, `{ path, readOnly: true }` that nothing there
   * may be changed: that is EPERM. Guest paths must not overlap. Linux 5.6 or later. Default: none.
   */
  preopens?: Readonly<Record<string, PreopenRequest>>;
  /**
   * Descriptors of open stream or datagram sockets, listening or connected, that the guest finds
   * after its preopens. They are duplicated and made non-blocking. Default: none.
   */
  sockets?: readonly number[];
  /**
   * The most descriptors that the guest may have by WASI at a time, standard streams included.
   * Default 1024.
   */
  openFilesMax?: number;
  /** argv, the program's name first. Default: the base name of the module's file, or "guest". */
  args?: readonly string[];
  /** Environment. Default: empty. */
  env?: Readonly<Record<string, string>>;
  /**
   * The input itself, a descriptor of this process, or one of the words. Default "ignore" (end of
   * file at once).
   */
  stdin?: "inherit" | "ignore" | string | Uint8Array | number;
  /** Default "inherit". */
  stdout?: OutputOption;
  stderr?: OutputOption;
  /**
   * Who serves arguments, environment, clocks, captured streams and the exit code. "@wasmer/wasi"
   * needs that package in version 1.2.2, a guest that exports its memory, and streams that are
   * captured, ignored or given; it is slower and shows output at the end only (docs/wasi.md).
   * Default "direct", our own.
   */
  stdioProvider?: StdioProvider;
  /**
   * The most that is captured of each stream, bytes; what is beyond is refused to the guest with
   * ENOSPC. Default 16 MiB.
   */
  outputLimitBytes?: number;
  /** Ends the guest this many milliseconds after it started. Default: none. */
  deadlineMs?: number;
  /** Ends the guest when it fires. */
  signal?: AbortSignal;
}

/** How a guest ended. The kinds never stand for one another. */
export type Outcome =
  | { kind: "exit"; exitCode: number }
  | { kind: "trap"; message: string }
  | { kind: "deadline"; deadlineMs: number }
  | { kind: "aborted"; reason: string }
  | { kind: "host-failure"; error: WasmUringError };

/** One step of the ladder: an engine that was tried, and what came of it. */
export interface LadderStep {
  engine: string;
  taken: boolean;
  reason: string;
}

/** The ring that the guest asked for and got. */
export interface RingReport {
  engine: EngineName;
  /** Why this engine, in one sentence. */
  reason: string;
  ladder: readonly LadderStep[];
  mode: "enter" | "sqpoll";
  /** Names of the IORING_SETUP_* flags of the kernel ring; empty for emulated. */
  setupFlags: readonly string[];
  layout: RingLayout;
  arenaLengthBytes: number;
  /** From the guest's request to its answer, µs. */
  setupUs: number;
}

export interface GuestResult {
  outcome: Outcome;
  /**
   * The exit code that a shell would see: the guest's, 134 trap, 124 deadline, 130 aborted, 2 host
   * failure.
   */
  exitCode: number;
  /** null when the guest never set a ring up. */
  ring: RingReport | null;
  stats: EngineStats | null;
  /** Every device that was asked for, and how it was served. */
  devices: readonly DeviceReport[];
  /**
   * One sentence for each set-up request that was refused, with the reason that the guest only got
   * as an errno.
   */
  setupErrors: readonly string[];
  /** Captured output; empty unless asked for. */
  stdout: Uint8Array;
  stderr: Uint8Array;
  /** From the start of the guest's code to its end, ms. */
  elapsedMs: number;
  /** CPU time of the whole process meanwhile, µs: user and system, an SQPOLL thread included. */
  cpuUs: number;
}
