/** `wasm-uring probe`: the report of what this machine allows, for people or as JSON. */
import { Command } from "commander";
import type { Capability, Environment, HostileCheck, ProbeReport } from "../probe";
import { probe } from "../probe";
import { ExitCode } from "./exit-code";
import { columns, heading, paint } from "./paint";
import { startProgress } from "./progress";
import { formatBytes } from "./report";

const EXAMPLES = `
Exit code: 0; 1 when a hostile check was not refused; 2 when probing failed.

Examples:
  $ wasm-uring probe
  $ wasm-uring probe --json | jq .choice.engine`;

export function probeCommand(): Command {
  return new Command("probe")
    .summary("show what this machine allows")
    .description(
      "Show what this kernel, user and container allow, and which engine guests would get.",
    )
    .option("--json", "print the report as one JSON object")
    .addHelpText("after", EXAMPLES)
    .action(runProbe);
}

async function runProbe(flags: { json?: boolean }): Promise<void> {
  const progress = startProgress("asking the kernel");
  let report: ProbeReport;
  try {
    report = await probe();
  } finally {
    progress.stop();
  }
  const escaped = report.hostile.some((check) => check.verdict === "ESCAPED");
  process.stdout.write(flags.json === true ? `${JSON.stringify(report)}\n` : renderProbe(report));
  process.exitCode = escaped ? ExitCode.ESCAPED : ExitCode.SUCCESS;
}

function limit(bytes: number | null): string {
  return bytes === null ? "unlimited" : formatBytes(bytes);
}

function sysctl(value: number | null): string {
  return value === null ? "not there" : String(value);
}

function environmentRows(environment: Environment): string[][] {
  const { capabilities, container } = environment;
  const powers = capabilities.length === 0 ? "no special capabilities" : capabilities.join(", ");
  const everywhere = [
    ["kernel", `${environment.platform} ${environment.kernel}, ${environment.machine}`],
    ["node", environment.node],
    ["user", `${environment.userId ?? "unknown"} (${powers})`],
  ];
  if (environment.platform !== "linux") return everywhere;
  return [
    ...everywhere,
    [
      "memlock",
      `${limit(environment.memlockSoftBytes)}, at most ${limit(environment.memlockHardBytes)}`,
    ],
    ["kernel.io_uring_disabled", sysctl(environment.ioUringDisabled)],
    ["kernel.io_uring_group", sysctl(environment.ioUringGroup)],
    ["seccomp", environment.seccomp],
    ["container", container.length === 0 ? "no signs of one" : container.join(", ")],
  ];
}

function capabilityRow({ name, available, answer, meaning }: Capability): string[] {
  const mark = available === true ? paint.green("yes") : paint.yellow(`no (${answer})`);
  return [name, available === null ? paint.dim(answer) : mark, paint.dim(meaning)];
}

function hostileRow({ name, verdict, answer }: HostileCheck): string[] {
  const shown = `${verdict} (${answer})`;
  if (verdict === "ESCAPED" || verdict === "failed") return [name, paint.red(paint.bold(shown))];
  return [name, paint.green(shown)];
}

function oracleLine({ oracle }: ProbeReport): string {
  if (oracle.present === null) return "";
  const text = oracle.present
    ? `present: answers ${oracle.answers.join(" / ")} for unmapped / zero / other host bytes`
    : "not present";
  const shown = oracle.present ? paint.yellow(text) : paint.green(text);
  return columns([["attr_ptr oracle (a known limit)", shown]]);
}

function choiceRows({ choice }: ProbeReport): string[][] {
  const rows = choice.ladder.map((step) => [
    step.engine,
    step.taken ? paint.green("taken") : paint.yellow("passed over"),
    step.reason,
  ]);
  if (choice.setupFlags.length === 0) return rows;
  return [...rows, ["set-up flags", "", choice.setupFlags.join(" ")]];
}

export function renderProbe(report: ProbeReport): string {
  const { choice, opcodes, hostile, advice } = report;
  const known = opcodes.filter((opcode) => opcode.supported).map((opcode) => opcode.name);
  const unknown = opcodes.filter((opcode) => !opcode.supported).map((opcode) => opcode.name);
  const opcodeRows = [["known", known.join(" ")]];
  if (unknown.length > 0) opcodeRows.push(["unknown", paint.yellow(unknown.join(" "))]);
  const engine = choice.engine === null ? paint.red("none") : paint.green(choice.engine);
  const sections = [
    `${paint.bold("Engine for guests:")} ${engine}: ${choice.reason}\n`,
    choice.ladder.length === 0 ? "" : columns(choiceRows(report)),
    heading("This machine"),
    columns(environmentRows(report.environment)),
    report.capabilities.length === 0
      ? ""
      : heading("What io_uring can do here") + columns(report.capabilities.map(capabilityRow)),
    opcodes.length === 0 ? "" : heading("Opcodes that a policy may allow") + columns(opcodeRows),
    hostile.length === 0
      ? ""
      : heading(`A hostile guest on the ${choice.engine ?? ""} engine`) +
        columns(hostile.map(hostileRow)) +
        oracleLine(report),
    advice.length === 0
      ? ""
      : heading("What you can do") + advice.map((sentence) => `  - ${sentence}\n`).join(""),
  ];
  return sections.join("");
}
