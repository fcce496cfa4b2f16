/**
 * What performs a virtual disk's I/O: `threads`, `native` (Linux AIO) and `io_uring`, under QEMU's names, and `ram`.
 * Siblings behind this interface, with one conformance suite. A back end belongs to the thread that made it; nothing
 * in prepare, submit and reap allocates per request.
 */
import type { PoolHandle } from "./pool-layout";

/** QEMU's names for a disk's back end. */
export type AioName = "threads" | "native" | "io_uring";

export const enum BlockOperation {
  READ = 0,
  WRITE = 1,
  FLUSH = 2,
  DISCARD = 3,
  WRITE_ZEROES = 4,
}

/** Filled by `reap`: which requests are complete and what came of them. Made once, reused. */
export interface Completions {
  tags: Int32Array;
  /**
   * Bytes moved (READ and WRITE; fewer than asked for at the file's end or where the file system is full), 0 (the
   * others), or a negated errno.
   */
  results: Int32Array;
}

/**
 * What a back end leaves behind when its thread is killed. Structured-cloneable, so that the thread can hand it over
 * when it opened the back end; `closeRemains` gives it back.
 */
export interface BackendRemains {
  readonly name: AioName | "ram";
  /** Descriptors to close. */
  readonly descriptors: readonly number[];
  readonly mappings: readonly { address: number; length: number }[];
  /** The ring on which requests may be in flight, also to be closed; -1 when there is none. */
  readonly ringFd: number;
  /** Linux AIO's context, 0 when there is none. */
  readonly context: number;
  /** The pool whose workers may be at requests of this back end. */
  readonly pool: PoolHandle | null;
}

export interface BlockBackend {
  readonly name: AioName | "ram";
  /** Requests that may be in flight; tags are 0 .. depth-1. */
  readonly depth: number;
  /**
   * Becomes readable, once `arm` was called, when completions wait to be reaped; -1 when every request is complete
   * after `submit`. Owned by the back end; a non-blocking eventfd that nobody else reads.
   */
  readonly eventFd: number;
  /**
   * Queues one request.
   *
   * @param offset in bytes, a multiple of 512
   * @param vectorsAddress native address of an array of struct iovec, which stays as it is until completion; unused for
   *   FLUSH, DISCARD and WRITE_ZEROES
   * @param vectorCount 1 to 1024 (IOV_MAX)
   * @param lengthBytes of all vectors together, or of the range to discard or zero
   * @param unmap WRITE_ZEROES: whether the range may be deallocated
   */
  prepare(
    operation: BlockOperation,
    tag: number,
    offset: number,
    vectorsAddress: number,
    vectorCount: number,
    lengthBytes: number,
    unmap: boolean,
  ): void;
  /** Starts everything prepared. Nothing that fails here is lost: it completes with a negated errno. */
  submit(): void;
  /** Takes what is complete, without waiting, at most what fits; returns how many. */
  reap(completions: Completions): number;
  /** Blocks until something can be reaped or the time is over; at most 50 ms at a time, so that a stop is seen. */
  wait(timeoutUs: number): void;
  /**
   * Before sleeping in poll(2) on `eventFd` and other descriptors: forgets earlier signals and asks for one at the next
   * completion. One is certain, more may come; without asking none is.
   *
   * @returns false when completions wait already: reap instead of sleeping
   */
  arm(): boolean;
  /** No signal wanted: the caller is awake and reaps on its own. Some back ends signal all the same. */
  disarm(): void;
  /** Requests prepared or in flight and not yet reaped. */
  readonly inFlight: number;
  /** What another thread needs to close this back end when the one that owns it was killed. */
  readonly remains: BackendRemains;
  /**
   * Cancels or awaits everything in flight, for 10 s at most, and gives nothing back yet: of a thread that is killed
   * meanwhile all of `remains` is still there. Nothing is prepared or reaped afterwards. Idempotent.
   *
   * @returns whether all is over; if not, a worker or the kernel may still use vectors and buffers
   */
  settle(): boolean;
  /** Settles, then gives all back. Idempotent. */
  close(): void;
}
