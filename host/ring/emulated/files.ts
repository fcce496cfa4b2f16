/**
 * What the emulated engine does to a granted file, apart from how: one implementation makes Linux
 * system calls straight into guest memory, the other goes through node:fs on any platform. Every
 * call returns a result or a negated Linux errno and never throws.
 */
import type { GrantSlot } from "../engine";

export interface FileBackend {
  /**
   * Whether a flag of rw_flags can keep a transfer from blocking (RWF_NOWAIT), and whether `poll`
   * works: without, there are no streams.
   */
  readonly streams: boolean;
  /** The guest's memory grew. */
  refresh(): void;
  /**
   * Reads into linear memory at `offset`.
   *
   * @param position in the file; -1 uses and moves the file's own
   * @param flags bits of `Rwf`
   */
  read(
    grant: GrantSlot,
    offset: number,
    lengthBytes: number,
    position: number,
    flags: number,
  ): number;
  write(
    grant: GrantSlot,
    offset: number,
    lengthBytes: number,
    position: number,
    flags: number,
  ): number;
  sync(grant: GrantSlot, dataOnly: boolean): number;
  syncRange(grant: GrantSlot, position: number, lengthBytes: number, flags: number): number;
  advise(grant: GrantSlot, position: number, lengthBytes: number, advice: number): number;
  allocate(grant: GrantSlot, mode: number, position: number, lengthBytes: number): number;
  truncate(grant: GrantSlot, lengthBytes: number): number;
  shutdown(grant: GrantSlot, how: number): number;
  /** poll(2) of `count` struct pollfd. */
  poll(fds: Uint8Array, count: number, timeoutMs: number): number;
}
