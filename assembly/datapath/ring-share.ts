/**
 * The one ring of a guest, shared by all its disks that are on the passthrough path. A completion's user_data says whose
 * it is: the device's number in the upper half, the tag in the lower. A single device takes its completions straight
 * from the CQ; as soon as there are more, whoever looks sorts all of them into the devices' inboxes.
 *
 * The ring then belongs to the disks: a guest must not submit anything else on it.
 */
import { Cqe, Errno } from "../abi";
import { Ring } from "../ring";
import { monotonicNs } from "../wasi/process";
import { RingBlockSetup } from "./ring-setup";

/** The smallest SQ: 64 SQEs and 128 CQEs fill one page each. */
const ENTRIES_MIN: u32 = 64;

export class RingShare {
  private readonly devices: RingBlockSetup[] = [];
  /** SQ entries that the devices may need at once. */
  private entriesTaken: u32 = 0;

  constructor(readonly ring: Ring) {}

  /** Requests that one more device may have in flight. */
  get depthLeft(): u32 {
    return this.ring.sqEntries - this.entriesTaken;
  }

  /** One more device: its number. */
  join(device: RingBlockSetup): u32 {
    const number = this.devices.push(device) - 1;
    this.entriesTaken += device.depth;
    if (number == 1) this.devices[0].openInbox();
    if (number != 0) device.openInbox();
    return number;
  }

  /** Sorts what is in the CQ. */
  distribute(): void {
    const ring = this.ring;
    const ready = ring.cqReady();
    for (let index: u32 = 0; index < ready; index++) {
      const cqe = ring.cqeAt(index);
      const number = load<u32>(cqe, Cqe.USER_DATA + 4);
      if (number < <u32>this.devices.length) unchecked(this.devices[number]).put(cqe);
    }
    if (ready != 0) ring.advance(ready);
  }

  /** Hands over everything and waits until this device's inbox holds `wanted`. */
  waitFor(device: RingBlockSetup, wanted: u32, timeoutUs: i32): i32 {
    const ring = this.ring;
    let result = ring.submit();
    if (result < 0) return result;
    const endNs = timeoutUs > 0 ? monotonicNs() + <u64>timeoutUs * 1000 : 0;
    this.distribute();
    while (device.inboxCount < wanted) {
      let leftUs = timeoutUs;
      if (timeoutUs >= 0) {
        const now = timeoutUs > 0 ? monotonicNs() : 0;
        if (now >= endNs) return -(<i32>Errno.ETIME);
        leftUs = <i32>((endNs - now + 999) / 1000);
      }
      result = ring.submitAndWait(1, leftUs);
      if (result < 0 && result != -(<i32>Errno.ETIME) && ring.cqReady() == 0) return result;
      this.distribute();
    }
    return 0;
  }
}

let guestShare: RingShare | null = null;

function entriesFor(depth: u32): u32 {
  let entries = ENTRIES_MIN;
  while (entries < depth) entries <<= 1;
  return entries;
}

/** Why `shareRing` gave none, a negated errno. */
export let shareError: i32 = 0;

/**
 * The share of the guest's ring. The first call makes it, of the ring given or of a new one with room for so many
 * requests in flight; null when that fails, or another ring was given before.
 */
export function shareRing(given: Ring | null, depth: u32, arenaBytes: u32): RingShare | null {
  if (guestShare !== null) {
    const isOther = given !== null && given !== guestShare!.ring;
    shareError = isOther ? -(<i32>Errno.EBUSY) : 0;
    return isOther ? null : guestShare;
  }
  let ring: Ring;
  if (given !== null) {
    ring = given;
  } else {
    ring = new Ring();
    shareError = ring.setup(arenaBytes, entriesFor(depth));
    if (shareError < 0) return null;
  }
  guestShare = new RingShare(ring);
  return guestShare;
}
