/**
 * How this guest comes to its ring: memory for the rings and the arena by this language's allocator, the request to the
 * host, and where in memory the words of the rings lie by the host's reply. What is done with them is in ring.ts.
 */
import { ABI_VERSION, Limits, SetupRequest } from "./abi";
import { Arena } from "./arena";
import { uringArena, uringQuery, uringSetup } from "./host";
import { alignUp, ringBytes, sqesBytes } from "./ring-size";

/** What wasm itself aligns memory to; a multiple of every page size of Linux. */
const WASM_PAGE_BYTES: usize = 65536;

export class RingPlace {
  /** The window where all I/O lands. */
  arena!: Arena;
  /** Bits of RingMode. */
  mode: u32 = 0;
  sqEntries: u32 = 0;
  cqEntries: u32 = 0;
  /** Why `addArena` gave none, a negated errno. */
  arenaError: i32 = 0;
  /** Calls of the enter import so far: what leaves the sandbox. */
  enterCalls: u32 = 0;

  protected sqHeadPointer: usize = 0;
  protected sqTailPointer: usize = 0;
  protected sqFlagsPointer: usize = 0;
  protected sqes: usize = 0;
  protected cqHeadPointer: usize = 0;
  protected cqTailPointer: usize = 0;
  protected cqOverflowPointer: usize = 0;
  protected cqFlagsPointer: usize = 0;
  protected cqes: usize = 0;
  protected sqMask: u32 = 0;
  protected cqMask: u32 = 0;
  /** SQEs handed out by getSqe. */
  protected preparedTail: u32 = 0;
  /** SQEs that the kernel may see. */
  protected publishedTail: u32 = 0;
  /** SQEs that enter has taken; under SQPOLL equal to publishedTail. */
  protected submittedTail: u32 = 0;
  /** Our copy of the CQ head, so that only `advance` writes shared memory. */
  protected cqHead: u32 = 0;

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

  /**
   * Registers another arena of `arenaBytes` (rounded up to pages), in memory that is allocated for it: the guest grew, or
   * needs buffers apart. Requests on it carry its index: `useArena`.
   *
   * @param index 1 to ARENAS_MAX - 1, each once; 0 is the arena of `setup`
   * @returns the arena, or null: then `arenaError` is a negated errno and the host's log says why
   */
  addArena(arenaBytes: u32, index: u16): Arena | null {
    const length = alignUp(arenaBytes, WASM_PAGE_BYTES);
    const allocated = heap.alloc(length + WASM_PAGE_BYTES);
    const start = alignUp(allocated, WASM_PAGE_BYTES);
    this.arenaError = uringArena(start, <u32>length, index);
    if (this.arenaError == 0) return new Arena(start, <u32>length, index);
    heap.free(allocated);
    return null;
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
    this.cqFlagsPointer = load<u32>(reply, SetupRequest.CQ_FLAGS);
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
}
