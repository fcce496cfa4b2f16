/**
 * 64-bit numbers without bigint: JavaScript's numbers are exact up to 2^53, which no file offset
 * exceeds, and are written to memory as two halves.
 */
import type { Parameter } from "./parameter";

const HALF = 0x1_0000_0000;
const PER_HALF = 1 / HALF;

/** What an i64 parameter holds, which V8 passes signed; exact up to 2^53 and rounded beyond. */
export function signed64(parameter: Parameter): number {
  return typeof parameter === "bigint" ? Number(parameter) : parameter | 0;
}

/** A u64 parameter; exact up to 2^53 and rounded beyond. */
export function unsigned64(parameter: Parameter): number {
  if (typeof parameter !== "bigint") return parameter >>> 0;
  return Number(BigInt.asUintN(64, parameter));
}

/** A u64 in memory; exact up to 2^53 and rounded beyond. */
export function getNumber64(view: DataView, at: number): number {
  return view.getUint32(at, true) + view.getUint32(at + 4, true) * HALF;
}

/** `value` is whole, from 0 to 2^53. */
export function setNumber64(view: DataView, at: number, value: number): void {
  view.setUint32(at, value >>> 0, true);
  view.setUint32(at + 4, (value * PER_HALF) >>> 0, true);
}

/** Copies 8 bytes as they are. */
export function copy64(from: DataView, fromAt: number, to: DataView, toAt: number): void {
  to.setUint32(toAt, from.getUint32(fromAt, true), true);
  to.setUint32(toAt + 4, from.getUint32(fromAt + 4, true), true);
}

const NS_PER_S = 1_000_000_000;

/**
 * `seconds` (0 to 2^33) and `nanoseconds` (0 to 10^9) as one u64 of nanoseconds, which is more than
 * a number holds, into two words. The low half is exact by multiplication modulo 2^32. What remains
 * is a multiple of 2^32, and the rounding errors of the whole (below 2^11) do not reach half of one.
 */
export function setNanoseconds(
  words: Int32Array,
  index: number,
  seconds: number,
  nanoseconds: number,
): void {
  const low = (Math.imul(seconds, NS_PER_S) + nanoseconds) >>> 0;
  words[index] = low;
  words[index + 1] = Math.round((seconds * NS_PER_S + nanoseconds - low) * PER_HALF);
}
