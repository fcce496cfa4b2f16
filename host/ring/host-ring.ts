/**
 * A kernel ring of the host's own: mapped into host-private memory, never shown to a guest. The one behind a mirrored
 * ring, and the one of the `io_uring` back end of a virtual disk. Submission and completion in plain words; nothing
 * here allocates after construction.
 */
import {
  Cqe,
  CqFlag,
  CqOffset,
  Errno,
  MmapOffset,
  Params,
  SetupFlag,
  Sqe,
  SqFlag,
  SqOffset,
} from "../abi";
import { WasmUringError } from "../errors";
import type { Syscalls } from "../ffi/syscalls";
import type { NativeMapping } from "./engine";
import type { GuestRing } from "./guest-ring";
import { memlockError } from "./relocate";
import { SQE_WORDS } from "./sqe-word";

const PROT_READ_WRITE = 3;
const MAP_SHARED_POPULATE = 0x1 | 0x8000;

export interface HostRingSize {
  sqEntries: number;
  cqEntries: number;
}

export interface HostRingFlags {
  required: number;
  /** Sets to try in turn, the best first: they only make the ring faster. */
  optional: readonly number[];
}

/**
 * Of a ring that shall be confined before it starts. Without SUBMIT_ALL (5.18) a refused SQE would end the
 * submission.
 */
export const CONFINED: HostRingFlags = {
  required: SetupFlag.R_DISABLED | SetupFlag.CQSIZE | SetupFlag.SUBMIT_ALL,
  optional: [SetupFlag.NO_SQARRAY | SetupFlag.COOP_TASKRUN, SetupFlag.COOP_TASKRUN, 0],
};

const EMPTY = new Int32Array(0);
const CQE_WORDS = Cqe.SIZE / 4;

/**
 * io_uring_setup(2) with the newest flags that this kernel takes.
 *
 * @returns the ring, or a positive errno
 */
function setup(
  syscalls: Syscalls,
  size: HostRingSize,
  flags: HostRingFlags,
): { fd: number; params: DataView } | number {
  let errno = 0;
  for (const optional of flags.optional) {
    const params = new DataView(new ArrayBuffer(Params.SIZE));
    params.setUint32(Params.CQ_ENTRIES, size.cqEntries, true);
    params.setUint32(Params.FLAGS, flags.required | optional, true);
    const fd = syscalls.ioUringSetup(size.sqEntries, new Uint8Array(params.buffer));
    if (fd >= 0) return { fd, params };
    errno = -fd;
    if (errno !== Errno.EINVAL) break;
  }
  return errno;
}

export class HostRing {
  readonly fd: number;
  /** SetupFlag bits that the kernel accepted. */
  readonly flags: number;
  /** The SQEs, as words. */
  sqes = EMPTY;
  readonly #syscalls: Syscalls;
  readonly #mappings: NativeMapping[] = [];
  readonly #sqMask: number;
  readonly #cqMask: number;
  readonly #sqTailAt: number;
  readonly #sqFlagsAt: number;
  readonly #cqHeadAt: number;
  readonly #cqTailAt: number;
  readonly #cqFlagsAt: number;
  readonly #cqesAt: number;
  #words = EMPTY;
  #sqTail = 0;
  #cqHead = 0;

  private constructor(syscalls: Syscalls, fd: number, params: DataView) {
    this.fd = fd;
    this.#syscalls = syscalls;
    const sq = (field: number) => params.getUint32(Params.SQ_OFF + field, true);
    const cq = (field: number) => params.getUint32(Params.CQ_OFF + field, true);
    const sqEntries = params.getUint32(Params.SQ_ENTRIES, true);
    const cqEntries = params.getUint32(Params.CQ_ENTRIES, true);
    this.flags = params.getUint32(Params.FLAGS, true);
    this.#sqMask = sqEntries - 1;
    this.#cqMask = cqEntries - 1;
    this.#sqTailAt = sq(SqOffset.TAIL) >>> 2;
    this.#sqFlagsAt = sq(SqOffset.FLAGS) >>> 2;
    this.#cqHeadAt = cq(CqOffset.HEAD) >>> 2;
    this.#cqTailAt = cq(CqOffset.TAIL) >>> 2;
    this.#cqFlagsAt = cq(CqOffset.FLAGS) >>> 2;
    this.#cqesAt = cq(CqOffset.CQES) >>> 2;
    const hasArray = (this.flags & SetupFlag.NO_SQARRAY) === 0;
    const arrayEnd = hasArray ? sq(SqOffset.ARRAY) + sqEntries * 4 : 0;
    const ringLength = Math.max(cq(CqOffset.CQES) + cqEntries * Cqe.SIZE, arrayEnd);
    this.#words = this.#map("SQ and CQ", MmapOffset.SQ_RING, ringLength);
    this.sqes = this.#map("SQEs", MmapOffset.SQES, sqEntries * Sqe.SIZE);
    if (!hasArray) return;
    const array = sq(SqOffset.ARRAY) >>> 2;
    for (let index = 0; index < sqEntries; index++) this.#words[array + index] = index;
  }

  /**
   * @returns the ring, without files and by default disabled, or the errno with which the kernel refused to
   *   make one
   * @throws WasmUringError ERR_MEMLOCK or ERR_SETUP; nothing is left behind
   */
  static create(
    syscalls: Syscalls,
    size: HostRingSize,
    flags: HostRingFlags = CONFINED,
  ): HostRing | number {
    const made = setup(syscalls, size, flags);
    if (made === Errno.ENOMEM) {
      throw memlockError(syscalls, `creating a ring of ${size.sqEntries} entries`);
    }
    if (typeof made === "number") return made;
    try {
      return new HostRing(syscalls, made.fd, made.params);
    } catch (error) {
      syscalls.close(made.fd);
      throw error;
    }
  }

