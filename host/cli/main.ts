#!/usr/bin/env node
/**
 * The command line's entry: the commands, and the one place where failures become a sentence and an
 * exit code.
 */
import { Command } from "commander";
import { version } from "../../package.json";
import { benchCommand } from "./bench";
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
  return program;
}

async function main(words: readonly string[]): Promise<number> {
  const program = makeProgram();
  const [name, ...rest] = words;
  if (name === undefined) {
    process.stderr.write(program.helpInformation());
    return ExitCode.BAD_INPUT;
  }
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
