/**
 * What the embedder's thread finds out about a daemon before the guest runs, and the clean-up behind a guest's thread
 * that was killed. The plan crosses to the guest's thread.
 */
import { resolve } from "node:path";
import { describeDaemon, REPLY_TIMEOUT_MS } from "./describe";
import type { DaemonDescription } from "./description";
import { Descriptors } from "./descriptors";

export interface VhostUserPlan {
  socketPath: string;
  description: DaemonDescription;
  /** How long a driver that resets the device waits for the daemon to come back. */
  reconnectMs: number;
  /** How long the daemon may think about one message. */
  timeoutMs: number;
  /** The words of `Descriptors`. */
  descriptors: SharedArrayBuffer;
}

export interface VhostUserRequest {
  socket: string;
  /** Default 0: a daemon that is gone when the device is started is an error at once. */
  reconnectMs?: number;
  timeoutMs?: number;
}

/** @throws WasmUringError ERR_DEVICE when there is no daemon, or none that can be used */
export async function planVhostUser(request: VhostUserRequest): Promise<VhostUserPlan> {
  const socketPath = resolve(request.socket);
  const timeoutMs = request.timeoutMs ?? REPLY_TIMEOUT_MS;
  return {
    socketPath,
    description: await describeDaemon(socketPath, timeoutMs),
    reconnectMs: request.reconnectMs ?? 0,
    timeoutMs,
    descriptors: new Descriptors().shared,
  };
}

/** Closes the connection of a guest's thread that is gone. Once it is certain to be gone. Idempotent. */
export function closeRemains(plan: VhostUserPlan, close: (fd: number) => number): void {
  new Descriptors(plan.descriptors).closeAll(close);
}
