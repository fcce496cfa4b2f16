/**
 * Checks the shape of what an embedder says of its devices, before anything is opened: names, the path, the keys that
 * this path takes, values and their bounds. Every way to get it wrong ends in one sentence that names the wrong word.
 */
import { resolve } from "node:path";
import * as v from "valibot";
import { VIRTIO_BLK_SECTOR_BYTES } from "../abi";
import { WasmUringError } from "../errors";
import { NAME_BYTES_MAX } from "../grant/check";
import { nearest } from "../nearest";
import type { DataPathName, DeviceRequest } from "./options";

export const DATA_PATHS: readonly DataPathName[] = [
  ...(["passthrough", "virtio-blk", "vhost-blk"] as const),
  ...(["vhost-user-blk", "vdpa-sim"] as const),
];
export const AIO_NAMES = ["threads", "native", "io_uring"] as const;

export const DEVICES_MAX = 16;
export const THREADS_MAX = 64;
export const POLL_US_MAX = 1_000_000;
export const RECONNECT_MS_MAX = 600_000;
export const CAPACITY_BYTES_MAX = 2 ** 40;

const FILE_MESSAGE = "must be a path: a string, not empty, without a NUL";
const file = v.pipe(
  v.string(FILE_MESSAGE),
  v.nonEmpty(FILE_MESSAGE),
  v.excludes("\0", FILE_MESSAGE),
);
const flag = v.exactOptional(v.boolean("must be true or false"));
const aio = v.exactOptional(v.picklist(AIO_NAMES, `must be one of ${AIO_NAMES.join(", ")}`));

function whole(minimum: number, maximum: number, unit: string) {
  const message = `must be a whole number of ${unit} from ${minimum} to ${maximum}`;
  return v.pipe(
    v.number(message),
    v.check(
      (value) => Number.isSafeInteger(value) && value >= minimum && value <= maximum,
      message,
    ),
  );
}

const threads = v.exactOptional(whole(1, THREADS_MAX, "threads"));
const pollUs = v.exactOptional(whole(0, POLL_US_MAX, "microseconds"));
const reconnectMs = v.exactOptional(whole(0, RECONNECT_MS_MAX, "milliseconds"));
const capacityBytes = v.pipe(
  whole(VIRTIO_BLK_SECTOR_BYTES, CAPACITY_BYTES_MAX, "bytes"),
  v.check(
    (value) => value % VIRTIO_BLK_SECTOR_BYTES === 0,
    `must be a multiple of the sector's ${VIRTIO_BLK_SECTOR_BYTES} bytes`,
  ),
);

const fileBacked = { file, direct: flag, readOnly: flag };

/** The keys that each path takes, beside `path`. */
const ENTRIES = {
  passthrough: fileBacked,
  "virtio-blk": { ...fileBacked, aio, iothread: flag, threads },
  "vhost-blk": { ...fileBacked, aio, threads, pollUs },
  "vhost-user-blk": { socket: file, reconnectMs },
  "vdpa-sim": { capacityBytes, readOnly: flag, pollUs },
} as const satisfies Readonly<Record<DataPathName, v.ObjectEntries>>;

/** One schema a path: the word before it tells which. */
const Schema = v.variant("path", [
  v.strictObject({ path: v.literal("passthrough"), ...ENTRIES.passthrough }),
  v.strictObject({ path: v.literal("virtio-blk"), ...ENTRIES["virtio-blk"] }),
  v.strictObject({ path: v.literal("vhost-blk"), ...ENTRIES["vhost-blk"] }),
  v.strictObject({ path: v.literal("vhost-user-blk"), ...ENTRIES["vhost-user-blk"] }),
  v.strictObject({ path: v.literal("vdpa-sim"), ...ENTRIES["vdpa-sim"] }),
]);

/** How messages begin: `device "disk" by virtio-blk`. */
export function describeDevice(name: string, path?: string): string {
  const shown = JSON.stringify(name.length > 80 ? `${name.slice(0, 80)}...` : name);
  return path === undefined ? `device ${shown}` : `device ${shown} by ${path}`;
}

export function badDevice(what: string, why: string, whatToDo?: string): WasmUringError {
  return new WasmUringError("ERR_BAD_OPTION", {
    what,
    why,
    ...(whatToDo === undefined ? {} : { whatToDo }),
  });
}

/** A hint for an unknown word: the nearest known one first, then all of them. */
function known(word: string, words: readonly string[]): string {
  const near = nearest(word, words);
  const list = `known are ${words.join(", ")}`;
  return near === undefined ? list : `did you mean "${near}"? ${list}`;
}

