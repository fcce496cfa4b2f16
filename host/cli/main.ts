#!/usr/bin/env node
/**
 * The command line's entry: the commands, and the one place where failures become a sentence and an
 * exit code.
 */
import { Command } from "commander";
import { version } from "../../package.json";
import { benchCommand } from "./bench";
import { FIGURE_COMMAND, figureCommand } from "./bench-figure";
import { ExitCode } from "./exit-code";
import { reportFailure } from "./failure";
import { probeCommand } from "./probe";
import { runCommand } from "./run";
import { settleOptionalValues } from "./settle";

const EXAMPLES = `
Examples:
  $ wasm-uring probe
  $ wasm-uring run --file input=access.log scan.wasm ERROR
  $ wasm-uring run --help`;

function makeProgram(): Command {
  const program = new Command("wasm-uring")
    .description(
      "io_uring passthrough for WebAssembly: a sandboxed guest drives the kernel's real rings.",
    )
    .version(version)
    .enablePositionalOptions()
    .addHelpText("after", EXAMPLES)
    // "--sqpoll [ms]" as it must be typed.
    .configureHelp({ optionTerm: (option) => option.flags.replace(" [", "[=") })
    // Failures are thrown and told by reportFailure, on one line.
    .exitOverride()
    .configureOutput({ outputError: () => undefined });
  for (const command of [runCommand(), probeCommand(), benchCommand()]) {
    program.addCommand(command.copyInheritedSettings(program));
  }
  program.addCommand(figureCommand().copyInheritedSettings(program), { hidden: true });
  return program;
}

/** `bench --figure` is a command of its own: the option counts wherever it stands. */
function commandName(name: string, rest: readonly string[]): string {
  return name === "bench" && rest.includes("--figure") ? FIGURE_COMMAND : name;
}

async function main(words: readonly string[]): Promise<number> {
  const program = makeProgram();
  const [first, ...rest] = words;
  if (first === undefined) {
    process.stderr.write(program.helpInformation());
    return ExitCode.BAD_INPUT;
  }
  const name = commandName(first, rest);
  const command = program.commands.find((candidate) => candidate.name() === name);
  const settled =
    command === undefined ? [...words] : [name, ...settleOptionalValues(command, rest)];
  await program.parseAsync(settled, { from: "user" });
  return Number(process.exitCode ?? ExitCode.SUCCESS);
}

// A reader that went away (`| head`) is no failure of ours.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
});

main(process.argv.slice(2)).then(
  (exitCode) => {
    process.exitCode = exitCode;
  },
  (error: unknown) => {
    process.exitCode = reportFailure(error);
  },
);
