/** On what a figure was measured: without it absolute numbers say nothing. */
import { readFileSync, statSync } from "node:fs";
import { arch, cpus, loadavg, release, totalmem } from "node:os";

export interface Machine {
  cpu: string;
  cores: number;
  memoryBytes: number;
  arch: string;
  kernel: string;
  node: string;
  /** Of the measured file: "ext4". */
  fileSystem: string;
  /** Of the measured file: "/dev/vda". */
  device: string;
  /** When it began, ISO 8601. */
  date: string;
  /** Of one minute, before it began. */
  loadAverage: number;
}

/** Blanks and the like are octal escapes there. */
function plainPath(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );
}

/** The mount that a path lies on, by its device number: fields of proc_pid_mountinfo(5). */
function mountOf(path: string): { fileSystem: string; device: string } {
  const unknown = { fileSystem: "unknown", device: "unknown" };
  const { dev } = statSync(path);
  const wanted = `${(dev >> 8) & 0xfff}:${(dev & 0xff) | ((dev >> 12) & 0xfff00)}`;
  let text: string;
  try {
    text = readFileSync("/proc/self/mountinfo", "utf8");
  } catch {
    return unknown;
  }
  for (const line of text.split("\n")) {
    const [mount = "", source = ""] = line.split(" - ");
    if (mount.split(" ")[2] !== wanted) continue;
    const [fileSystem = "unknown", device = "unknown"] = source.split(" ");
    return { fileSystem, device: plainPath(device) };
  }
  return unknown;
}

/** "AMD EPYC" of "AMD EPYC 7B13 64-Core Processor @ 2.4GHz" stays whole; only blanks are tidied. */
function model(): string {
  return (cpus()[0]?.model ?? "unknown processor").replace(/\s+/g, " ").trim();
}

/** @param path the measured file */
export function describeMachine(path: string): Machine {
  return {
    cpu: model(),
    cores: cpus().length,
    memoryBytes: totalmem(),
    arch: arch(),
    kernel: release(),
    node: process.version,
    ...mountOf(path),
    date: new Date().toISOString(),
    loadAverage: loadavg()[0] ?? 0,
  };
}

/** One line under the title of a chart. */
export function machineLine(machine: Machine): string {
  const { cpu, cores, kernel, fileSystem, device, node, date } = machine;
  const day = date.slice(0, 10);
  return `${cores} × ${cpu}, Linux ${kernel}, ${fileSystem} on ${device}, Node ${node}, ${day}`;
}