/** @throws WasmUringError ERR_BAD_OPTION when the name can be none */
function checkName(name: string): void {
  const bytes = Buffer.byteLength(name, "utf8");
  let why: string | undefined;
  if (name === "") why = "the name is empty";
  else if (name.includes("\0")) why = "the name holds a NUL";
  else if (bytes > NAME_BYTES_MAX)
    why = `the name has ${bytes} bytes, at most ${NAME_BYTES_MAX} are allowed`;
  else if (Buffer.from(name, "utf8").toString("utf8") !== name)
    why = "the name is not valid Unicode";
  if (why !== undefined) throw badDevice(describeDevice(name), why);
}

/** @throws WasmUringError ERR_BAD_OPTION when there is no such path */
export function checkDataPath(name: string, path: unknown): DataPathName {
  const found = DATA_PATHS.find((candidate) => candidate === path);
  if (found !== undefined) return found;
  const what = describeDevice(name);
  if (path === undefined)
    throw badDevice(what, '"path" is missing', `use one of ${DATA_PATHS.join(", ")}`);
  const word = String(path).slice(0, 64);
  throw badDevice(what, `there is no path "${word}"`, known(word, DATA_PATHS));
}

/** Keys that another path takes deserve a better answer than those that none does. */
function whyNoKey(key: string): string {
  const others = DATA_PATHS.filter((other) => key in ENTRIES[other]);
  return others.length === 0
    ? `there is no key "${key}"`
    : `"${key}" is for ${others.join(" and ")}`;
}

/**
 * Checks one device of unknown shape; the answer is a copy, so that what was checked is what is used.
 *
 * @throws WasmUringError ERR_BAD_OPTION
 */
export function checkDevice(name: string, input: unknown): DeviceRequest {
  checkName(name);
  if (typeof input !== "object" || input === null || Array.isArray(input)) {
    throw badDevice(describeDevice(name), "it must be an object: { path, file }");
  }
  const given = Object.entries(input).filter(([, value]) => value !== undefined);
  const copy: Readonly<Record<string, unknown>> = Object.fromEntries(given);
  const path = checkDataPath(name, copy["path"]);
  const what = describeDevice(name, path);
  const keys = ["path", ...Object.keys(ENTRIES[path])];
  for (const key of Object.keys(copy)) {
    if (!keys.includes(key)) throw badDevice(what, whyNoKey(key), known(key, keys));
  }
  const result = v.safeParse(Schema, copy, { abortEarly: true });
  if (!result.success) {
    const [issue] = result.issues;
    const key = v.getDotPath(issue) ?? "it";
    const missing = !(key in copy);
    throw badDevice(what, missing ? `"${key}" is missing` : `"${key}" ${issue.message}`);
  }
  const request = result.output;
  if ("threads" in request && request.threads !== undefined && request.aio !== "threads") {
    throw badDevice(what, '"threads" is for aio "threads"', "leave it out, or use that aio");
  }
  return request;
}

/** A Map has no keys of its own: taken for an object it would be no devices at all. */
function isPlainObject(value: unknown): value is object {
  return (
    typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Map)
  );
}

/** @throws WasmUringError ERR_BAD_OPTION */
export function checkDevices(devices: unknown): ReadonlyMap<string, DeviceRequest> {
  if (!isPlainObject(devices)) {
    throw badDevice("option devices", "it must be an object: { name: { path, file } }");
  }
  const entries = Object.entries(devices);
  if (entries.length > DEVICES_MAX) {
    throw badDevice(`${entries.length} devices`, `a guest may have at most ${DEVICES_MAX}`);
  }
  const checked = new Map(entries.map(([name, input]) => [name, checkDevice(name, input)]));
  checkSockets(checked);
  return checked;
}

/** @throws WasmUringError ERR_BAD_OPTION for two devices of one daemon, which would answer the first alone */
function checkSockets(devices: ReadonlyMap<string, DeviceRequest>): void {
  const owners = new Map<string, string>();
  for (const [name, request] of devices) {
    if (request.path !== "vhost-user-blk") continue;
    const socket = resolve(request.socket);
    const owner = owners.get(socket);
    if (owner !== undefined) {
      throw badDevice(
        describeDevice(name, request.path),
        `the daemon at ${socket} is that of ${describeDevice(owner)}, and a socket serves one device`,
        "have the daemon export the disk once more, at a socket of its own",
      );
    }
    owners.set(socket, name);
  }
}
