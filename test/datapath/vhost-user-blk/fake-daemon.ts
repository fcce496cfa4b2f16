/**
 * A vhost-user-blk daemon that lies: it answers as a good one would, but for one message. Descriptors that are sent
 * to it are lost, because net.Socket does not take them, so it never serves a queue.
 */
import { createServer, type Server, type Socket } from "node:net";
import { VirtioBlkConfig } from "../../../host/abi";
import { Header, HeaderFlag, Request } from "../../../host/datapath/vhost-user-blk/layout";
import { unixSocketCalls } from "../../../host/ffi/unix-socket";

export type Lie =
  | "silent"
  | "close"
  | "garbage"
  | "no reply flag"
  | "wrong version"
  | "another request"
  | "too long"
  | "too short"
  | "huge"
  | "empty"
  | "refuse"
  | "says more"
  | "byte by byte"
  | "descriptors";

export interface FakeOptions {
  socket: string;
  /** The message that is answered with the lie. */
  at?: Request;
  lie?: Lie;
  features?: bigint;
  protocolFeatures?: bigint;
  /** Changes the configuration space: offset and value of 32-bit words. */
  config?: readonly (readonly [offset: number, value: number])[];
  /** Reads nothing after GET_CONFIG, so that what is sent later stays in the socket with its descriptors. */
  deaf?: boolean;
  /** What a deaf one does, so long after the configuration was asked for. */
  later?: { afterMs: number; what: "close" | "speak" | "listen" };
}

export const bits = (...numbers: number[]) =>
  numbers.reduce((all, n) => all | (1n << BigInt(n)), 0n);

/** As qemu-storage-daemon: block size, flush, discard, write zeroes, event index, and so on. */
export const GOOD_FEATURES = bits(1, 2, 6, 9, 10, 11, 12, 13, 14, 24, 26, 28, 29, 30, 32);
export const GOOD_PROTOCOL_FEATURES = bits(0, 1, 3, 9);
export const GOOD_SECTORS = 2048;

function goodConfig(changes: FakeOptions["config"] = []): Buffer {
  const config = Buffer.alloc(VirtioBlkConfig.SIZE);
  config.writeUInt32LE(GOOD_SECTORS, VirtioBlkConfig.CAPACITY);
  config.writeUInt32LE(126, VirtioBlkConfig.SEG_MAX);
  config.writeUInt32LE(512, VirtioBlkConfig.BLK_SIZE);
  config.writeUInt32LE(32768, VirtioBlkConfig.MAX_DISCARD_SECTORS);
  config.writeUInt32LE(1, VirtioBlkConfig.MAX_DISCARD_SEG);
  config.writeUInt32LE(32768, VirtioBlkConfig.MAX_WRITE_ZEROES_SECTORS);
  config.writeUInt32LE(1, VirtioBlkConfig.MAX_WRITE_ZEROES_SEG);
  for (const [offset, value] of changes) config.writeUInt32LE(value, offset);
  return config;
}

function u64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  return bytes;
}

function message(request: number, flags: number, length: number, payload: Uint8Array): Buffer {
  const header = Buffer.alloc(Header.SIZE);
  header.writeUInt32LE(request, Header.REQUEST);
  header.writeUInt32LE(flags, Header.FLAGS);
  header.writeUInt32LE(length, Header.LENGTH);
  return Buffer.concat([header, payload]);
}

/** The payload of a good answer; null when none is due. */
function goodAnswer(options: FakeOptions, request: number, flags: number, payload: Buffer) {
  if (request === Request.GET_FEATURES) return u64(options.features ?? GOOD_FEATURES);
  if (request === Request.GET_PROTOCOL_FEATURES) {
    return u64(options.protocolFeatures ?? GOOD_PROTOCOL_FEATURES);
  }
  if (request === Request.GET_CONFIG) {
    return Buffer.concat([payload.subarray(0, 12), goodConfig(options.config)]);
  }
  if (request === Request.GET_VRING_BASE) return Buffer.alloc(8);
  return (flags & HeaderFlag.NEED_REPLY) !== 0 ? u64(0n) : null;
}

