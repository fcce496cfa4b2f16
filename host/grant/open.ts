/**
 * Makes grants of requests: opens or duplicates each, judges the open descriptor, and fills a slot.
 * All or nothing: when one fails, what was opened is closed and what was created is removed.
 */
import { constants } from "node:fs";
import { GrantAccess, GrantKind } from "../abi";
import { WasmUringError } from "../errors";
import type { Syscalls } from "../ffi/syscalls";
import { checkGrants } from "./check";
import { type CreatedFile, removeCreated } from "./create";
import { accessOf, checkAccess, takeDescriptor } from "./descriptor";
import { accessFlags, filesOf } from "./files";
import { openPath } from "./path";
import { badGrant, describeGrant } from "./refusal";
import type { Access, GrantRequest } from "./request";
import type { GrantSlot } from "./slot";
import { alignmentOf, vet } from "./vet";

/** The open grants of one guest. */
export interface OpenedGrants {
  /** In the order of the request's keys, slots from 0 upwards. */
  slots: GrantSlot[];
  /** Closes the descriptors; after the ring is closed. Idempotent. */
  close(): void;
  /** Closes one of them; when nothing uses it any more. */
  closeOne(fd: number): void;
}

const ACCESS_BITS: Readonly<Record<Access, number>> = {
  read: GrantAccess.READ,
  write: GrantAccess.WRITE,
  "read-write": GrantAccess.READ | GrantAccess.WRITE,
};

/** What one request leaves behind as it is worked on, for the undoing. */
interface Opened {
  fd: number;
  created: CreatedFile | undefined;
}

/** The access of a judged descriptor: nothing can be written to a timer, although it opens so. */
function grantedAccess(flags: number, kind: GrantKind): Access {
  return kind === GrantKind.TIMERFD ? "read" : (accessOf(flags) ?? "read");
}

function fillSlot(
  slot: number,
  name: string,
  request: GrantRequest,
  syscalls: Syscalls | null,
  opened: Opened[],
): GrantSlot {
  const what = describeGrant(name, request);
  let fd: number;
  let flags: number;
  if ("path" in request) {
    const file = openPath(what, request, syscalls);
    opened.push(file);
    fd = file.fd;
    flags =
      accessFlags(request.access ?? "read") | (request.direct === true ? constants.O_DIRECT : 0);
  } else {
    const taken = takeDescriptor(what, request, syscalls);
    opened.push({ fd: taken.fd, created: undefined });
    fd = taken.fd;
    flags = taken.flags;
  }
  const verdict = vet(fd, flags, syscalls);
  if (verdict.refusal !== undefined) throw badGrant(what, verdict.refusal);
  const { kind, sizeBytes } = verdict;
  const access = grantedAccess(flags, kind);
  checkAccess(what, request.access, access);
  // O_DIRECT on a pipe means packets, not alignment; on other platforms the flag does not exist.
  const aligned = kind === GrantKind.FILE || kind === GrantKind.BLOCK_DEVICE;
  const direct = aligned && (flags & (constants.O_DIRECT ?? 0)) !== 0;
  const alignmentBytes = direct ? alignmentOf(fd, kind) : 1;
  return { slot, name, fd, access: ACCESS_BITS[access], kind, direct, alignmentBytes, sizeBytes };
}

/**
 * Opens and vets everything that a guest is granted. Without system calls (another platform, or
 * koffi cannot load) only ordinary files by path are granted.
 *
 * @throws WasmUringError ERR_BAD_GRANT naming the grant and the reason; nothing is left open or
 * created then
 */
export function openGrants(
  files: Readonly<Record<string, GrantRequest>>,
  syscalls: Syscalls | null,
): OpenedGrants {
  const entries = checkGrants(files);
  const opened: Opened[] = [];
  const closeAll = (): void => {
    const table = filesOf(syscalls);
    for (const { fd } of opened.splice(0)) table.close(fd);
  };
  const closeOne = (fd: number): void => {
    const at = opened.findIndex((file) => file.fd === fd);
    if (at < 0) return;
    opened.splice(at, 1);
    filesOf(syscalls).close(fd);
  };
  let current = "granting files";
  try {
    const slots = entries.map(([name, request], slot) => {
      current = describeGrant(name, request);
      return fillSlot(slot, name, request, syscalls, opened);
    });
    return { slots, close: closeAll, closeOne };
  } catch (error) {
    const created = opened.flatMap((file) => file.created ?? []);
    closeAll();
    for (const file of created) removeCreated(file);
    if (error instanceof WasmUringError) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw badGrant(current, { why: `it cannot be examined: ${why}`, cause: error });
  }
}
