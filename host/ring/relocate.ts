/**
 * Memory translation by relocated registration: the arena's pages are moved to the guest address, registered there,
 * and moved back. The kernel remembers the address of registration and uses the pinned pages, so `addr` of a fixed
 * read or write is a guest address for ever and every host address is refused by the kernel itself.
 *
 * mremap(2) with MREMAP_DONTUNMAP (5.7). The guest is inside its set-up call meanwhile and touches nothing.
 */
import { Errno, GUEST_ADDRESS_BASE } from "../abi";
import { errnoName, WasmUringError } from "../errors";
import type { Syscalls } from "../ffi/syscalls";
import { registerBuffer } from "./buffers";

const PROT_NONE = 0;
const MAP_PRIVATE_ANONYMOUS_NORESERVE_FIXED_NOREPLACE = 0x2 | 0x20 | 0x4000 | 0x100000;
const MREMAP_MAYMOVE_FIXED = 1 | 2;
const MREMAP_DONTUNMAP = 4;

/** How long a set-up waits for another guest of this process that is being set up at the same address. */
const CLAIM_TRIES = 200;
const CLAIM_PAUSE_MS = 5;

const pauseWord = new Int32Array(new SharedArrayBuffer(4));

/**
 * Reserves the target. The mapping itself is the lock between the guests of a process: MAP_FIXED_NOREPLACE fails for
 * a range that another set-up, or anything else, occupies.
 */
function claimTarget(syscalls: Syscalls, target: bigint, length: number): void {
  for (let attempt = 0; attempt < CLAIM_TRIES; attempt++) {
    const got = syscalls.mmap(
      target,
      length,
      PROT_NONE,
      MAP_PRIVATE_ANONYMOUS_NORESERVE_FIXED_NOREPLACE,
      -1,
      0,
    );
    if (got === target) return;
    if (got >= 0n) syscalls.munmap(got, length); // a kernel before 4.17 took it as a hint
    if (got !== BigInt(-Errno.EEXIST))
      throw claimError(target, length, got >= 0n ? Errno.EEXIST : Number(-got));
    Atomics.wait(pauseWord, 0, 0, CLAIM_PAUSE_MS);
  }
  throw claimError(target, length, Errno.EEXIST);
}

function claimError(target: bigint, length: number, errno: number): WasmUringError {
  return new WasmUringError("ERR_ENGINE_UNAVAILABLE", {
    what: `reserving the guest address 0x${target.toString(16)}, ${length} bytes, for the arena`,
    why: errnoName(errno),
    likelyCause:
      "something else of this process lies there, or address space is limited (ulimit -v)",
    whatToDo: "use the mirrored engine, which needs no fixed address",
    syscall: "mmap",
    errno,
  });
}

/**
 * Registers [address, address + length) as the ring's fixed buffer `index`, known to the kernel by its guest address.
 * On failure the pages are back where they were.
 *
 * @throws WasmUringError ERR_MEMLOCK when the pages may not be pinned, ERR_ENGINE_UNAVAILABLE when they cannot be moved
 *   (another engine needs no move), ERR_MEMORY_MOVED when they cannot be moved back, ERR_SETUP otherwise
 */
export function registerArena(
  syscalls: Syscalls,
  ringFd: number,
  address: bigint,
  guestOffset: number,
  length: number,
  index = 0,
): void {
  const target = BigInt(GUEST_ADDRESS_BASE) + BigInt(guestOffset);
  claimTarget(syscalls, target, length);
  const moved = syscalls.mremap(
    address,
    length,
    length,
    MREMAP_MAYMOVE_FIXED | MREMAP_DONTUNMAP,
    target,
  );
  if (moved !== target) {
    syscalls.munmap(target, length);
    throw new WasmUringError("ERR_ENGINE_UNAVAILABLE", {
      what: `moving the arena of ${length} bytes to its guest address 0x${target.toString(16)}`,
      why: errnoName(Number(-moved)),
      likelyCause:
        "a kernel before 5.7 (private) or 5.13 (shared memory), without MREMAP_DONTUNMAP",
      whatToDo: "use the mirrored engine",
      syscall: "mremap",
      errno: Number(-moved),
    });
  }
  let result: number;
  try {
    result = registerBuffer(syscalls, ringFd, index, target, length);
  } finally {
    moveBack(syscalls, target, address, length);
  }
  if (result < 0) throw registerError(syscalls, -result, length);
}

/** mremap(2) back needs room in the table of mappings; a moment later there may be some. */
const BACK_TRIES = 3;

/**
 * The guest's pages go back to where they were. Should the kernel refuse to the end, their content does: the old range
 * is still mapped (MREMAP_DONTUNMAP), but what the kernel has pinned is no longer what the guest sees.
 *
 * @throws WasmUringError ERR_MEMORY_MOVED then: the ring must be closed
 */
function moveBack(syscalls: Syscalls, target: bigint, address: bigint, length: number): void {
  let back = 0n;
  for (let attempt = 0; attempt < BACK_TRIES; attempt++) {
    back = syscalls.mremap(target, length, length, MREMAP_MAYMOVE_FIXED, address);
    if (back === address) return;
  }
  const source = new Uint8Array(syscalls.viewOf(target, length));
  new Uint8Array(syscalls.viewOf(address, length)).set(source);
  syscalls.munmap(target, length);
  throw new WasmUringError("ERR_MEMORY_MOVED", {
    what: `moving the arena of ${length} bytes back from its guest address 0x${target.toString(16)}`,
    why: errnoName(Number(-back)),
    likelyCause: "the process has as many mappings as it may (vm.max_map_count)",
    whatToDo: "use the mirrored engine, or raise vm.max_map_count",
    syscall: "mremap",
    errno: Number(-back),
  });
}

/** The error of a refused buffer registration; ENOMEM is the locked-memory limit, which is named. */
export function registerError(syscalls: Syscalls, errno: number, length: number): WasmUringError {
  const what = `registering the arena of ${length} bytes as a fixed buffer of the ring`;
  if (errno !== Errno.ENOMEM) {
    return new WasmUringError("ERR_SETUP", {
      what,
      why: errnoName(errno),
      likelyCause:
        length > 1 << 30 ? "the kernel takes at most 1 GiB in one buffer" : "an unusual memory",
      whatToDo: "ask for a smaller arena",
      syscall: "io_uring_register",
      errno,
    });
  }
  return memlockError(syscalls, what);
}

/** ENOMEM of set-up or registration: pinned pages are charged to the user against RLIMIT_MEMLOCK. */
export function memlockError(syscalls: Syscalls, what: string): WasmUringError {
  const limit = syscalls.getMemlockLimit();
  const soft = typeof limit === "number" ? "unknown" : `${limit[0]} bytes`;
  return new WasmUringError("ERR_MEMLOCK", {
    what,
    why: `ENOMEM: RLIMIT_MEMLOCK is ${soft}, shared by all rings of this user`,
    likelyCause: "an arena, or the sum of all arenas, larger than that limit",
    whatToDo: "ask for a smaller arena, raise the limit (ulimit -l), or grant CAP_IPC_LOCK",
    syscall: "io_uring_register",
    errno: Errno.ENOMEM,
  });
}
