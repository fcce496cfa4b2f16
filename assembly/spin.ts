/**
 * How long a guest looks for something that somebody else will do, before it waits by a call. The clock costs a call as
 * well, so it is read seldom:
 *
 *   for (spin.begin(pollUs); spin.goesOn(); ) if (isThere()) return true;
 */
import { schedYield } from "./wasi/host";
import { monotonicNs } from "./wasi/process";

/**
 * Looks between two readings of the clock, some microseconds' worth: most of what is waited for by looking is there
 * before the first.
 */
const LOOKS: u32 = 2048;

export class Spin {
  private looks: u32 = 0;
  private durationNs: u64 = 0;
  private endNs: u64 = 0;

  begin(durationUs: u32): void {
    this.looks = LOOKS;
    this.durationNs = <u64>durationUs * 1000;
    this.endNs = 0;
  }

  @inline goesOn(): bool {
    return --this.looks != 0 || this.isTimeLeft();
  }

  private isTimeLeft(): bool {
    this.looks = LOOKS;
    const now = monotonicNs();
    if (this.endNs == 0) this.endNs = now + this.durationNs;
    // Who works meanwhile may wait for this very processor.
    else schedYield();
    return now < this.endNs;
  }
}
