/**
 * The producer/consumer core: one submission and one completion ring that the kernel (or the host, on the other
 * engines) shares with this guest. The guest produces SQEs and consumes CQEs; all memory order is in the atomics
 * below, each of which names its partner in the kernel (io_uring/io_uring.c). Nothing here allocates after `create`.
 *
 *   SQ:  head --(consumed by the kernel)--> ... submittedTail ... preparedTail   (prepared, not yet published)
 *   CQ:  head (ours) ... tail (the kernel's)
 */
import { EnterFlag, Limits, RingMode, SetupRequest, SqFlag, Sqe, Cqe, ABI_VERSION } from "./abi";
import { Arena } from "./arena";
import { uringEnter, uringQuery, uringSetup } from "./host";
import { alignUp, ringBytes, sqesBytes } from "./ring-size";

/** Some 20 µs: longer than a read from the page cache, shorter than one from a disk, which is worth a call. */
const SPIN_LOOKS = 4096;

/** The ring of this guest; one instance for the life of the program. */
export class Ring {
  /** The window where all I/O lands. */
  arena!: Arena;
  /** Bits of RingMode. */
  mode: u32 = 0;
  sqEntries: u32 = 0;
  cqEntries: u32 = 0;
  /** Calls of the enter import so far: what leaves the sandbox. */
  enterCalls: u32 = 0;

  private sqHeadPointer: usize = 0;
  private sqTailPointer: usize = 0;
  private sqFlagsPointer: usize = 0;
  private sqes: usize = 0;
  private cqHeadPointer: usize = 0;
  private cqTailPointer: usize = 0;
  private cqOverflowPointer: usize = 0;
  private cqes: usize = 0;
  private sqMask: u32 = 0;
  private cqMask: u32 = 0;
  /** SQEs handed out by getSqe. */
  private preparedTail: u32 = 0;
  /** SQEs that the kernel may see. */
  private publishedTail: u32 = 0;
  /** SQEs that enter has taken; under SQPOLL equal to publishedTail. */
  private submittedTail: u32 = 0;
  /** Our copy of the CQ head, so that only `advance` writes shared memory. */
  private cqHead: u32 = 0;

  /**
   * Allocates the rings and an arena of `arenaBytes` (rounded up to pages) and has the host build the ring there.
   *
   * @param entries SQ entries, a power of two; 0 takes what the host recommends
   * @returns 0, or a negated errno: the host's log says why
   */
  setup(arenaBytes: u32, entries: u32 = 0): i32 {
    const scratch = heap.alloc(SetupRequest.SIZE + Limits.SIZE);
    const limits = scratch + SetupRequest.SIZE;
    let result = uringQuery(limits);
    if (result < 0) {
      heap.free(scratch);
      return result;
    }
    const page: usize = load<u32>(limits, Limits.PAGE_SIZE);
    if (entries == 0) entries = load<u32>(limits, Limits.SQ_ENTRIES);
    const cqEntries = entries * 2;
    const ringLength = alignUp(ringBytes(entries, cqEntries), page);
    const sqesLength = alignUp(sqesBytes(entries), page);
    const arenaLength = alignUp(arenaBytes, page);
    // One block, never freed while the ring lives: the kernel has its pages pinned.
    const allocated = heap.alloc(ringLength + sqesLength + arenaLength + page);
    const block = alignUp(allocated, page);

    memory.fill(scratch, 0, SetupRequest.SIZE);
    store<u32>(scratch, ABI_VERSION, SetupRequest.ABI_VERSION);
    store<u32>(scratch, entries, SetupRequest.SQ_ENTRIES);
    store<u32>(scratch, cqEntries, SetupRequest.CQ_ENTRIES);
    store<u32>(scratch, <u32>block, SetupRequest.RING_OFFSET);
    store<u32>(scratch, <u32>ringLength, SetupRequest.RING_LENGTH);
    store<u32>(scratch, <u32>(block + ringLength), SetupRequest.SQES_OFFSET);
    store<u32>(scratch, <u32>sqesLength, SetupRequest.SQES_LENGTH);
    store<u32>(scratch, <u32>(block + ringLength + sqesLength), SetupRequest.ARENA_OFFSET);
    store<u32>(scratch, <u32>arenaLength, SetupRequest.ARENA_LENGTH);
    result = uringSetup(scratch);
    if (result == 0) {
      this.arena = new Arena(block + ringLength + sqesLength, <u32>arenaLength);
      this.adopt(scratch);
    } else {
      heap.free(allocated);
    }
    heap.free(scratch);
    return result;
  }

  /** Like `setup`, ends the program when the host refuses. */
  static create(arenaBytes: u32, entries: u32 = 0): Ring {
    const ring = new Ring();
    const result = ring.setup(arenaBytes, entries);
    if (result < 0) abort("uring.setup refused: errno " + (-result).toString());
    return ring;
  }

  /** Takes the pointers from the host's reply. */
  private adopt(reply: usize): void {
    this.mode = load<u32>(reply, SetupRequest.MODE);
    this.sqHeadPointer = load<u32>(reply, SetupRequest.SQ_HEAD);
    this.sqTailPointer = load<u32>(reply, SetupRequest.SQ_TAIL);
    this.sqFlagsPointer = load<u32>(reply, SetupRequest.SQ_FLAGS);
    this.sqes = load<u32>(reply, SetupRequest.SQES);
    this.cqHeadPointer = load<u32>(reply, SetupRequest.CQ_HEAD);
    this.cqTailPointer = load<u32>(reply, SetupRequest.CQ_TAIL);
    this.cqOverflowPointer = load<u32>(reply, SetupRequest.CQ_OVERFLOW);
    this.cqes = load<u32>(reply, SetupRequest.CQES);
    this.sqEntries = load<u32>(reply, SetupRequest.SQ_ENTRIES_ACTUAL);
    this.cqEntries = load<u32>(reply, SetupRequest.CQ_ENTRIES_ACTUAL);
    this.sqMask = this.sqEntries - 1;
    this.cqMask = this.cqEntries - 1;
    // The host's self-test moved the indices: begin where they are.
    const tail = atomic.load<u32>(this.sqTailPointer);
    this.preparedTail = tail;
    this.publishedTail = tail;
    this.submittedTail = tail;
    this.cqHead = atomic.load<u32>(this.cqHeadPointer);
    this.fillSqArray(load<u32>(reply, SetupRequest.SQ_ARRAY));
  }

  /** Kernels before 6.6 read SQE indices from an array: identity, written once. */
  private fillSqArray(array: usize): void {
    if (array == 0) return;
    for (let index: u32 = 0; index < this.sqEntries; index++) {
      store<u32>(array + (<usize>index << 2), index);
    }
  }

  /** Whether a kernel thread consumes the SQ. */
  @inline get isPolled(): bool {
    return (this.mode & RingMode.SQPOLL) != 0;
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
    if (this.submitAndWait(1, timeoutUs) < 0 && this.cqReady() == 0) return 0;
    cqe = this.peekCqe();
    return cqe;
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
