/** The times that a guest sets: two nanosecond values and flags, as two struct timespec. */
import type { NativeBuffer } from "../ffi/native-buffer";
import type { NativeCalls } from "./context";
import { setNumber64 } from "./number64";
import { type Parameter, unsigned } from "./parameter";

/** `fstflags`. */
const enum TimeFlag {
  ACCESSED = 1,
  ACCESSED_NOW = 2,
  MODIFIED = 4,
  MODIFIED_NOW = 8,
  ALL = 15,
}

const UTIME_NOW = 0x3fffffff;
const UTIME_OMIT = 0x3ffffffe;
const NS_PER_S = 1_000_000_000n;
const TIMESPEC_BYTES = 16;

export class Times {
  readonly #buffer: NativeBuffer;

  constructor(native: NativeCalls) {
    this.#buffer = native.buffer(2 * TIMESPEC_BYTES);
  }

  get address(): number {
    return this.#buffer.address;
  }

  /** False when the flags contradict each other. */
  set(accessed: Parameter, modified: Parameter, flags: Parameter): boolean {
    const bits = unsigned(flags);
    const both = (one: number, other: number) => (bits & one) !== 0 && (bits & other) !== 0;
    if ((bits & ~TimeFlag.ALL) !== 0) return false;
    if (both(TimeFlag.ACCESSED, TimeFlag.ACCESSED_NOW)) return false;
    if (both(TimeFlag.MODIFIED, TimeFlag.MODIFIED_NOW)) return false;
    this.#put(0, accessed, bits & TimeFlag.ACCESSED, bits & TimeFlag.ACCESSED_NOW);
    this.#put(TIMESPEC_BYTES, modified, bits & TimeFlag.MODIFIED, bits & TimeFlag.MODIFIED_NOW);
    return true;
  }

  #put(at: number, time: Parameter, isGiven: number, isNow: number): void {
    const { view } = this.#buffer;
    const ns = BigInt.asUintN(64, typeof time === "bigint" ? time : BigInt(time | 0));
    const [seconds, rest] = isGiven !== 0 ? [ns / NS_PER_S, ns % NS_PER_S] : [0n, 0n];
    setNumber64(view, at, Number(seconds));
    setNumber64(view, at + 8, isGiven !== 0 ? Number(rest) : isNow !== 0 ? UTIME_NOW : UTIME_OMIT);
  }
}