function sendDescriptors(socket: Socket, bytes: Uint8Array): void {
  const handle: unknown = Reflect.get(socket, "_handle");
  const fd: unknown = typeof handle === "object" && handle !== null && Reflect.get(handle, "fd");
  if (typeof fd !== "number") throw new Error("a socket without a descriptor");
  unixSocketCalls().send(fd, bytes, [0, 1, 2, 0, 1, 2]);
}

const REPLY = HeaderFlag.VERSION | HeaderFlag.REPLY;

/** Answers one message with a lie. */
function lieAbout(socket: Socket, lie: Lie, request: number, answer: Buffer): void {
  const { length } = answer;
  const good = message(request, REPLY, length, answer);
  const sent: Partial<Record<Lie, Buffer>> = {
    garbage: Buffer.from("HTTP/1.1 400 Bad Request\r\n\r\n"),
    "no reply flag": message(request, HeaderFlag.VERSION, length, answer),
    "wrong version": message(request, 2 | HeaderFlag.REPLY, length, answer),
    "another request": message(request + 1, REPLY, length, answer),
    "too long": message(request, REPLY, length + 8, Buffer.concat([answer, u64(0n)])),
    "too short": message(request, REPLY, length - 4, answer.subarray(0, length - 4)),
    huge: message(request, REPLY, 0xffffffff, Buffer.alloc(1 << 20)),
    empty: message(request, REPLY, 0, Buffer.alloc(0)),
    refuse: message(request, REPLY, length, Buffer.alloc(length, 1)),
    "says more": Buffer.concat([good, good]),
  };
  const bytes = sent[lie];
  if (bytes !== undefined) socket.write(bytes);
  else if (lie === "close") socket.destroy();
  else if (lie === "descriptors") sendDescriptors(socket, good);
  else if (lie === "byte by byte") {
    good.forEach((byte, index) => {
      setTimeout(() => socket.write(Uint8Array.of(byte)), index * 2);
    });
  }
}

function converse(socket: Socket, options: FakeOptions): void {
  let received = Buffer.alloc(0);
  socket.on("error", () => {});
  socket.on("data", (bytes) => {
    received = Buffer.concat([received, bytes]);
    while (received.length >= Header.SIZE) {
      const request = received.readUInt32LE(Header.REQUEST);
      const flags = received.readUInt32LE(Header.FLAGS);
      const end = Header.SIZE + received.readUInt32LE(Header.LENGTH);
      if (received.length < end) return;
      const payload = Buffer.from(received.subarray(Header.SIZE, end));
      received = received.subarray(end);
      const answer = goodAnswer(options, request, flags, payload);
      if (request === Request.GET_CONFIG && options.deaf === true) turnDeaf(socket, options);
      if (request === options.at)
        lieAbout(socket, options.lie ?? "silent", request, answer ?? u64(0n));
      else if (answer !== null) socket.write(message(request, REPLY, answer.length, answer));
    }
  });
}

/** A paused stream goes on reading until its buffer is full; this does not read at all. */
function setReading(socket: Socket, name: "readStart" | "readStop"): void {
  const handle: unknown = Reflect.get(socket, "_handle");
  if (typeof handle !== "object" || handle === null) throw new Error("a socket without a handle");
  const method: unknown = Reflect.get(handle, name);
  if (typeof method !== "function") throw new Error(`a socket without ${name}`);
  method.call(handle);
}

/** Reads no more, and does later what it was told. */
function turnDeaf(socket: Socket, { later }: FakeOptions): void {
  setReading(socket, "readStop");
  if (later === undefined) return;
  setTimeout(() => {
    if (later.what === "close") socket.destroy();
    // What it then reads comes without its descriptors: they are closed.
    else if (later.what === "listen") setReading(socket, "readStart");
    else socket.write("hello");
  }, later.afterMs);
}

export function startFake(options: FakeOptions): Promise<Server> {
  return new Promise((resolve) => {
    const server = createServer((socket) => converse(socket, options));
    server.listen(options.socket, () => resolve(server));
  });
}
