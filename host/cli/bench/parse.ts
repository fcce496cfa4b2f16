/** The values of bench's own options: fio's words, checked, refused in one sentence. */
import { SQ_ENTRIES_MAX } from "../../abi";
import { POLL_US_MAX } from "../../datapath/check";
import { badOption } from "../failure";

const BLOCK_BYTES_MAX = 256 << 20;
const RUNTIME_MAX_S = 86_400;
const UNITS: Readonly<Record<string, number>> = { "": 1, k: 1024, m: 1024 ** 2 };

export function parseBlockSize(text: string): number {
  const [, digits = "", unit = ""] = /^(\d{1,10})([km]?)$/i.exec(text) ?? [];
  const bytes = digits === "" ? 0 : Number(digits) * (UNITS[unit.toLowerCase()] ?? 0);
  if (bytes >= 1 && bytes <= BLOCK_BYTES_MAX) return bytes;
  throw badOption(
    `--bs "${text}"`,
    `it is not a size from 1 to ${BLOCK_BYTES_MAX} bytes`,
    "write bytes, with k or m for powers of 1024, as in 4k",
  );
}

export function parseDepth(text: string): number {
  const depth = /^\d{1,10}$/.test(text) ? Number(text) : 0;
  if (depth >= 1 && depth <= SQ_ENTRIES_MAX) return depth;
  throw badOption(`--iodepth "${text}"`, `it is not a whole number from 1 to ${SQ_ENTRIES_MAX}`);
}

function parseSeconds(text: string): number {
  const seconds = /^\d{1,6}(\.\d{1,6})?$/.test(text) ? Number(text) : Number.NaN;
  return seconds <= RUNTIME_MAX_S ? seconds : Number.NaN;
}

export function parseRuntime(text: string): number {
  const seconds = parseSeconds(text);
  if (seconds > 0) return seconds;
  throw badOption(
    `--runtime "${text}"`,
    `it is not a number of seconds above 0 and up to ${RUNTIME_MAX_S}`,
  );
}

export function parseRampTime(text: string): number {
  const seconds = parseSeconds(text);
  if (seconds >= 0) return seconds;
  throw badOption(
    `--ramp-time "${text}"`,
    `it is not a number of seconds from 0 to ${RUNTIME_MAX_S}`,
  );
}

export function parsePollTime(text: string): number {
  const us = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (us <= POLL_US_MAX) return us;
  throw badOption(
    `--poll-us "${text}"`,
    `it is not a whole number of microseconds from 0 to ${POLL_US_MAX}`,
  );
}

export function parseName<Name extends string>(
  option: string,
  text: string,
  names: readonly Name[],
): Name {
  const found = names.find((name) => name === text);
  if (found !== undefined) return found;
  throw badOption(`${option} "${text}"`, `there is no such value; choose ${names.join(", ")}`);
}
