/**
 * The error of a grant that is not made: which grant, why, what to do. Every refusal of this folder
 * is built here, so that all of them name the grant in the same words.
 */
import { errnoName, WasmUringError } from "../errors";
import type { GrantRequest } from "./request";

export interface Refusal {
  why: string;
  likelyCause?: string;
  whatToDo?: string;
  syscall?: string;
  /** Positive Linux errno. */
  errno?: number;
  cause?: unknown;
}

/** The grant in words: `granting "input" (./data.txt, read)`. */
export function describeGrant(name: string, request: GrantRequest): string {
  const subject = "path" in request ? request.path : `descriptor ${request.fd}`;
  const access = request.access ?? ("path" in request ? "read" : "as opened");
  const direct = "path" in request && request.direct === true ? ", direct" : "";
  return `granting "${name}" (${subject}, ${access}${direct})`;
}

export function badGrant(what: string, refusal: Refusal): WasmUringError {
  return new WasmUringError("ERR_BAD_GRANT", { what, ...refusal });
}

/** What the common errnos of opening a file mean here; a sentence without its full stop. */
const OPEN_FAILED: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  EACCES: "permission denied",
  EPERM: "permission denied",
  EISDIR: "it is a directory",
  ENOTDIR: "a part of the path before the last is not a directory",
  ELOOP: "the path goes round in symbolic links",
  ENAMETOOLONG: "the path is too long",
  EROFS: "the file system is read-only",
  ETXTBSY: "it is a program that is running, which cannot be written",
  EMFILE: "this process has too many open files (ulimit -n)",
  ENFILE: "the system has too many open files",
  ENXIO: "there is no device, or no reader, behind it",
  ENODEV: "there is no device behind it",
  ENOMEDIUM: "the drive holds no medium",
  EBUSY: "the device is in use",
  ENOSPC: "the file system is full",
  EDQUOT: "the disk quota is used up",
};

/** The sentence for a failed open(2), the errno's name included. */
export function openFailed(errno: number): Pick<Refusal, "why" | "syscall" | "errno"> {
  const name = errnoName(errno);
  const sentence = OPEN_FAILED[name];
  const why = sentence === undefined ? `it cannot be opened (${name})` : `${sentence} (${name})`;
  return { why, syscall: "open", errno };
}
