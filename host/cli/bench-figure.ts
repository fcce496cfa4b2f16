/**
 * `wasm-uring bench --figure`: every data path at every depth, as tables, JSON and charts. A command
 * of its own behind bench's option, because its options are others.
 */
import { Command, Option } from "commander";
import { parseRampTime, parseRuntime } from "./bench/parse";
import { ExitCode } from "./exit-code";
import { writeError } from "./failure";
import { makeOutput, writeFigure } from "./figure/output";
import { type FigureReport, readReport } from "./figure/report";
import { runFigure } from "./figure/run";
import {
  checkSettings,
  DEPTHS,
  type FigureSettings,
  parseDepths,
  parseNames,
  parseRounds,
  parseSize,
  parseSystems,
  QUICK_DEPTHS,
} from "./figure/settings";
import {
  CACHE_NAMES,
  type CacheName,
  FIGURE_RW_NAMES,
  type FigureRw,
  SYSTEMS,
  type System,
} from "./figure/systems";
import { renderFigure } from "./figure/table";
import { abortOnSignal } from "./interrupt";
import { startProgress } from "./progress";

/** As the words must be typed: commander finds a command by its whole name. */
export const FIGURE_COMMAND = "bench --figure";

interface FigureFlags {
  rounds?: number;
  depths?: number[];
  only?: System[];
  rw?: FigureRw[];
  cache?: CacheName[];
  runtime?: number;
  rampTime?: number;
  file?: string;
  directory?: string;
  size?: number;
  output: string;
  from?: string;
  quick?: boolean;
  json?: boolean;
}

const FULL = { rounds: 5, depths: DEPTHS, runtime: 0.4, rampTime: 0.1, sizeBytes: 256 << 20 };
const QUICK = {
  rounds: 1,
  depths: QUICK_DEPTHS,
  runtime: 0.08,
  rampTime: 0.02,
  sizeBytes: 64 << 20,
};

const EXAMPLES = `
Systems: ${SYSTEMS.map((system) => system.name).join(", ")}.

Every point is one \`wasm-uring bench\` in a process of its own. A round visits
every system once at each depth; medians of the rounds are shown with the least
and the most. What cannot run here is listed with the reason. Writes go only to a
file that the figure makes itself and removes afterwards.

Exit code: 0; 1 when a point failed, or a system named by --only cannot run;
2 for bad input.

Examples:
  $ wasm-uring bench --figure --quick
  $ wasm-uring bench --figure --rounds 7 --output figure
  $ wasm-uring bench --figure --only passthrough,native --cache direct --rw randread
  $ wasm-uring bench --figure --from figure/figure.json --output charts`;

export function figureCommand(): Command {
  return new Command(FIGURE_COMMAND)
    .summary("measure every data path at every depth and draw charts")
    .description("Measure kIOPS, CPU time and latency of every data path over queue depth.")
    .addOption(new Option("--figure", "this command").hideHelp())
    .option("--quick", "the whole in under a minute: few depths, short points, one round")
    .addOption(
      new Option("--rounds <n>", `interleaved rounds (default: ${FULL.rounds})`).argParser(
        parseRounds,
      ),
    )
    .addOption(
      new Option(
        "--depths <list>",
        `queue depths, with commas (default: ${DEPTHS.join(",")})`,
      ).argParser(parseDepths),
    )
    .addOption(
      new Option("--only <systems>", "these systems, with commas (default: all)").argParser(
        parseSystems,
      ),
    )
    .addOption(
      new Option("--rw <kinds>", `${FIGURE_RW_NAMES.join(",")} (default: both)`).argParser((text) =>
        parseNames("--rw", text, FIGURE_RW_NAMES),
      ),
    )
    .addOption(
      new Option("--cache <kinds>", `${CACHE_NAMES.join(",")} (default: both)`).argParser((text) =>
        parseNames("--cache", text, CACHE_NAMES),
      ),
    )
    .addOption(
      new Option("--runtime <s>", `seconds of a point (default: ${FULL.runtime})`).argParser(
        parseRuntime,
      ),
    )
    .addOption(
      new Option(
        "--ramp-time <s>",
        `seconds of the same load before it counts (default: ${FULL.rampTime})`,
      ).argParser(parseRampTime),
    )
    .option("-f, --file <path>", "read from this file; nothing is written then")
    .option("--directory <path>", "where the temporary file is made (default: here)")
    .addOption(
      new Option("--size <bytes>", "its size, with k, m or g (default: 256m)").argParser(parseSize),
    )
    .option("-o, --output <path>", "folder for figure.json and the charts", "figure")
    .option("--from <json>", "measure nothing: draw the charts of this figure.json again")
    .option("--json", "print the JSON on stdout in place of the tables")
    .addHelpText("after", EXAMPLES)
    .action(figure);
}

function settingsOf(flags: FigureFlags): FigureSettings {
  const preset = flags.quick === true ? QUICK : FULL;
  const readOnly = flags.file !== undefined;
  return checkSettings({
    systems: flags.only ?? SYSTEMS,
    named: flags.only !== undefined,
    rws: flags.rw ?? (readOnly ? ["randread"] : FIGURE_RW_NAMES),
    caches: flags.cache ?? CACHE_NAMES,
    depths: flags.depths ?? preset.depths,
    rounds: flags.rounds ?? preset.rounds,
    runtime: flags.runtime ?? preset.runtime,
    rampTime: flags.rampTime ?? preset.rampTime,
    file: flags.file ?? null,
    directory: flags.directory ?? ".",
    sizeBytes: flags.size ?? preset.sizeBytes,
    quick: flags.quick === true,
  });
}

/** null after an interrupt. */
async function measure(settings: FigureSettings): Promise<FigureReport | null> {
  const interrupt = abortOnSignal();
  const progress = startProgress("starting");
  try {
    return await runFigure(settings, interrupt.signal, (text) => progress.update(text));
  } catch (error) {
    const received = interrupt.received();
    if (received === null) throw error;
    process.exitCode = received === "SIGTERM" ? ExitCode.TERMINATED : ExitCode.INTERRUPTED;
    return null;
  } finally {
    progress.stop();
    interrupt.dispose();
  }
}

/** A system that was named is measured or the command has failed. */
function judge(report: FigureReport, named: boolean): void {
  const { failures, skipped } = report;
  const [first] = named && failures.length === 0 ? skipped : failures;
  if (first === undefined) return;
  const count = failures.length > 0 ? `${failures.length} points failed` : "not every system ran";
  writeError(`${count}, the first of ${first.system}: ${first.reason}`);
  process.exitCode = 1;
}

async function figure(flags: FigureFlags): Promise<void> {
  if (flags.from !== undefined) {
    const report = readReport(flags.from);
    await finish(report, flags);
    return;
  }
  const settings = settingsOf(flags);
  makeOutput(flags.output);
  const report = await measure(settings);
  if (report === null) return;
  await finish(report, flags);
  judge(report, settings.named);
}

async function finish(report: FigureReport, flags: FigureFlags): Promise<void> {
  const files = await writeFigure(report, flags.output);
  if (flags.json === true) {
    process.stdout.write(`${JSON.stringify(report)}\n`);
    return;
  }
  const [json = "", ...charts] = files;
  process.stdout.write(renderFigure(report));
  process.stdout.write(`\nwritten: ${json} and ${charts.length} charts beside it\n`);
}
