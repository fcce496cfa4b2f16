/**
 * Builds a guest's standard streams from the embedder's words "inherit", "capture", "ignore", or
 * from descriptors of this process.
 */
import type { Syscalls } from "../ffi/syscalls";
import { type InheritOptions, inheritInput, inheritOutput, type PollCall } from "./inherit";
import type { CaptureSink, Stdio, Stream } from "./stream";
import { bytesInput, captureOutput, ignoreInput, ignoreOutput } from "./stream";

/** A number is a descriptor of this process; "inherit" stands for 0. */
export type InputChoice = "inherit" | "ignore" | string | Uint8Array | number;
/** A number is a descriptor of this process; "inherit" stands for 1 or 2. */
export type OutputChoice = "inherit" | "capture" | "ignore" | number;

export interface StdioChoice extends InheritOptions {
  /** Any other string than the two words is the input itself, as UTF-8. */
  stdin: InputChoice;
  stdout: OutputChoice;
  stderr: OutputChoice;
  /** The most that is captured of each stream. */
  limitBytes: number;
  capture: CaptureSink;
}

export function createStdio(choice: StdioChoice): Stdio {
  return {
    stdin: input(choice),
    stdout: output(1, choice.stdout, choice),
    stderr: output(2, choice.stderr, choice),
  };
}

function input(choice: StdioChoice): Stream {
  const { stdin } = choice;
  if (stdin === "inherit") return inheritInput(0, choice);
  if (typeof stdin === "number") return inheritInput(stdin, choice);
  if (stdin === "ignore") return ignoreInput();
  return bytesInput(typeof stdin === "string" ? new TextEncoder().encode(stdin) : stdin);
}

function output(fd: 1 | 2, word: OutputChoice, choice: StdioChoice): Stream {
  if (typeof word === "number") return inheritOutput(word, choice);
  switch (word) {
    case "inherit":
      return inheritOutput(fd, choice);
    case "capture":
      return captureOutput(fd, choice.capture, choice.limitBytes);
    case "ignore":
      return ignoreOutput();
  }
}

/** poll(2) through the table of system calls, with one struct pollfd made beforehand. */
export function pollBy(syscalls: Syscalls): PollCall {
  const entry = new Uint8Array(8);
  const view = new DataView(entry.buffer);
  return (fd, events, timeoutMs) => {
    view.setInt32(0, fd, true);
    view.setInt16(4, events, true);
    view.setInt16(6, 0, true);
    const ready = syscalls.poll(entry, 1, timeoutMs);
    return ready > 0 ? view.getInt16(6, true) : ready;
  };
}
