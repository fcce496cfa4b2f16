/**
 * vhost-user messages as bytes: payloads are built here, and the header of an answer is judged here. Nothing is sent or
 * received; what the daemon says is believed in no more than its own size.
 */
import {
  ConfigHeader,
  Header,
  HeaderFlag,
  MemoryRegion,
  MemoryTable,
  Request,
  U64_BYTES,
  VringAddr,
  VringState,
} from "./layout";

/** The daemon broke the protocol. The message goes on from "the daemon ...". */
export class ProtocolViolation extends Error {}

function make(lengthBytes: number): DataView<ArrayBuffer> {
  return new DataView(new ArrayBuffer(lengthBytes));
}

const bytesOf = (view: DataView<ArrayBuffer>) => new Uint8Array(view.buffer);

export const NO_PAYLOAD = new Uint8Array(0);

export function u64Payload(value: bigint): Uint8Array {
  const view = make(U64_BYTES);
  view.setBigUint64(0, value, true);
  return bytesOf(view);
}

export function vringStatePayload(index: number, value: number): Uint8Array {
  const view = make(VringState.SIZE);
  view.setUint32(VringState.INDEX, index, true);
  view.setUint32(VringState.NUM, value, true);
  return bytesOf(view);
}

export interface VringAddresses {
  descriptors: number;
  used: number;
  available: number;
}

export function vringAddressPayload(index: number, addresses: VringAddresses): Uint8Array {
  const view = make(VringAddr.SIZE);
  view.setUint32(VringAddr.INDEX, index, true);
  view.setBigUint64(VringAddr.DESC_USER_ADDR, BigInt(addresses.descriptors), true);
  view.setBigUint64(VringAddr.USED_USER_ADDR, BigInt(addresses.used), true);
  view.setBigUint64(VringAddr.AVAIL_USER_ADDR, BigInt(addresses.available), true);
  return bytesOf(view);
}

export interface MemoryRegionRange {
  /** What addresses in descriptors count from. */
  guestAddress: number;
  /** What addresses of vrings count from. */
  userAddress: number;
  lengthBytes: number;
}

/** A table of one region, whose file is mapped from its beginning. */
export function memoryTablePayload(region: MemoryRegionRange): Uint8Array {
  const view = make(MemoryTable.SIZE + MemoryRegion.SIZE);
  const set = (field: number, value: number) =>
    view.setBigUint64(MemoryTable.SIZE + field, BigInt(value), true);
  view.setUint32(MemoryTable.REGIONS, 1, true);
  set(MemoryRegion.GUEST_PHYS_ADDR, region.guestAddress);
  set(MemoryRegion.MEMORY_SIZE, region.lengthBytes);
  set(MemoryRegion.USERSPACE_ADDR, region.userAddress);
  return bytesOf(view);
}

/** Asks for the first bytes of the configuration space. */
export function configPayload(lengthBytes: number): Uint8Array {
  const view = make(ConfigHeader.SIZE + lengthBytes);
  view.setUint32(ConfigHeader.LENGTH, lengthBytes, true);
  return bytesOf(view);
}

/** Header and payload in one piece. */
export function encodeMessage(
  request: Request,
  payload: Uint8Array,
  needReply: boolean,
): Uint8Array {
  const view = make(Header.SIZE + payload.length);
  const flags = HeaderFlag.VERSION | (needReply ? HeaderFlag.NEED_REPLY : 0);
  view.setUint32(Header.REQUEST, request, true);
  view.setUint32(Header.FLAGS, flags, true);
  view.setUint32(Header.LENGTH, payload.length, true);
  const bytes = bytesOf(view);
  bytes.set(payload, Header.SIZE);
  return bytes;
}

export function viewOfPayload(payload: Uint8Array): DataView {
  return new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
}

/**
 * Judges the header of an answer.
 *
 * @param lengthBytes what the payload must have; an empty payload, which is how a daemon says no, passes as well
 * @returns the payload's length: `lengthBytes` or 0
 * @throws ProtocolViolation
 */
export function checkReplyHeader(
  header: Uint8Array,
  request: Request,
  lengthBytes: number,
): number {
  const view = viewOfPayload(header);
  const answered = view.getUint32(Header.REQUEST, true);
  const flags = view.getUint32(Header.FLAGS, true);
  const length = view.getUint32(Header.LENGTH, true);
  const question = Request[request];
  if (
    (flags & HeaderFlag.VERSION_MASK) !== HeaderFlag.VERSION ||
    (flags & HeaderFlag.REPLY) === 0
  ) {
    throw new ProtocolViolation(`answers ${question} with what is no vhost-user reply`);
  }
  if (answered !== request) {
    throw new ProtocolViolation(`answers ${question} with message ${answered}`);
  }
  if (length !== lengthBytes && length !== 0) {
    throw new ProtocolViolation(
      `answers ${question} with ${length} bytes, where ${lengthBytes} are due`,
    );
  }
  return length;
}
