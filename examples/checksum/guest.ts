/** Prints the xxHash64 of the grant "input" as `xxhsum -H64` does: 16 hexadecimal digits. */
import { Errno, exit, openGrant, print, printError, Ring, SequentialReader } from "../../assembly";
import { XxHash64 } from "./guest/xxhash64";

const DEPTH: u32 = 32;
/** A multiple of the hash's stripe: only the file's last block leaves bytes over. */
const BLOCK_BYTES: u32 = 64 << 10;

export function _start(): void {
  const input = openGrant("input");
  const ring = Ring.create(DEPTH * BLOCK_BYTES);
  const reader = new SequentialReader(ring, input, DEPTH, BLOCK_BYTES);
  const hash = new XxHash64();
  let rest: usize = 0;
  let end: usize = 0;
  while (reader.next()) {
    end = reader.block + reader.length;
    rest = hash.update(reader.block, end);
  }
  if (reader.error != 0) {
    printError("checksum: reading input: " + Errno[-reader.error]);
    exit(1);
  }
  print(hash.finish(rest, end).toString(16).padStart(16, "0"));
}
