/**
 * Whether a grant can be read and written by a polled ring (IORING_SETUP_IOPOLL): the kernel answers EOPNOTSUPP to
 * every request on a file that is not O_DIRECT, or on a device without poll queues, so such a grant is refused before
 * the guest starts.
 */
import { fstatSync } from "node:fs";
import { GrantKind } from "../abi";
import { refusePolling } from "./device";
import { badGrant } from "./refusal";
import type { GrantSlot } from "./slot";

/**
 * @param sysfs where sysfs is mounted
 * @throws WasmUringError ERR_BAD_GRANT saying what the device lacks and what to do
 */
export function checkPolled(slots: readonly GrantSlot[], sysfs?: string): void {
  for (const { name, fd, kind, direct } of slots) {
    const what = `granting "${name}" to a guest whose ring polls (iopoll)`;
    if (kind !== GrantKind.FILE && kind !== GrantKind.BLOCK_DEVICE) {
      throw badGrant(what, {
        why: "it is neither a file nor a block device, and nothing else can be polled",
        whatToDo: "leave iopoll out",
      });
    }
    if (!direct) {
      throw badGrant(what, {
        why: "it is not open for O_DIRECT, and the page cache cannot be polled",
        whatToDo: 'grant it with "direct": true (,direct on the command line)',
      });
    }
    const status = fstatSync(fd, { bigint: true });
    const device = kind === GrantKind.BLOCK_DEVICE ? status.rdev : status.dev;
    const refusal = refusePolling(device, sysfs);
    if (refusal !== undefined) throw badGrant(what, refusal);
  }
}
