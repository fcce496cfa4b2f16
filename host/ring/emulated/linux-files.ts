/**
 * The emulated engine's files on Linux: one system call an operation, straight into or out of guest
 * memory.
 */
import type { Syscalls } from "../../ffi/syscalls";
import type { GuestMemory } from "../../memory/guest-memory";
import type { GrantSlot } from "../engine";
import type { FileBackend } from "./files";

export class LinuxFiles implements FileBackend {
  readonly streams = true;
  readonly #syscalls: Syscalls;
  readonly #memory: GuestMemory;
  #base: bigint;

  constructor(syscalls: Syscalls, memory: GuestMemory) {
    this.#syscalls = syscalls;
    this.#memory = memory;
    this.#base = memory.baseAddress(syscalls);
  }

  /** Nothing is pinned: a memory that moved is simply looked up again. */
  refresh(): void {
    this.#base = this.#memory.baseAddress(this.#syscalls);
  }

  read(
    grant: GrantSlot,
    offset: number,
    lengthBytes: number,
    position: number,
    flags: number,
  ): number {
    const address = this.#base + BigInt(offset);
    return this.#syscalls.preadv2(grant.fd, address, lengthBytes, position, flags);
  }

  write(
    grant: GrantSlot,
    offset: number,
    lengthBytes: number,
    position: number,
    flags: number,
  ): number {
    const address = this.#base + BigInt(offset);
    return this.#syscalls.pwritev2(grant.fd, address, lengthBytes, position, flags);
  }

  sync(grant: GrantSlot, dataOnly: boolean): number {
    return dataOnly ? this.#syscalls.fdatasync(grant.fd) : this.#syscalls.fsync(grant.fd);
  }

  syncRange(grant: GrantSlot, position: number, lengthBytes: number, flags: number): number {
    return this.#syscalls.syncFileRange(grant.fd, position, lengthBytes, flags);
  }

  advise(grant: GrantSlot, position: number, lengthBytes: number, advice: number): number {
    return this.#syscalls.fadvise(grant.fd, position, lengthBytes, advice);
  }

  allocate(grant: GrantSlot, mode: number, position: number, lengthBytes: number): number {
    return this.#syscalls.fallocate(grant.fd, mode, position, lengthBytes);
  }

  truncate(grant: GrantSlot, lengthBytes: number): number {
    return this.#syscalls.ftruncate(grant.fd, lengthBytes);
  }

  shutdown(grant: GrantSlot, how: number): number {
    return this.#syscalls.shutdown(grant.fd, how);
  }

  poll(fds: Uint8Array, count: number, timeoutMs: number): number {
    return this.#syscalls.poll(fds, count, timeoutMs);
  }
}
