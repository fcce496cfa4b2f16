/** The one JSON line that a load generator prints: raw numbers, which the host turns into rates. */
import { print } from "../../assembly";
import { Histogram } from "./histogram";

function field(name: string, value: string): string {
  return ',"' + name + '":' + value;
}

function microseconds(ns: f64): string {
  return (Math.round(ns) / 1000).toString();
}

function latency(histogram: Histogram): string {
  return (
    '{"samples":' + histogram.samples.toString() +
    field("p50", microseconds(histogram.percentileNs(0.5))) +
    field("p90", microseconds(histogram.percentileNs(0.9))) +
    field("p99", microseconds(histogram.percentileNs(0.99))) +
    field("p999", microseconds(histogram.percentileNs(0.999))) +
    field("max", microseconds(<f64>histogram.maxNs)) +
    "}"
  );
}

export function reportLine(
  ios: u64,
  bytes: u64,
  elapsedNs: u64,
  cpuNs: u64,
  calls: u64,
  errors: u64,
  firstErrno: i32,
  shorts: u64,
  histogram: Histogram,
): void {
  print(
    '{"ios":' + ios.toString() +
    field("bytes", bytes.toString()) +
    field("elapsedNs", elapsedNs.toString()) +
    field("cpuNs", cpuNs.toString()) +
    field("calls", calls.toString()) +
    field("errors", errors.toString()) +
    field("firstErrno", firstErrno.toString()) +
    field("shorts", shorts.toString()) +
    field("latencyUs", latency(histogram)) +
    "}",
  );
}
