/**
 * Ordered teardown of a kernel ring (design D6): cancel everything, wait until nothing is in flight, close. Pending
 * reads would otherwise still write into the memory after close (kernel-facts 0.5).
 */
import { setTimeout as sleep } from "node:timers/promises";
import { Errno } from "../../abi";
import type { Syscalls } from "../../ffi/syscalls";
import { cancelAll } from "../register";

/** How long a teardown waits for what cannot be cancelled (O_DIRECT in flight). */
const CANCEL_TIMEOUT_MS = 5000;
/** One blocking wait on a thread that must not block. */
const GENTLE_TIMEOUT_MS = 2;
const GENTLE_PAUSE_MS = 10;

/** For the guest's own thread: blocks until it is done. */
export function closeRing(syscalls: Syscalls, ringFd: number): void {
  cancelAll(syscalls, ringFd, CANCEL_TIMEOUT_MS);
  syscalls.close(ringFd);
}

/** For the embedder's thread, when the worker died: short waits with the event loop running between them. */
export async function closeRingGently(syscalls: Syscalls, ringFd: number): Promise<void> {
  const end = Date.now() + CANCEL_TIMEOUT_MS;
  while (Date.now() < end) {
    const errno = cancelAll(syscalls, ringFd, GENTLE_TIMEOUT_MS);
    if (errno !== Errno.ETIME && errno !== Errno.EINTR) break;
    await sleep(GENTLE_PAUSE_MS);
  }
  syscalls.close(ringFd);
}
