/**
 * The load generator: `iodepth` operations in flight on the grant "data" for `runtime` seconds by
 * this guest's own ring, then one line of JSON. `wasm-uring bench` runs it; by hand:
 *
 *   wasm-uring run --file data=PATH load.wasm --rw randread --bs 4k --iodepth 32 --runtime 1
 */
import { exit, openGrant, Ring } from "../../assembly";
import { Load } from "./loop";
import { parseOptions, refuse } from "./options";
import { reportLine } from "./report";

/** 64 SQEs and 128 CQEs fill one page each: smaller rings save nothing. */
const ENTRIES_MIN: u32 = 64;

function entriesFor(depth: u32): u32 {
  let entries = ENTRIES_MIN;
  while (entries < depth) entries <<= 1;
  return entries;
}

export function _start(): void {
  const options = parseOptions();
  const data = openGrant("data");
  const isAllowed = options.isWrite ? data.canWrite : data.canRead;
  if (!isAllowed) refuse("the grant does not allow " + options.rw);
  if (data.sizeBytes < options.bs) refuse("the file is smaller than one block");

  const ring = Ring.create(options.iodepth * options.bs, entriesFor(options.iodepth));
  const load = new Load(ring, data, options);
  load.run();
  reportLine(
    load.ios,
    load.bytes,
    load.elapsedNs,
    load.cpuNs,
    load.calls,
    load.errors,
    load.firstErrno,
    load.shorts,
    load.histogram,
  );
  while (options.hold) ring.submitAndWait(1);
  if (load.errors > 0) exit(1);
}
