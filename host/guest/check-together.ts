/**
 * What an embedder said, checked against itself: policy, engine, grants and devices that cannot go
 * together are refused before a file is opened or made. And the policy that grants and devices need
 * when none was said.
 */
import { Op } from "../abi";
import type { DeviceRequest } from "../datapath/options";
import { WasmUringError } from "../errors";
import type { GrantRequest } from "../grant/request";
import { type CompiledPolicy, compilePolicy, joinPolicies } from "../policy";
import type { RingPlan, SqpollOptions } from "../ring/engine";
import { checkWritable, isWritable } from "./check-writable";

export function badOption(what: string, why: string, whatToDo: string): WasmUringError {
  return new WasmUringError("ERR_BAD_OPTION", { what, why, whatToDo });
}

/** What contradicts itself is refused before a file is opened or made. */
export function checkTogether(
  policy: CompiledPolicy,
  engine: RingPlan["engine"],
  sqpoll: SqpollOptions | null,
  files: Readonly<Record<string, GrantRequest>>,
  devices: ReadonlyMap<string, DeviceRequest>,
): void {
  if (sqpoll !== null && (engine === "mirrored" || engine === "emulated")) {
    throw badOption(
      `sqpoll with the ${engine} engine`,
      "a kernel thread can only poll rings that are mapped",
      "leave one of the two out",
    );
  }
  if (policy.vetHiddenFields && (engine === "mapped" || sqpoll !== null)) {
    throw badOption(
      `vetHiddenFields with ${sqpoll !== null ? "sqpoll" : "the mapped engine"}`,
      "nobody vets what the kernel takes from the guest's memory by itself",
      "leave one of the two out",
    );
  }
  checkWritable(policy, files);
  for (const [name, request] of devices) {
    if (Object.hasOwn(files, name)) {
      throw badOption(
        `device "${name}"`,
        "a file is granted under the same name",
        "give each a name of its own",
      );
    }
    if (isWritableDisk(request) && !policy.opcodes.includes(Op.WRITE_FIXED)) {
      throw badOption(
        `device "${name}" for writing with policy "${policy.name}"`,
        "the policy has no WRITE_FIXED",
        "make it readOnly, or use policy block-device",
      );
    }
  }
}

/** A disk that the guest writes on its own ring. */
function isWritableDisk(request: DeviceRequest): boolean {
  return request.path === "passthrough" && request.readOnly !== true;
}

/**
 * What files and disks on the guest's ring need. A policy holds for the whole ring: beside a file
 * that the guest may write, a disk goes without FALLOCATE (its discards), by which such a file
 * could fill the host's disk.
 */
export function defaultPolicy(
  files: Readonly<Record<string, GrantRequest>>,
  devices: ReadonlyMap<string, DeviceRequest>,
): CompiledPolicy {
  const granted = Object.values(files);
  const forFiles = compilePolicy(granted.some(isWritable) ? "file-write" : "file-read");
  if (![...devices.values()].some(isWritableDisk)) return forFiles;
  if (granted.some(isWritable)) return forFiles;
  const forDisks = compilePolicy("block-device");
  return granted.length === 0 ? forDisks : joinPolicies(forFiles, forDisks);
}
