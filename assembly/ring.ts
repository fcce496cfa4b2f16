/**
 * The producer/consumer core: one submission and one completion ring that the kernel (or the host, on the other
 * engines) shares with this guest. The guest produces SQEs and consumes CQEs; all memory order is in the atomics
 * below, each of which names its partner in the kernel (io_uring/io_uring.c). Nothing here allocates after `create`.
 *
 *   SQ:  head --(consumed by the kernel)--> ... submittedTail ... preparedTail   (prepared, not yet published)
 *   CQ:  head (ours) ... tail (the kernel's)
 */
import { CqFlag, Cqe, EnterFlag, RingMode, SqFlag, Sqe } from "./abi";
import { Arena } from "./arena";
import { uringEnter } from "./host";
import { RingPlace } from "./ring-place";
import { Spin } from "./spin";

/** Some 20 µs: longer than a read from the page cache, shorter than one from a disk, which is worth a call. */
const SPIN_LOOKS = 4096;

/** The ring of this guest; one instance for the life of the program. */
export class Ring extends RingPlace {
  /**
   * How long `waitCqe` polls before it waits, µs; 0 waits at once. With a kernel thread (`isPolled`) it looks at the CQ,
   * which costs no call; otherwise each look is a call that does not block, because only calls bring completions.
   */
  pollUs: u32 = 0;
  private spin: Spin = new Spin();

  /** Like `setup`, ends the program when the host refuses. */
  static create(arenaBytes: u32, entries: u32 = 0): Ring {
    const ring = new Ring();
    const result = ring.setup(arenaBytes, entries);
    if (result < 0) abort("uring.setup refused: errno " + (-result).toString());
    return ring;
  }

  /** Whether a kernel thread consumes the SQ. */
  @inline get isPolled(): bool {
    return (this.mode & RingMode.SQPOLL) != 0;
  }

  /** SQEs prepared and not yet taken by enter. */
  @inline get unsubmitted(): u32 {
    return this.preparedTail - this.submittedTail;
  }

  /** SQEs that can be prepared now. */
  @inline sqSpace(): u32 {
    // Acquire: pairs with the kernel's store-release of the SQ head in io_commit_sqring(): the SQE may be reused.
    return this.sqEntries - (this.preparedTail - atomic.load<u32>(this.sqHeadPointer));
  }

  /** The next free SQE, to be filled by a `prep` function; 0 when the SQ is full (submit, then try again). */
  @inline getSqe(): usize {
    if (this.sqSpace() == 0) return 0;
    return this.sqes + (<usize>(this.preparedTail++ & this.sqMask) << 6);
  }

  /** Lets the kernel see what was prepared. Needed by itself only under SQPOLL; `submit` includes it. */
  @inline publish(): void {
    if (this.publishedTail == this.preparedTail) return;
    this.publishedTail = this.preparedTail;
    // Release: pairs with the kernel's load-acquire of the SQ tail in io_sqring_entries(): the SQEs are whole.
    // It is sequentially consistent, so that under SQPOLL the later load of the flags cannot pass it.
    atomic.store<u32>(this.sqTailPointer, this.preparedTail);
  }

  /** Publishes and hands over everything prepared. Returns SQEs handed over or a negated errno. */
  submit(): i32 {
    return this.submitAndWait(0);
  }

  /**
   * Publishes, hands over and waits for `minComplete` completions in the CQ. In SQPOLL mode no call is made when there
   * is nothing to wait for and the kernel thread is awake.
   *
   * @param timeoutUs -1 waits without end
   * @returns SQEs handed over or a negated errno (-ETIME: the wait ran out)
   */
  submitAndWait(minComplete: u32, timeoutUs: i32 = -1): i32 {
    this.publish();
    const count = this.publishedTail - this.submittedTail;
    if (this.isPolled) return this.wakeAndWait(count, minComplete, timeoutUs);
    // CQEs that are already there satisfy the wait without a call, unless SQEs must be handed over.
    if (count == 0 && this.cqReady() >= minComplete && minComplete != 0) return 0;
    const flags = minComplete != 0 ? <u32>EnterFlag.GETEVENTS : 0;
    this.enterCalls++;
    const result = uringEnter(count, minComplete, flags, timeoutUs);
    if (result > 0) this.submittedTail += result;
    return result;
  }

  private wakeAndWait(count: u32, minComplete: u32, timeoutUs: i32): i32 {
    this.submittedTail = this.publishedTail;
    let flags: u32 = 0;
    // Pairs with the kernel thread: it sets NEED_WAKEUP, issues a full barrier and looks at the tail once more before
    // it sleeps (io_sq_thread()). Either it sees our tail or we see its flag.
    if ((atomic.load<u32>(this.sqFlagsPointer) & SqFlag.NEED_WAKEUP) != 0) {
      flags |= EnterFlag.SQ_WAKEUP;
    }
    if (flags == 0) this.spinUntil(minComplete);
    if (minComplete != 0 && this.cqReady() < minComplete) flags |= EnterFlag.GETEVENTS;
    if (flags == 0) return count;
    const wanted = (flags & EnterFlag.GETEVENTS) != 0 ? minComplete : 0;
    this.enterCalls++;
    const result = uringEnter(count, wanted, flags, timeoutUs);
    return result < 0 ? result : count;
  }

  /** Completions that can be taken without a call. */
  @inline cqReady(): u32 {
    // Acquire: pairs with the kernel's store-release of the CQ tail in io_commit_cqring(): the CQEs are whole.
    return atomic.load<u32>(this.cqTailPointer) - this.cqHead;
  }

