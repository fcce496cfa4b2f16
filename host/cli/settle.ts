/**
 * Options with an optional value, such as --sqpoll[=MS]. commander would take the next word as the
 * value, and that word is usually the guest. So a value counts only with an equals sign: a bare
 * option gets its preset written out before commander sees it. The words from the first operand on
 * belong to the guest and are left alone.
 */
import type { Command, Option } from "commander";

/** `words` are those after the command's name. */
export function settleOptionalValues(command: Command, words: readonly string[]): string[] {
  const settled: string[] = [];
  for (let index = 0; index < words.length; index++) {
    const word = words[index] ?? "";
    if (word === "--" || word === "-" || !word.startsWith("-"))
      return [...settled, ...words.slice(index)];
    const option = command.options.find((candidate) =>
      [candidate.long, candidate.short].includes(word),
    );
    settled.push(option?.optional === true ? `${word}=${presetOf(option)}` : word);
    const value = words[index + 1];
    if (option?.required === true && value !== undefined) {
      settled.push(value);
      index++;
    }
  }
  return settled;
}

function presetOf(option: Option): string {
  const preset: unknown = option.presetArg;
  return typeof preset === "string" ? preset : "";
}