  get mappings(): readonly NativeMapping[] {
    return this.#mappings;
  }

  /** Index into `sqes` of the SQE that is `ahead` places behind the last submitted one. */
  sqeAt(ahead: number): number {
    return ((this.#sqTail + ahead) & this.#sqMask) * SQE_WORDS;
  }

  /** Publishes `count` SQEs that were written at `sqeAt(0 ...)`. */
  publish(count: number): void {
    this.#sqTail = (this.#sqTail + count) | 0;
    // Release: pairs with the kernel's acquire load of the SQ tail in io_uring_enter.
    Atomics.store(this.#words, this.#sqTailAt, this.#sqTail);
  }

  /**
   * Takes back the last `count` SQEs, which the kernel did not consume. Only between two enters.
   */
  retract(count: number): void {
    this.publish(-count);
  }

  /** Whether the kernel keeps CQEs that found no room here. */
  overflows(): boolean {
    // Pairs with the kernel's atomic_or when it put a CQE on its overflow list.
    return (Atomics.load(this.#words, this.#sqFlagsAt) & SqFlag.CQ_OVERFLOW) !== 0;
  }

  /** Whether completions wait for an enter: found no room here, or (SetupFlag.TASKRUN_FLAG) are not posted yet. */
  needsEnter(): boolean {
    // Pairs with the kernel's atomic_or, as above.
    const flags = Atomics.load(this.#words, this.#sqFlagsAt);
    return (flags & (SqFlag.CQ_OVERFLOW | SqFlag.TASKRUN)) !== 0;
  }

  /** Whether CQEs are to signal the eventfd that is registered on this ring. */
  muteEvents(muted: boolean): void {
    // Pairs with the kernel's load before it signals; the caller looks for CQEs after unmuting.
    Atomics.store(this.#words, this.#cqFlagsAt, muted ? CqFlag.EVENTFD_DISABLED : 0);
  }

  /** The words that `cqeAt` indexes. */
  get words(): Int32Array {
    return this.#words;
  }

  /** The CQ's tail: the CQEs from `cqHead` up to it can be read. */
  cqTail(): number {
    // Acquire: pairs with the kernel's release store of the CQ tail after it wrote the CQEs.
    return Atomics.load(this.#words, this.#cqTailAt);
  }

  get cqHead(): number {
    return this.#cqHead;
  }

  /** Index into `words` of the CQE with this free-running index. */
  cqeAt(index: number): number {
    return this.#cqesAt + (index & this.#cqMask) * CQE_WORDS;
  }

  /** Gives the CQEs before `head` back to the kernel. */
  release(head: number): void {
    this.#cqHead = head;
    // Release: pairs with the kernel's load of the CQ head before it overwrites a CQE.
    Atomics.store(this.#words, this.#cqHeadAt, head);
  }

  /** Whether CQEs lie here that were not moved. */
  hasCompletions(): boolean {
    // Acquire: pairs with the kernel's release store of the CQ tail after it wrote the CQEs.
    return Atomics.load(this.#words, this.#cqTailAt) !== this.#cqHead;
  }

  /** Moves CQEs to the guest's queue as far as there is room. @returns how many */
  moveTo(ring: GuestRing): number {
    const words = this.#words;
    const tail = Atomics.load(words, this.#cqTailAt);
    let head = this.#cqHead;
    while (head !== tail) {
      const at = this.#cqesAt + (head & this.#cqMask) * CQE_WORDS;
      if (!ring.post(words[at] ?? 0, words[at + 1] ?? 0, words[at + 2] ?? 0, words[at + 3] ?? 0))
        break;
      head = (head + 1) | 0;
    }
    const moved = (head - this.#cqHead) >>> 0;
    this.#cqHead = head;
    // Release: pairs with the kernel's load of the CQ head before it overwrites a CQE.
    if (moved > 0) Atomics.store(words, this.#cqHeadAt, head);
    return moved;
  }

  /** The next CQE's result, for the self-test; undefined when there is none. */
  takeResult(): number | undefined {
    if (!this.hasCompletions()) return undefined;
    const at = this.#cqesAt + (this.#cqHead & this.#cqMask) * CQE_WORDS;
    const result = this.#words[at + 2];
    this.#cqHead = (this.#cqHead + 1) | 0;
    Atomics.store(this.#words, this.#cqHeadAt, this.#cqHead);
    return result;
  }

  /** Unmaps the ring. Its descriptor has been closed. */
  unmap(): void {
    this.#words = EMPTY;
    this.sqes = EMPTY;
    for (const { address, length } of this.#mappings.splice(0))
      this.#syscalls.munmap(address, length);
  }

  #map(what: string, offset: number, length: number): Int32Array<ArrayBuffer> {
    const address = this.#syscalls.mmap(
      0n,
      length,
      PROT_READ_WRITE,
      MAP_SHARED_POPULATE,
      this.fd,
      offset,
    );
    if (address < 0n) {
      this.unmap();
      throw new WasmUringError("ERR_SETUP", {
        what: `mapping the ${what} of the host's ring, ${length} bytes`,
        why: Errno[Number(-address)] ?? `errno ${-address}`,
        likelyCause: "address space is limited (ulimit -v)",
        syscall: "mmap",
        errno: Number(-address),
      });
    }
    this.#mappings.push({ address, length });
    return new Int32Array(this.#syscalls.viewOf(address, length), 0, length >>> 2);
  }
}
