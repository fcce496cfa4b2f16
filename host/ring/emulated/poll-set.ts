/**
 * The array that poll(2) takes, filled and read in place. One entry a slot at most, so its size is
 * fixed and small (poll refuses more entries than the process may open files).
 *
 *   0       4        6        8      struct pollfd
 *   | fd    | events | revents|
 */
import { FILE_SLOTS, Poll } from "../../abi";
import type { FileBackend } from "./files";

const POLLFD_SIZE = 8;

/** What poll(2) reports unasked. */
export const POLL_ALWAYS = Poll.ERR | Poll.HUP | Poll.NVAL;

export class PollSet {
  count = 0;
  readonly #backend: FileBackend;
  readonly #bytes = new Uint8Array(new ArrayBuffer(FILE_SLOTS * POLLFD_SIZE));
  readonly #descriptors = new Int32Array(this.#bytes.buffer);
  readonly #events = new Uint16Array(this.#bytes.buffer);

  constructor(backend: FileBackend) {
    this.#backend = backend;
  }

  clear(): void {
    this.count = 0;
  }

  /** @returns the entry's index */
  add(fd: number, events: number): number {
    const index = this.count++;
    this.#descriptors[index * 2] = fd;
    this.#events[index * 4 + 2] = events;
    this.#events[index * 4 + 3] = 0;
    return index;
  }

  /** Widens an entry's events. */
  widen(index: number, events: number): void {
    this.#events[index * 4 + 2] = (this.#events[index * 4 + 2] ?? 0) | events;
  }

  /** What happened to an entry in the last `wait`. */
  happened(index: number): number {
    return this.#events[index * 4 + 3] ?? 0;
  }

  /** @returns how many entries something happened to, or a negated errno */
  wait(timeoutMs: number): number {
    return this.#backend.poll(this.#bytes, this.count, timeoutMs);
  }

  /**
   * What is ready of one descriptor at this moment: bits of `Poll`, 0 when nothing or when it
   * cannot be polled.
   */
  ready(fd: number, events: number): number {
    this.clear();
    this.add(fd, events);
    return this.wait(0) > 0 ? this.happened(0) : 0;
  }
}
