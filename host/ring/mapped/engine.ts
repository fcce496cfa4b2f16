/**
 * The `mapped` engine: the kernel itself consumes the rings in the guest's memory. After set-up the host's only part
 * is io_uring_enter on the guest's behalf, and under SQPOLL not even that.
 */
import { EnterFlag, Errno, SetupFlag, Sqe } from "../../abi";
import type { Syscalls } from "../../ffi/syscalls";
import type { GuestMemory } from "../../memory/guest-memory";
import { memoryMovedError } from "../../memory/guest-memory";
import type { EngineContext, EngineStats, RingEngine, RingLayout } from "../engine";
import { registerEventfd, unregisterEventfd, unregisterRingFd } from "../register";
import { registerArena } from "../relocate";
import { closeRing } from "./close";
import type { KernelRing } from "./create";
import { Enter, firstSliceUs } from "./enter";

/** What a guest may say in enter's flags. Not SQ_WAIT: it waits without end on words that the guest writes. */
const GUEST_FLAGS = EnterFlag.GETEVENTS | EnterFlag.SQ_WAKEUP;

/** After a wrong guess, every so many-th enter tries again whether operations complete inline. */
const INLINE_RETRY_CALLS = 64;

/** What set-up came to. */
export interface MappedTerms {
  layout: RingLayout;
  opcodes: readonly number[];
  personalities: ReadonlyMap<string, number>;
}

export class MappedEngine implements RingEngine {
  readonly name = "mapped";
  readonly layout: RingLayout;
  readonly ringFd: number;
  readonly mappings = []; // its pages are the guest's
  readonly opcodes: readonly number[];
  readonly personalities: ReadonlyMap<string, number>;
  readonly #syscalls: Syscalls;
  readonly #memory: GuestMemory;
  readonly #base: bigint;
  readonly #enter: Enter;
  readonly #sqpoll: boolean;
  readonly #registeredIndex: number;
  readonly #unwind: () => void;
  readonly #ready: () => boolean;
  #words: Int32Array;
  #minComplete = 0;
  #inline = true;
  #sinceTry = 0;
  #enterCalls = 0;
  #submitted = 0;
  #closed = false;

