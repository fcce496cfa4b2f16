/**
 * What every path hands back: the raw numbers of one run, in the form of the one JSON line that the
 * load generator guest and its native twin print. It crosses a process or sandbox border, so its
 * shape is checked.
 */
import * as v from "valibot";
import { WasmUringError } from "../../errors";

const count = v.pipe(v.number(), v.minValue(0));

const MeasureSchema = v.object({
  ios: count,
  bytes: count,
  elapsedNs: count,
  /**
   * CPU time of the whole process meanwhile: all threads, the kernel's io-wq and poll threads for
   * its rings too.
   */
  cpuNs: count,
  /** Calls of enter; 0 where there is no ring. */
  calls: count,
  errors: count,
  /** Positive errno of the first operation that failed. */
  firstErrno: v.number(),
  /** Operations that moved fewer bytes than asked. */
  shorts: count,
  latencyUs: v.object({
    samples: count,
    p50: count,
    p90: count,
    p99: count,
    p999: count,
    max: count,
  }),
  /** Bits of IORING_SETUP_*: the native twin's. */
  setupFlags: v.optional(v.number()),
});

export type Measure = v.InferOutput<typeof MeasureSchema>;

/** @param what who printed it, for the message */
export function parseMeasure(text: string, what: string): Measure {
  try {
    return v.parse(MeasureSchema, JSON.parse(text));
  } catch (cause) {
    throw new WasmUringError("ERR_WORKER", {
      what: `reading the result of ${what}`,
      why: `it is not the expected line of JSON: ${text.slice(0, 200)}`,
      likelyCause: "a defect of wasm-uring",
      whatToDo: "report it",
      cause,
    });
  }
}
