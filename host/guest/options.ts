/**
 * What an embedder says when it makes a guest, and what it gets back when the guest ended. Types only; the checks are
 * in `create.ts`.
 */

import type { WasmUringError } from "../errors";
import type { GrantRequest } from "../grant/request";
import type { PolicyOption } from "../policy";
import type { EngineName, EngineStats, RingLayout, SqpollOptions } from "../ring/engine";

/** Where one of the guest's standard streams goes. */
export type OutputOption = "inherit" | "capture" | "ignore";

export interface GuestOptions {
  /**
   * Grants by name: what the guest asks for with `grant(name)`. Slots are given in the order of the
   * keys. Default: none.
   */
  files?: Readonly<Record<string, GrantRequest>>;
  /**
   * Which opcodes and SQE flags the guest may use. Default: `file-write` when a grant is writable,
   * else `file-read`.
   */
  policy?: PolicyOption;
  /** Default "auto": the ladder of design D2. Any other name is taken or refused, never replaced. */
  engine?: "auto" | EngineName;
  /** Grants a kernel submission thread. `true` is an idle time of 50 ms. Default: enter mode. */
  sqpoll?: boolean | SqpollOptions;
  /** SQ entries recommended to the guest: a power of two, 1 to 32768. Default 64. */
  entries?: number;
  /** Caps of io-wq for this ring: bounded and unbounded workers. Default [2, 2]. */
  ioWorkersMax?: readonly [bounded: number, unbounded: number];
  /**
   * An eventfd(2) that is signalled when completions are posted on the guest's ring (the talk's irqfd). It is
   * duplicated, the embedder keeps its own. The guest may mute it by CqFlag.EVENTFD_DISABLED. Linux only. Default:
   * none.
   */
  eventFd?: number;
  /** argv, the program's name first. Default: the base name of the module's file, or "guest". */
  args?: readonly string[];
  /** Environment. Default: empty. */
  env?: Readonly<Record<string, string>>;
  /** Default "ignore" (end of file at once). */
  stdin?: "inherit" | "ignore" | string | Uint8Array;
  /** Default "inherit". */
  stdout?: OutputOption;
  stderr?: OutputOption;
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
  /** The exit code that a shell would see: the guest's, 134 trap, 124 deadline, 130 aborted, 2 host failure. */
  exitCode: number;
  /** null when the guest never set a ring up. */
  ring: RingReport | null;
  stats: EngineStats | null;
  /** One sentence for each set-up request that was refused, with the reason that the guest only got as an errno. */
  setupErrors: readonly string[];
  /** Captured output; empty unless asked for. */
  stdout: Uint8Array;
  stderr: Uint8Array;
  /** From the start of the guest's code to its end, ms. */
  elapsedMs: number;
  /** CPU time of the whole process meanwhile, µs: user and system, an SQPOLL thread included. */
  cpuUs: number;
}