  /**
   * @param registeredIndex the ring's index among this thread's registered rings, -1 when there is none
   * @param unwind undoes the placement after the ring is closed
   */
  constructor(
    context: EngineContext,
    ring: KernelRing,
    terms: MappedTerms,
    registeredIndex: number,
    unwind: () => void,
  ) {
    this.layout = terms.layout;
    this.opcodes = terms.opcodes;
    this.personalities = terms.personalities;
    this.ringFd = ring.fd;
    this.#syscalls = context.syscalls;
    this.#memory = context.memory;
    this.#base = context.memory.baseAddress(context.syscalls);
    this.#words = context.memory.words;
    this.#sqpoll = (ring.flags & SetupFlag.SQPOLL) !== 0;
    this.#registeredIndex = registeredIndex;
    this.#unwind = unwind;
    this.#ready = () => this.#completed() >= this.#minComplete;
    const registered = registeredIndex >= 0;
    this.#enter = new Enter(
      context.syscalls,
      registered ? registeredIndex : ring.fd,
      registered ? EnterFlag.REGISTERED_RING : 0,
      context.stop,
      (ring.flags & SetupFlag.IOPOLL) !== 0,
    );
  }

  enter(toSubmit: number, minComplete: number, flags: number, timeoutUs: number): number {
    this.#enterCalls++;
    if (this.#closed) return -Errno.EBADF;
    if ((flags & ~GUEST_FLAGS) !== 0) return -Errno.EINVAL;
    if (this.#words.length === 0) this.#refresh();
    // More than the ring holds is a lie; as a count of SQEs handed over it would read as an errno.
    const { sqEntries } = this.layout;
    const count = Math.min(toSubmit >>> 0, sqEntries);
    const wanted = minComplete >>> 0;
    if (wanted === 0) {
      // The kernel thread submits; a call is needed only to wake it or to flush overflow.
      if (this.#sqpoll && flags === 0) return count;
      const result = this.#enter.submit(count, flags);
      if (result > 0) this.#submitted += result;
      return result;
    }
    const minimum = Math.min(wanted, this.layout.cqEntries);
    if (count === 0 || !this.#expectInline())
      return this.#submitAndWait(count, minimum, flags, timeoutUs);
    const result = this.#enter.submit(count, flags & ~EnterFlag.GETEVENTS);
    if (result < 0) return result;
    this.#submitted += result;
    this.#inline = this.#completed() >= minimum;
    // Fewer than asked were taken (no memory): what the guest waits for may not be among them.
    if (this.#inline || (result !== count && !this.#sqpoll)) return result;
    const waited = this.#submitAndWait(0, minimum, flags, timeoutUs);
    return waited === -Errno.EINTR ? waited : result;
  }

  stats(): EngineStats {
    const words = this.#memory.words;
    const completed = Atomics.load(words, this.layout.cqTail >>> 2) >>> 0;
    const head = Atomics.load(words, this.layout.sqHead >>> 2) >>> 0;
    return {
      enterCalls: this.#enterCalls,
      enterSyscalls: this.#enter.syscallCount,
      submitted: this.#sqpoll ? head - SELF_TEST_OPERATIONS : this.#submitted,
      completed: completed - SELF_TEST_OPERATIONS,
      denied: null,
    };
  }

  addArena(index: number, offset: number, length: number): void {
    if (this.#words.length === 0) this.#refresh();
    const address = this.#base + BigInt(offset);
    registerArena(this.#syscalls, this.ringFd, address, offset, length, index);
  }

  signalTo(eventFd: number): boolean {
    unregisterEventfd(this.#syscalls, this.ringFd);
    registerEventfd(this.#syscalls, this.ringFd, eventFd);
    return true;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    // The kernel thread consumes what a hostile tail published until the ring is gone: opcode 0 is denied.
    if (this.#sqpoll) this.#clearSqes();
    unregisterRingFd(this.#syscalls, this.ringFd, this.#registeredIndex);
    closeRing(this.#syscalls, this.ringFd);
    this.#unwind();
  }

  #clearSqes(): void {
    const { sqes, sqEntries } = this.layout;
    this.#memory.bytes.fill(0, sqes, sqes + sqEntries * Sqe.SIZE);
  }

  /**
   * Whether to submit without asking to wait. Operations that complete while they are submitted (page cache) need no
   * wait, and a call without one is some 50 ns shorter; when the last try was wrong it is only repeated now and then.
   */
  #expectInline(): boolean {
    if (this.#inline) return true;
    this.#sinceTry = (this.#sinceTry + 1) % INLINE_RETRY_CALLS;
    return this.#sinceTry === 0;
  }

  #submitAndWait(count: number, minimum: number, flags: number, timeoutUs: number): number {
    const result = this.#enter.submitAndWait(count, minimum, flags, firstSliceUs(timeoutUs));
    if (result > 0) this.#submitted += result;
    if (this.#completed() >= minimum) return result < 0 ? 0 : result;
    if (result < 0 && result !== -Errno.ETIME && result !== -Errno.EINTR) return result;
    if (result >= 0 && result !== count && !this.#sqpoll) return result;
    return this.#waitOn(result, minimum, flags, timeoutUs);
  }

  /** The rest of a wait whose first slice did not suffice. */
  #waitOn(result: number, minimum: number, flags: number, timeoutUs: number): number {
    this.#minComplete = minimum;
    // A polled ring has not waited: the kernel heeds no timeout there.
    const spentUs = this.#enter.polled ? 0 : firstSliceUs(timeoutUs);
    const left = timeoutUs < 0 ? -1 : Math.max(0, timeoutUs - spentUs);
    const waited = this.#enter.waitInSlices(this.#ready, minimum, flags, left);
    if (result > 0 && waited !== -Errno.EINTR) return result;
    return waited;
  }

  /** What lies in the CQ by the guest's own words: a lie only ends or prolongs the liar's wait. */
  #completed(): number {
    const tail = this.#words[this.layout.cqTail >>> 2] ?? 0;
    const head = this.#words[this.layout.cqHead >>> 2] ?? 0;
    return (tail - head) >>> 0;
  }

  /** The memory grew: its old view is detached. The base must be where the kernel pinned it. */
  #refresh(): void {
    const base = this.#memory.baseAddress(this.#syscalls);
    // The views stay detached: every later enter comes here too. Who owns the ring closes it, at the guest's end.
    if (base !== this.#base) throw memoryMovedError(this.#base, base);
    this.#words = this.#memory.words;
  }
}

/** The two denied operations of the self-test are not the guest's. */
const SELF_TEST_OPERATIONS = 2;
