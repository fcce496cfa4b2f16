/**
 * The kernel ring behind a mirrored one: made by the host, mapped into host-private memory, never
 * shown to the guest. Submission and completion in plain words; nothing here allocates after
 * construction.
 */
import {
  Cqe,
  CqOffset,
  Errno,
  MmapOffset,
  Params,
  SetupFlag,
  Sqe,
  SqFlag,
  SqOffset,
} from "../../abi";
import { WasmUringError } from "../../errors";
import type { Syscalls } from "../../ffi/syscalls";
import type { CheckedRequest, NativeMapping } from "../engine";
import type { GuestRing } from "../guest-ring";
import { memlockError } from "../relocate";
import { SQE_WORDS } from "../sqe-word";

const PROT_READ_WRITE = 3;
const MAP_SHARED_POPULATE = 0x1 | 0x8000;

/**
 * Without SUBMIT_ALL (5.18) a refused SQE would end the submission; without the rest the ring is
 * only slower.
 */
const REQUIRED_FLAGS = SetupFlag.R_DISABLED | SetupFlag.CQSIZE | SetupFlag.SUBMIT_ALL;
const OPTIONAL_FLAGS = [SetupFlag.NO_SQARRAY | SetupFlag.COOP_TASKRUN, SetupFlag.COOP_TASKRUN, 0];

const EMPTY = new Int32Array(0);

/**
 * io_uring_setup(2) with the newest flags that this kernel takes.
 *
 * @returns the ring, or a positive errno
 */
function setup(
  syscalls: Syscalls,
  request: CheckedRequest,
): { fd: number; params: DataView } | number {
  let errno = 0;
  for (const optional of OPTIONAL_FLAGS) {
    const params = new DataView(new ArrayBuffer(Params.SIZE));
    params.setUint32(Params.CQ_ENTRIES, request.cqEntries, true);
    params.setUint32(Params.FLAGS, REQUIRED_FLAGS | optional, true);
    const fd = syscalls.ioUringSetup(request.sqEntries, new Uint8Array(params.buffer));
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
   * @returns the ring, disabled and without files, or the errno with which the kernel refused to
   *   make one
   * @throws WasmUringError ERR_MEMLOCK or ERR_SETUP; nothing is left behind
   */
  static create(syscalls: Syscalls, request: CheckedRequest): HostRing | number {
    const made = setup(syscalls, request);
    if (made === Errno.ENOMEM) {
      throw memlockError(syscalls, `creating a ring of ${request.sqEntries} entries`);
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
      const at = this.#cqesAt + (head & this.#cqMask) * (Cqe.SIZE / 4);
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
    const at = this.#cqesAt + (this.#cqHead & this.#cqMask) * (Cqe.SIZE / 4);
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
