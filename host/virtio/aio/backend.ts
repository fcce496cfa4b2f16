/**
 * What performs a virtual disk's I/O: `threads`, `native` (Linux AIO) and `io_uring`, under QEMU's names, and `ram`.
 * Siblings behind this interface, with one conformance suite. A back end belongs to the thread that made it; nothing
 * in prepare, submit and reap allocates per request.
 */

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
  /** Bytes moved (READ, WRITE), 0 (the others), or a negated errno. */
  results: Int32Array;
}

export interface BlockBackend {
  readonly name: AioName | "ram";
  /** Requests that may be in flight; tags are 0 .. depth-1. */
  readonly depth: number;
  /** Becomes readable when completions wait to be reaped; -1 when every request is complete after `submit`. */
  readonly eventFd: number;
  /**
   * Queues one request.
   *
   * @param offset in bytes, a multiple of 512
   * @param vectorsAddress native address of an array of struct iovec, which stays as it is until completion; unused for
   *   FLUSH, DISCARD and WRITE_ZEROES
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
  /** Starts everything prepared. */
  submit(): void;
  /** Takes what is complete, without waiting, at most what fits; returns how many. */
  reap(completions: Completions): number;
  /** Blocks until something can be reaped or the time is over; at most 50 ms at a time, so that a stop is seen. */
  wait(timeoutUs: number): void;
  /** Requests prepared or in flight and not yet reaped. */
  readonly inFlight: number;
  /** Cancels or awaits everything in flight, then gives all back. Afterwards nothing touches the vectors. Idempotent. */
  close(): void;
}
