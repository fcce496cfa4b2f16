/** A guest that writes descriptors as it likes: one attack on a bench, and what the server made of it. */
import { VirtioBlkType, VringDesc, VringDescFlag } from "../../assembly/abi/index";
import type { QueueFault } from "../../host/virtio/queue-fault";
import type { BlkBench } from "./blk-driver";

const { NEXT, WRITE } = VringDescFlag;

/** The window of a bench. */
export const WINDOW_START = 0x20000n;
export const WINDOW_END = WINDOW_START + 1024n * 1024n;

/** One descriptor, each field as a guest may write it. */
export interface RawDescriptor {
  address: bigint;
  length: number;
  flags: number;
  next?: number;
}

export function writeRaw(bench: BlkBench, table: number, index: number, raw: RawDescriptor): void {
  const at = table - bench.area.window.offset + index * VringDesc.SIZE;
  bench.driver.view.setBigUint64(at + VringDesc.ADDR, raw.address & 0xffff_ffff_ffff_ffffn, true);
  bench.driver.view.setUint32(at + VringDesc.LEN, raw.length, true);
  bench.driver.view.setUint16(at + VringDesc.FLAGS, raw.flags, true);
  bench.driver.view.setUint16(at + VringDesc.NEXT, raw.next ?? 0, true);
}

/** A read of sector 0 whose descriptors are `raw` from entry 0 on; the header lies at `free`. */
export function attack(bench: BlkBench, raw: readonly RawDescriptor[]): QueueFault {
  bench.writeHeader(bench.free, VirtioBlkType.IN, 0n);
  raw.forEach((descriptor, index) => {
    writeRaw(bench, bench.driver.setup.descOffset, index, descriptor);
  });
  bench.driver.offer(0);
  bench.driver.publish();
  bench.server.serveAvail();
  bench.server.reapCompletions();
  return bench.server.fault;
}

export function header(bench: BlkBench, next = 1): RawDescriptor {
  return { address: BigInt(bench.free), length: 16, flags: NEXT, next };
}

/** A status byte that a chain may end with. */
export function status(bench: BlkBench): RawDescriptor {
  return { address: BigInt(bench.free + 16), length: 1, flags: WRITE };
}

/** A data buffer to write, between header and status. */
export function withData(address: bigint, length: number): (bench: BlkBench) => RawDescriptor[] {
  return (bench) => [
    header(bench),
    { address, length, flags: WRITE | NEXT, next: 2 },
    status(bench),
  ];
}