  /**
   * The oldest completion, 0 when there is none. Valid until `advance`. It only looks: without SQPOLL completions of
   * slow operations arrive in `submitAndWait`, `waitCqe` or `collect`.
   */
  @inline peekCqe(): usize {
    if (this.cqReady() == 0) return 0;
    return this.cqes + (<usize>(this.cqHead & this.cqMask) << 4);
  }

  /** The completion `index` places after the oldest; `index` must be below `cqReady()`. Valid until `advance`. */
  @inline cqeAt(index: u32): usize {
    return this.cqes + (<usize>((this.cqHead + index) & this.cqMask) << 4);
  }

  /** The CQE of index 0 in memory; for a reader that keeps its own count, see `cqIndex`. */
  @inline get firstCqe(): usize {
    return this.cqes;
  }

  /** Free-running index of the oldest completion that was not given back. */
  @inline get cqIndex(): u32 {
    return this.cqHead;
  }

  /**
   * Looks at the CQ up to `looks` times, without a call; true as soon as a completion is there. For SQPOLL, where the
   * kernel thread works meanwhile; in enter mode only what is already in flight can arrive.
   */
  @inline spinCqe(looks: u32): bool {
    while (this.cqReady() == 0) {
      if (looks-- == 0) return false;
    }
    return true;
  }

  /** Gives the kernel thread the time of a fast operation before a call is spent on waiting. */
  private spinUntil(minComplete: u32): void {
    for (let look = 0; look < SPIN_LOOKS && this.cqReady() < minComplete; look++) {}
  }

  /** The oldest completion, waiting for it; 0 when the wait ended without one (timeout or error). */
  waitCqe(timeoutUs: i32 = -1): usize {
    let cqe = this.peekCqe();
    if (cqe != 0) return cqe;
    if (this.hasOverflow()) this.flushOverflow();
    if (this.pollUs != 0 && this.pollCqe()) return this.peekCqe();
    if (this.submitAndWait(1, timeoutUs) < 0 && this.cqReady() == 0) return 0;
    cqe = this.peekCqe();
    return cqe;
  }

  /** Hands over what is prepared and polls for `pollUs`; true as soon as a completion is there. */
  private pollCqe(): bool {
    if (this.unsubmitted != 0 && this.submit() < 0) return false;
    for (this.spin.begin(this.pollUs); this.spin.goesOn(); ) {
      if (this.cqReady() != 0) return true;
      if (!this.isPolled && this.flushOverflow() < 0) return false;
    }
    return this.cqReady() != 0;
  }

  /**
   * Asks for no interrupts: no eventfd is signalled and `on_completion` is not called for what completes from now on.
   * For a guest that polls meanwhile.
   */
  disableInterrupts(): void {
    // Pairs with the kernel's load of the flags in io_eventfd_signal(), after it posted the CQE.
    atomic.or<u32>(this.cqFlagsPointer, CqFlag.EVENTFD_DISABLED);
  }

  /**
   * Asks for interrupts again. What completed while they were disabled raises none, so the answer must be looked at:
   * a guest goes to sleep only when it is true.
   *
   * @returns whether the CQ is empty; if not, take what is there first
   */
  enableInterrupts(): bool {
    // The store and the load of the CQ tail in cqReady() are both sequentially consistent: whoever posts a CQE either
    // sees interrupts enabled, or its CQE is seen here.
    atomic.and<u32>(this.cqFlagsPointer, ~<u32>CqFlag.EVENTFD_DISABLED);
    return this.cqReady() == 0 && !this.hasOverflow();
  }

  /** Gives `count` CQEs back to the kernel. */
  @inline advance(count: u32): void {
    this.cqHead += count;
    // Release: pairs with the kernel's load of the CQ head in io_cqe_cache_refill(): we are done reading them.
    atomic.store<u32>(this.cqHeadPointer, this.cqHead);
  }

  /** Whether completions wait outside a full CQ (IORING_SQ_CQ_OVERFLOW). */
  @inline hasOverflow(): bool {
    return (atomic.load<u32>(this.sqFlagsPointer) & SqFlag.CQ_OVERFLOW) != 0;
  }

  /** Has what is complete posted, without waiting. Returns completions that can be taken, or a negated errno. */
  collect(): i32 {
    if (this.isPolled && !this.hasOverflow()) return <i32>this.cqReady();
    const result = this.flushOverflow();
    return result < 0 ? result : <i32>this.cqReady();
  }

  /** Has the kernel move overflowed completions into the CQ; make room by `advance` first. */
  flushOverflow(): i32 {
    this.enterCalls++;
    return uringEnter(0, 0, EnterFlag.GETEVENTS, 0);
  }

  /** Completions that the kernel dropped for want of memory; 0 unless something is very wrong. */
  get dropped(): u32 {
    return atomic.load<u32>(this.cqOverflowPointer);
  }
}

/** user_data of a completion. */
// @ts-ignore: decorator
@inline
export function cqeUserData(cqe: usize): u64 {
  return load<u64>(cqe, Cqe.USER_DATA);
}

/** Result of a completion: as of the system call it stands for, or a negated errno. */
// @ts-ignore: decorator
@inline
export function cqeResult(cqe: usize): i32 {
  return load<i32>(cqe, Cqe.RES);
}

/** Sets flags of a prepared SQE besides FIXED_FILE, for links: `linkSqe(sqe, SqeFlag.IO_LINK)`. */
// @ts-ignore: decorator
@inline
export function addSqeFlags(sqe: usize, flags: u8): void {
  store<u8>(sqe, load<u8>(sqe, Sqe.FLAGS) | flags, Sqe.FLAGS);
}
