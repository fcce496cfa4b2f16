/**
 * What is said to the daemon and in which order, as generators: each step yields a message and is resumed with the
 * payload of the answer. Who carries them is another's business: an event loop that must not block (`describe.ts`), or
 * a guest's thread that may (`link.ts`).
 */
import { VirtioBlkConfig } from "../../abi";
import type { QueueSetup } from "../../virtio/service";
import { type DaemonDescription, readDescription } from "./description";
import {
  ConfigHeader,
  F_PROTOCOL_FEATURES,
  ProtocolFeature,
  Request,
  U64_BYTES,
  VringState,
} from "./layout";
import {
  configPayload,
  memoryTablePayload,
  NO_PAYLOAD,
  ProtocolViolation,
  u64Payload,
  viewOfPayload,
  vringAddressPayload,
  vringStatePayload,
} from "./message";

/** One message, and the answer that is due. */
export interface Exchange {
  request: Request;
  payload: Uint8Array;
  /** Sent along by SCM_RIGHTS. */
  descriptors: readonly number[];
  /** Length of the answer's payload; 0 when no answer is due. */
  replyBytes: number;
  /** The answer is an acknowledgement, which must be asked for. */
  needReply: boolean;
}

export type Conversation<Result> = Generator<Exchange, Result, Uint8Array>;

/** What both sides agreed on for this connection. */
export interface Introduction {
  description: DaemonDescription;
  acknowledges: boolean;
}

const QUEUE = 0;
const NO_DESCRIPTORS: readonly number[] = [];

function* ask(request: Request, payload: Uint8Array, replyBytes: number): Conversation<DataView> {
  const descriptors = NO_DESCRIPTORS;
  const answer = yield { request, payload, descriptors, replyBytes, needReply: false };
  if (answer.length === 0) throw new ProtocolViolation(`refuses ${Request[request]}`);
  return viewOfPayload(answer);
}

function* tell(
  acknowledges: boolean,
  request: Request,
  payload: Uint8Array,
  descriptors = NO_DESCRIPTORS,
): Conversation<void> {
  const replyBytes = acknowledges ? U64_BYTES : 0;
  const answer = yield { request, payload, descriptors, replyBytes, needReply: acknowledges };
  if (!acknowledges) return;
  if (answer.length === 0 || viewOfPayload(answer).getBigUint64(0, true) !== 0n) {
    throw new ProtocolViolation(`refuses ${Request[request]}`);
  }
}

const bit = (number: number) => 1n << BigInt(number);

/** From the first message to the description of the disk. Changes nothing that another connection could see. */
export function* introduce(): Conversation<Introduction> {
  const features = (yield* ask(Request.GET_FEATURES, NO_PAYLOAD, U64_BYTES)).getBigUint64(0, true);
  if ((features & bit(F_PROTOCOL_FEATURES)) === 0n) {
    throw new ProtocolViolation(
      "knows no protocol features, so the disk's size cannot be asked for",
    );
  }
  const answer = yield* ask(Request.GET_PROTOCOL_FEATURES, NO_PAYLOAD, U64_BYTES);
  const offered = answer.getBigUint64(0, true);
  if ((offered & bit(ProtocolFeature.CONFIG)) === 0n) {
    throw new ProtocolViolation(
      "serves no configuration space: no block device, or a very old one",
    );
  }
  const wanted = bit(ProtocolFeature.CONFIG) | bit(ProtocolFeature.REPLY_ACK);
  // Not yet acknowledged: whether it acknowledges is what this message settles.
  yield* tell(false, Request.SET_PROTOCOL_FEATURES, u64Payload(offered & wanted));
  const acknowledges = (offered & bit(ProtocolFeature.REPLY_ACK)) !== 0n;
  yield* tell(acknowledges, Request.SET_OWNER, NO_PAYLOAD);
  const length = VirtioBlkConfig.SIZE;
  const config = yield* ask(Request.GET_CONFIG, configPayload(length), ConfigHeader.SIZE + length);
  if (config.getUint32(ConfigHeader.LENGTH, true) !== length) {
    throw new ProtocolViolation("answers GET_CONFIG with a length of its own");
  }
  const space = new DataView(config.buffer, config.byteOffset + ConfigHeader.SIZE, length);
  return { description: readDescription(features, space), acknowledges };
}

/** What a queue is made of besides its set-up. */
export interface QueueWiring {
  window: { offset: number; length: number; memfd: number };
  /** eventfds. */
  kick: number;
  call: number;
  error: number;
}

/**
 * What the daemon is told the window's user address is. The protocol wants the front end's own address there and uses
 * it for arithmetic only, so no address of this process is told: it is the offset, away from 0.
 */
const USER_ADDRESS_BASE = 2 ** 32;

/** Makes the daemon serve the queue. */
export function* startQueue(
  { acknowledges }: Introduction,
  queue: QueueSetup,
  { window, kick, call, error }: QueueWiring,
): Conversation<void> {
  const set = (request: Request, payload: Uint8Array, descriptors?: readonly number[]) =>
    tell(acknowledges, request, payload, descriptors);
  const state = (request: Request, value: number) => set(request, vringStatePayload(QUEUE, value));
  const wire = (request: Request, fd: number) => set(request, u64Payload(BigInt(QUEUE)), [fd]);

  yield* set(Request.SET_FEATURES, u64Payload(queue.features | bit(F_PROTOCOL_FEATURES)));
  const region = {
    guestAddress: window.offset,
    userAddress: USER_ADDRESS_BASE + window.offset,
    lengthBytes: window.length,
  };
  yield* set(Request.SET_MEM_TABLE, memoryTablePayload(region), [window.memfd]);
  yield* state(Request.SET_VRING_NUM, queue.size);
  yield* state(Request.SET_VRING_BASE, queue.availIndex & 0xffff);
  const addresses = {
    descriptors: USER_ADDRESS_BASE + queue.descOffset,
    used: USER_ADDRESS_BASE + queue.usedOffset,
    available: USER_ADDRESS_BASE + queue.availOffset,
  };
  yield* set(Request.SET_VRING_ADDR, vringAddressPayload(QUEUE, addresses));
  yield* wire(Request.SET_VRING_ERR, error);
  yield* wire(Request.SET_VRING_CALL, call);
  yield* wire(Request.SET_VRING_KICK, kick);
  yield* state(Request.SET_VRING_ENABLE, 1);
}

/** Makes it take no more requests. Returns the index of the next avail entry that it would have taken. */
export function* stopQueue(): Conversation<number> {
  const payload = vringStatePayload(QUEUE, 0);
  const state = yield* ask(Request.GET_VRING_BASE, payload, VringState.SIZE);
  const index = state.getUint32(VringState.NUM, true);
  if (state.getUint32(VringState.INDEX, true) !== QUEUE || index > 0xffff) {
    throw new ProtocolViolation(`stops its queue at the impossible index ${index}`);
  }
  return index;
}
