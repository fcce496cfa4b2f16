/** What the host granted to this guest, found by name: a slot of the ring's fixed file table and what is known of it. */
import { GrantAccess, GrantInfo } from "./abi";
import { uringGrant } from "./host";
import { exit, printError } from "./wasi/process";

export class Grant {
  constructor(
    /** Slot for the `prep` functions. */
    readonly slot: i32,
    /** Size in bytes when it was granted; 0 for streams. */
    readonly sizeBytes: u64,
    /** Bits of GrantAccess. */
    readonly access: u32,
    /** One of GrantKind. */
    readonly kind: u32,
    /** What addresses, offsets and lengths must be multiples of; 1 unless O_DIRECT. */
    readonly alignmentBytes: u32,
  ) {}

  get canRead(): bool {
    return (this.access & GrantAccess.READ) != 0;
  }

  get canWrite(): bool {
    return (this.access & GrantAccess.WRITE) != 0;
  }
}

/** The grant of this name, or null when the host granted none. */
export function findGrant(name: string): Grant | null {
  const encoded = String.UTF8.encode(name);
  const info = heap.alloc(GrantInfo.SIZE);
  const slot = uringGrant(changetype<usize>(encoded), encoded.byteLength, info);
  let grant: Grant | null = null;
  if (slot >= 0) {
    grant = new Grant(
      slot,
      load<u64>(info, GrantInfo.SIZE_BYTES),
      load<u32>(info, GrantInfo.ACCESS),
      load<u32>(info, GrantInfo.KIND),
      load<u32>(info, GrantInfo.ALIGNMENT),
    );
  }
  heap.free(info);
  return grant;
}

/** The grant of this name; ends the program with exit code 2 and a clear message when there is none. */
export function openGrant(name: string): Grant {
  const grant = findGrant(name);
  if (grant === null) {
    printError("no grant named \"" + name + "\": give one by --file " + name + "=PATH");
    exit(2);
  }
  return grant!;
}
