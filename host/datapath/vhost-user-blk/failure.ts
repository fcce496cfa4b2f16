/** The errors of a daemon that cannot be used, in one sentence each: which socket, why, what to do. */
import { statSync } from "node:fs";
import { errnoName, WasmUringError } from "../../errors";

export interface DaemonFailure {
  why: string;
  likelyCause?: string;
  whatToDo?: string;
  /** Positive Linux errno. */
  errno?: number;
  cause?: unknown;
}

export function daemonError(socketPath: string, failure: DaemonFailure): WasmUringError {
  const what = `the vhost-user-blk daemon at ${socketPath}`;
  return new WasmUringError("ERR_DEVICE", { what, ...failure });
}

const START_IT = "start the daemon, or correct the path";

const CONNECT_FAILED: Readonly<Record<string, Omit<DaemonFailure, "errno">>> = {
  ENOENT: { why: "there is no such socket", whatToDo: START_IT },
  ENOTDIR: { why: "a part of the path before the last is not a directory" },
  ENOTSOCK: { why: "it is not a socket", whatToDo: START_IT },
  ECONNREFUSED: {
    why: "nobody listens at this socket",
    likelyCause: "the daemon has ended and left its socket behind",
    whatToDo: "start the daemon",
  },
  EACCES: { why: "permission denied", whatToDo: "connecting needs write access to the socket" },
  EPERM: { why: "permission denied", whatToDo: "connecting needs write access to the socket" },
  EPROTOTYPE: { why: "it is a socket of another type than stream" },
  ENAMETOOLONG: { why: "the path is too long", whatToDo: "a socket's path has at most 107 bytes" },
  EAGAIN: {
    why: "too many others wait to be accepted",
    likelyCause: "the daemon serves one guest at a time, and it has one",
    whatToDo: "end the other guest, or give this one a daemon of its own",
  },
};

/** connect(2) answers for a file that is no socket as for a socket without a listener. */
function isOtherFile(socketPath: string): boolean {
  try {
    return !statSync(socketPath).isSocket();
  } catch {
    return false;
  }
}

/** @param name of the errno that connecting failed with: "ENOENT" */
export function connectFailure(socketPath: string, name: string): DaemonFailure {
  const known = name === "ECONNREFUSED" && isOtherFile(socketPath) ? "ENOTSOCK" : name;
  return CONNECT_FAILED[known] ?? { why: `it cannot be connected to (${name})` };
}

export function connectError(socketPath: string, errno: number): WasmUringError {
  return daemonError(socketPath, { ...connectFailure(socketPath, errnoName(errno)), errno });
}

/** A daemon that goes away or says nothing is most often none of this kind. */
export function silentFailure(timeoutMs: number): DaemonFailure {
  return {
    why: `it does not answer within ${timeoutMs} ms`,
    likelyCause:
      "it serves one guest at a time and has one, it is stuck, or it is no vhost-user back end",
    whatToDo: "look at the daemon, or end the other guest",
  };
}

export function hangUpFailure(): DaemonFailure {
  return {
    why: "it closed the connection instead of answering",
    likelyCause: "it is no vhost-user back end, or it failed: see its own messages",
  };
}

/** A daemon that served and went away. */
export function goneFailure(): DaemonFailure {
  return {
    why: "it closed the connection while it served",
    likelyCause: "it ended, or the guest's queue is broken: see its own messages",
    whatToDo: "start it again; a guest goes on by resetting its device",
  };
}

/** A violation. */
export const DROPPED_KICK = "drops the kick that it was given";

export function violationFailure(message: string): DaemonFailure {
  return {
    why: `it ${message}`,
    likelyCause: "it is no vhost-user back end of a block device",
    whatToDo: "qemu-storage-daemon --export type=vhost-user-blk makes one",
  };
}
