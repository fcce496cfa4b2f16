/**
 * What can be read about this machine without asking io_uring: kernel, user, limits, sysctls,
 * seccomp, and the signs of a container. What cannot be read is null or "unknown"; nothing here
 * fails.
 */
import { existsSync, readFileSync } from "node:fs";
import { arch, release } from "node:os";
import type { Syscalls } from "../ffi/syscalls";
import type { Environment } from "./report";

/** Bits of CapEff that change what io_uring allows. */
const CAPABILITIES = [
  ["CAP_IPC_LOCK", 14n],
  ["CAP_SYS_ADMIN", 21n],
  ["CAP_SYS_NICE", 23n],
] as const;

const CONTAINER_FILES = [
  ["/.dockerenv", "Docker (/.dockerenv)"],
  ["/run/.containerenv", "Podman (/run/.containerenv)"],
] as const;

const CGROUP_NAMES = /docker|containerd|kubepods|libpod|lxc/;

function read(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
}

function readNumber(path: string): number | null {
  const text = read(path)?.trim() ?? "";
  return /^-?\d+$/.test(text) ? Number(text) : null;
}

/** A line "Name:\tvalue" of /proc/self/status. */
function statusField(status: string | null, name: string): string | null {
  return new RegExp(`^${name}:\\s*(\\S+)`, "m").exec(status ?? "")?.[1] ?? null;
}

function capabilitiesOf(status: string | null): string[] {
  const text = statusField(status, "CapEff");
  if (text === null || !/^[0-9a-f]+$/i.test(text)) return [];
  const bits = BigInt(`0x${text}`);
  return CAPABILITIES.filter(([, bit]) => ((bits >> bit) & 1n) === 1n).map(([name]) => name);
}

function seccompOf(status: string | null): Environment["seccomp"] {
  const modes = { "0": "off", "1": "strict", "2": "filter" } as const;
  const mode = statusField(status, "Seccomp");
  return mode === "0" || mode === "1" || mode === "2" ? modes[mode] : "unknown";
}

function containerSigns(): string[] {
  const signs: string[] = CONTAINER_FILES.filter(([path]) => existsSync(path)).map(
    ([, sign]) => sign,
  );
  const variable = process.env.container;
  if (variable !== undefined) signs.push(`the variable container=${variable}`);
  if (process.env.KUBERNETES_SERVICE_HOST !== undefined) signs.push("Kubernetes");
  const group = CGROUP_NAMES.exec(read("/proc/self/cgroup") ?? "")?.[0];
  if (group !== undefined) signs.push(`a control group of ${group}`);
  const version = read("/proc/version") ?? "";
  if (version.includes("gVisor")) signs.push("gVisor");
  if (/microsoft/i.test(version)) signs.push("WSL");
  return signs;
}

/** [soft, hard] bytes; null is unlimited or, without system calls and without /proc, unknown. */
function memlockLimits(syscalls: Syscalls | null): [soft: number | null, hard: number | null] {
  const limits = syscalls?.getMemlockLimit() ?? -1;
  const finite = (value: number) => (Number.isFinite(value) ? value : null);
  if (typeof limits !== "number") return [finite(limits[0]), finite(limits[1])];
  const line = /^Max locked memory\s+(\S+)\s+(\S+)/m.exec(read("/proc/self/limits") ?? "");
  return [finite(Number(line?.[1])), finite(Number(line?.[2]))];
}

export function readEnvironment(syscalls: Syscalls | null): Environment {
  const status = read("/proc/self/status");
  const [memlockSoftBytes, memlockHardBytes] = memlockLimits(syscalls);
  return {
    platform: process.platform,
    kernel: release(),
    machine: arch(),
    node: process.version,
    userId: process.geteuid?.() ?? null,
    capabilities: capabilitiesOf(status),
    memlockSoftBytes,
    memlockHardBytes,
    ioUringDisabled: readNumber("/proc/sys/kernel/io_uring_disabled"),
    ioUringGroup: readNumber("/proc/sys/kernel/io_uring_group"),
    seccomp: seccompOf(status),
    container: containerSigns(),
  };
}
