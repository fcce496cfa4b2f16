/**
 * What `run` says about a guest that ended: a sentence when it ended badly, and the lines of
 * --stats.
 */
import type { GuestResult, Outcome } from "../guest/options";

/** null for an ordinary exit, which the exit code tells. */
export function endingSentence(outcome: Outcome): string | null {
  switch (outcome.kind) {
    case "exit":
      return null;
    case "trap":
      return `the guest trapped: ${outcome.message}`;
    case "deadline":
      return `the guest was ended at its deadline of ${outcome.deadlineMs} ms`;
    case "aborted":
      return `the guest was ended: ${outcome.reason}`;
    case "host-failure":
      return outcome.error.message;
  }
}

const BYTE_UNITS = ["bytes", "KiB", "MiB", "GiB", "TiB"] as const;

/** 4096 is "4 KiB", 5000 is "5000 bytes": exact, in the largest unit that divides it. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value !== 0 && value % 1024 === 0 && unit < BYTE_UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${value} ${BYTE_UNITS[unit] ?? "bytes"}`;
}

function milliseconds(value: number): string {
  return `${value.toFixed(value < 100 ? 2 : 0)} ms`;
}

function ringLines(result: GuestResult): [label: string, text: string][] {
  const { ring, stats } = result;
  if (ring === null) return [["engine", "none: the guest set no ring up"]];
  const { layout } = ring;
  const flags = ring.setupFlags.length === 0 ? "no kernel ring" : ring.setupFlags.join(" ");
  const lines: [string, string][] = [
    ["engine", `${ring.engine}: ${ring.reason}`],
    ["mode", ring.mode],
    ["set-up", `${ring.setupUs.toFixed(0)} µs; ${flags}`],
    [
      "ring",
      `${layout.sqEntries} SQ and ${layout.cqEntries} CQ entries, arena of ${formatBytes(ring.arenaLengthBytes)}`,
    ],
  ];
  if (stats === null) return lines;
  const denied = stats.denied === null ? "" : `, ${stats.denied} refused`;
  return [
    ...lines,
    ["enter", `${stats.enterCalls} calls of the guest, ${stats.enterSyscalls} system calls`],
    ["requests", `${stats.submitted} submitted, ${stats.completed} completed${denied}`],
  ];
}

function deviceLines({ devices }: GuestResult): [label: string, text: string][] {
  return devices.map((device) => {
    const { name, path, aio, servedBy, requests, errors, kicks, interrupts, failure } = device;
    const by = `${path}${aio === null ? "" : `, ${aio}`}, served by the ${servedBy}`;
    const failed = errors === null || errors === 0 ? "" : `, ${errors} failed`;
    const done = requests === null ? "" : `; ${requests} requests${failed}`;
    const signals = path === "passthrough" ? "" : `; ${kicks} kicks, ${interrupts} interrupts`;
    const ended = failure === null ? "" : `; ${failure}`;
    return ["device", `${name}: ${by}${done}${signals}${ended}`];
  });
}

export function statsReport(result: GuestResult): string {
  const lines = [
    ...ringLines(result),
    ...deviceLines(result),
    ["elapsed", `${milliseconds(result.elapsedMs)}, CPU ${milliseconds(result.cpuUs / 1000)}`],
  ];
  return lines.map(([label = "", text = ""]) => `${label.padEnd(10)}${text}\n`).join("");
}
