/**
 * The command line's `--device NAME=PATH[,key=value|,flag]...`, as in `disk=disk.img,path=vhost-blk,poll-us=100,ro`.
 * PATH is the disk's file; of vhost-user-blk the daemon's socket, of vdpa-sim the size in memory. What follows the
 * first comma are words of a fixed list; a file with a comma in its name needs the library.
 */
import { WasmUringError } from "../errors";
import { nearest } from "../nearest";
import { checkDevice } from "./check";
import type { DeviceRequest } from "./options";

const FORM = "--device NAME=PATH[,path=virtio-blk][,aio=io_uring][,iothread][,direct][,ro]...";

/** Words without a value, and the key of the request that each sets. */
const FLAGS: ReadonlyMap<string, string> = new Map([
  ["iothread", "iothread"],
  ["direct", "direct"],
  ["ro", "readOnly"],
]);
const TEXTS: ReadonlyMap<string, string> = new Map([
  ["path", "path"],
  ["aio", "aio"],
]);
const NUMBERS: ReadonlyMap<string, string> = new Map([
  ["threads", "threads"],
  ["poll-us", "pollUs"],
  ["reconnect-ms", "reconnectMs"],
]);
const WORDS = [...TEXTS.keys(), ...NUMBERS.keys(), ...FLAGS.keys()];
const UNITS: Readonly<Record<string, number>> = { "": 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30 };

export interface DeviceOption {
  name: string;
  request: DeviceRequest;
}

function bad(text: string, why: string, whatToDo = `write ${FORM}`): WasmUringError {
  const what = `reading --device ${JSON.stringify(text)}`;
  return new WasmUringError("ERR_BAD_OPTION", { what, why, whatToDo });
}

function unknownWord(text: string, word: string): WasmUringError {
  const near = nearest(word, WORDS);
  const known = `known are ${WORDS.join(", ")}`;
  return bad(
    text,
    `there is no word "${word}"`,
    near === undefined ? known : `did you mean "${near}"? ${known}`,
  );
}

/** One word after the path: the key and the value of the request. */
function parseWord(text: string, word: string): [key: string, value: unknown] {
  const equals = word.indexOf("=");
  const name = equals < 0 ? word : word.slice(0, equals);
  const flag = FLAGS.get(name);
  if (flag !== undefined) {
    if (equals >= 0) throw bad(text, `"${name}" takes no value`);
    return [flag, true];
  }
  const isNumber = NUMBERS.has(name);
  const key = TEXTS.get(name) ?? NUMBERS.get(name);
  if (key === undefined) throw unknownWord(text, name);
  const value = word.slice(equals + 1);
  if (equals < 0 || value === "") throw bad(text, `"${name}" has no value`);
  if (!isNumber) return [key, value];
  if (!/^\d{1,10}$/.test(value)) {
    throw bad(text, `${name} "${value}" is not a whole number from 0, of ten digits at most`);
  }
  return [key, Number(value)];
}

function parseSize(text: string, size: string): number {
  const [, digits = "", unit = ""] = /^(\d{1,12})([kmg]?)$/i.exec(size) ?? [];
  const bytes = digits === "" ? 0 : Number(digits) * (UNITS[unit.toLowerCase()] ?? 0);
  if (bytes > 0) return bytes;
  throw bad(text, `"${size}" is not a size`, "write NAME=64m,path=vdpa-sim");
}

/** What stands for the file on this path. */
function sourceOf(text: string, path: unknown, source: string): Record<string, unknown> {
  if (path === "vhost-user-blk") return { socket: source };
  if (path === "vdpa-sim") return { capacityBytes: parseSize(text, source) };
  return { file: source };
}

/** @throws WasmUringError ERR_BAD_OPTION */
export function parseDeviceOption(text: string): DeviceOption {
  const equals = text.indexOf("=");
  if (equals < 0) throw bad(text, 'there is no "=" between a name and a path');
  const name = text.slice(0, equals);
  if (name === "") throw bad(text, 'there is no name before the "="');
  const [source = "", ...words] = text.slice(equals + 1).split(",");
  if (source === "") throw bad(text, 'there is no path after the "="');
  const given = new Map<string, unknown>([["path", "virtio-blk"]]);
  const seen = new Set<string>();
  for (const word of words) {
    const [key, value] = parseWord(text, word);
    if (seen.has(key)) throw bad(text, `"${word.split("=")[0]}" stands twice`);
    seen.add(key);
    given.set(key, value);
  }
  const request = { ...Object.fromEntries(given), ...sourceOf(text, given.get("path"), source) };
  return { name, request: checkDevice(name, request) };
}
