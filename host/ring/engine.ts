/**
 * What an engine is: the party that consumes a guest's SQ. `mapped` (the kernel), `mirrored` (the host copies vetted
 * SQEs onto a ring of its own) and `emulated` (the host performs the I/O) are siblings behind this interface, started
 * by `setupRing`, which walks the ladder of design D2.
 */

import type { Syscalls } from "../ffi/syscalls";
import type { GrantSlot } from "../grant/slot";
import type { GuestMemory } from "../memory/guest-memory";
import type { CompiledPolicy } from "../policy";

export type EngineName = "mapped" | "mirrored" | "emulated";

export type { GrantSlot } from "../grant/slot";

/** SQPOLL: how long the kernel's thread spins before it sleeps, and on which CPU (any when absent). */
export interface SqpollOptions {
  idleMs: number;
  cpu?: number;
}

/** Whose rights a request with a personality has: ids of a user, a group and supplementary groups (none by default). */
export interface Credentials {
  uid: number;
  gid: number;
  groups?: readonly number[];
}

/** Everything the host decided about a ring before the guest asks for it. Structured-cloneable. */
export interface RingPlan {
  engine: "auto" | EngineName;
  policy: CompiledPolicy;
  /** The grants at the start. */
  slots: readonly GrantSlot[];
  /** The table of a `SharedSlots` that holds them and what is granted or revoked later. */
  grants?: SharedArrayBuffer;
  sqpoll: SqpollOptions | null;
  /** IORING_SETUP_IOPOLL: the grants' devices are polled for completions. Default false. */
  iopoll?: boolean;
  /** Credentials to be registered with the ring, by name. Default: none. */
  personalities?: Readonly<Record<string, Credentials>>;
  /** The opcodes that this machine's kernel knows; null when it has no io_uring, absent when nobody asked it. */
  kernelOpcodes?: readonly number[] | null;
  /** Recommended to the guest by `query`. */
  entries: number;
  /** Bound on a guest's request. */
  entriesMax: number;
  /** Signalled when completions are posted; a descriptor of this process. */
  eventFd?: number;
  /** For a guest that exports `on_completion`: an eventfd of the host's that wakes it. */
  interruptFd?: number;
  /** Caps of io-wq: [bounded, unbounded] workers. */
  ioWorkersMax: readonly [number, number];
}

/** A guest's set-up request, copied out of its memory once and checked against it. */
export interface CheckedRequest {
  sqEntries: number;
  cqEntries: number;
  ringOffset: number;
  ringLength: number;
  sqesOffset: number;
  sqesLength: number;
  arenaOffset: number;
  arenaLength: number;
}

/** Where the words of a ring lie in linear memory: the reply half of SetupRequest. */
export interface RingLayout {
  mode: number;
  sqHead: number;
  sqTail: number;
  sqFlags: number;
  sqDropped: number;
  sqArray: number;
  sqes: number;
  cqHead: number;
  cqTail: number;
  cqOverflow: number;
  cqFlags: number;
  cqes: number;
  sqEntries: number;
  cqEntries: number;
}

/**
 * Lets a wait end early: the guest's deadline passed or the embedder aborted. Read between waits of
 * at most SLICE_MS.
 */
export interface StopSignal {
  stopped(): boolean;
}

/** The longest that an engine waits in one system call before it looks at the stop signal. */
export const SLICE_MS = 50;

export interface EngineStats {
  /** Calls of the guest's enter import, and of the host's while the guest is idle and waits to be woken. */
  enterCalls: number;
  /** io_uring_enter system calls made for them (0 for emulated). */
  enterSyscalls: number;
  /** SQEs consumed through enter; under SQPOLL those the kernel thread took are read from the SQ head. */
  submitted: number;
  completed: number;
  /** SQEs refused by policy, as far as the engine sees them (mapped: the kernel does not tell; null). */
  denied: number | null;
}

/** A range of this process's address space. */
export interface NativeMapping {
  address: bigint;
  length: number;
}

export interface RingEngine {
  readonly name: EngineName;
  readonly layout: RingLayout;
  /** The ring's descriptor, -1 when there is none. */
  readonly ringFd: number;
  /**
   * The engine's own mappings in this process; for whoever closes `ringFd` because the engine's thread was ended, to
   * unmap. They keep the ring alive.
   */
  readonly mappings: readonly NativeMapping[];
  /** The policy's opcodes that can be carried out here, ascending. */
  readonly opcodes: readonly number[];
  /** Ids of the registered personalities, by name. */
  readonly personalities: ReadonlyMap<string, number>;
  /**
   * io_uring_enter for the guest: hands `toSubmit` SQEs over and waits for `minComplete` CQEs, at most `timeoutUs`
   * (-1: no end). Never throws for what the guest did; returns SQEs consumed or a negated errno (-ETIME when a wait
   * ran out, -EINTR when stopped). Does not allocate.
   */
  enter(toSubmit: number, minComplete: number, flags: number, timeoutUs: number): number;
  stats(): EngineStats;
  /**
   * Registers a range of memory, checked to be whole pages that belong to nothing else, as fixed buffer `index`, which
   * is free.
   *
   * @throws WasmUringError when the environment refuses; nothing has changed then
   */
  addArena(index: number, offset: number, length: number): void;
  /**
   * Has the ring signal `eventFd` from now on, in place of the plan's.
   *
   * @returns false when the engine has no ring that could: what is in flight goes on inside `enter` alone
   */
  signalTo(eventFd: number): boolean;
  /**
   * Ordered teardown (design D6): cancel all and wait, unregister, close. After it the memory may
   * be reused. Idempotent.
   */
  close(): void;
}

/** What an engine gets to start with. */
export interface EngineContext {
  memory: GuestMemory;
  syscalls: Syscalls;
  request: CheckedRequest;
  plan: RingPlan;
  stop: StopSignal;
}
