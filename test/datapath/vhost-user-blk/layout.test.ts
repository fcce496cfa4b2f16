/**
 * The protocol's layouts: sizes as the specification gives them, the structs that vhost-user shares with the kernel
 * checked by the C compiler against <linux/vhost_types.h>, and messages byte by byte.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  type Exchange,
  introduce,
  startQueue,
} from "../../../host/datapath/vhost-user-blk/conversation";
import {
  ConfigHeader,
  Header,
  HeaderFlag,
  MemoryRegion,
  MemoryTable,
  Request,
  VringAddr,
  VringState,
} from "../../../host/datapath/vhost-user-blk/layout";
import {
  checkReplyHeader,
  encodeMessage,
  ProtocolViolation,
  u64Payload,
} from "../../../host/datapath/vhost-user-blk/message";
import { GOOD_FEATURES, GOOD_PROTOCOL_FEATURES } from "./fake-daemon";
import { makeFolder } from "./storage-daemon";

const layout = suite("datapath/vhost-user-blk/layout");

layout("sizes of the specification", () => {
  assert.is(Header.SIZE, 12);
  assert.is(VringState.SIZE, 8);
  assert.is(VringAddr.SIZE, 40);
  assert.is(MemoryTable.SIZE + MemoryRegion.SIZE, 40);
  assert.is(ConfigHeader.SIZE, 12);
});

const STRUCTS: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  vhost_vring_state: { index: VringState.INDEX, num: VringState.NUM },
  vhost_vring_addr: {
    index: VringAddr.INDEX,
    flags: VringAddr.FLAGS,
    desc_user_addr: VringAddr.DESC_USER_ADDR,
    used_user_addr: VringAddr.USED_USER_ADDR,
    avail_user_addr: VringAddr.AVAIL_USER_ADDR,
    log_guest_addr: VringAddr.LOG_GUEST_ADDR,
  },
  // The kernel's region has flags where vhost-user has the offset in the file.
  vhost_memory_region: {
    guest_phys_addr: MemoryRegion.GUEST_PHYS_ADDR,
    memory_size: MemoryRegion.MEMORY_SIZE,
    userspace_addr: MemoryRegion.USERSPACE_ADDR,
    flags_padding: MemoryRegion.MMAP_OFFSET,
  },
};
const SIZES = {
  vhost_vring_state: VringState.SIZE,
  vhost_vring_addr: VringAddr.SIZE,
  vhost_memory_region: MemoryRegion.SIZE,
};

layout("the structs shared with the kernel, by its own header", () => {
  if (spawnSync("cc", ["--version"], { stdio: "ignore" }).error !== undefined) {
    console.log("skipped: no C compiler (apt install gcc linux-libc-dev)");
    return;
  }
  const folder = makeFolder();
  try {
    const claims = Object.entries(STRUCTS).flatMap(([struct, fields]) =>
      Object.entries(fields).map(
        ([field, offset]) => `offsetof(struct ${struct}, ${field}) == ${offset}`,
      ),
    );
    const sizes = Object.entries(SIZES).map(
      ([struct, size]) => `sizeof(struct ${struct}) == ${size}`,
    );
    const asserts = [...claims, ...sizes].map((claim) => `_Static_assert(${claim}, "${claim}");`);
    const source = join(folder, "layout.c");
    const headers = ["#include <stddef.h>", "#include <linux/vhost_types.h>"];
    writeFileSync(source, [...headers, ...asserts, ""].join("\n"));
    execFileSync("cc", ["-fsyntax-only", source], { stdio: "pipe" });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

layout("a message byte by byte", () => {
  const message = encodeMessage(Request.SET_FEATURES, u64Payload(0x1_4000_0001n), true);
  const expected = [2, 0, 0, 0, 9, 0, 0, 0, 8, 0, 0, 0, 1, 0, 0, 0x40, 1, 0, 0, 0];
  assert.equal([...message], expected);
});

layout("the header of a reply", () => {
  const header = (request: number, flags: number, length: number) => {
    const words = Uint32Array.of(request, flags, length);
    return new Uint8Array(words.buffer);
  };
  const check = (bytes: Uint8Array) => checkReplyHeader(bytes, Request.GET_FEATURES, 8);
  const reply = HeaderFlag.VERSION | HeaderFlag.REPLY;
  assert.is(check(header(1, reply, 8)), 8);
  assert.is(check(header(1, reply, 0)), 0);
  for (const bad of [header(2, reply, 8), header(1, 1, 8), header(1, 6, 8), header(1, reply, 9)]) {
    assert.throws(
      () => check(bad),
      (error: unknown) => error instanceof ProtocolViolation,
    );
  }
});

/** Answers every exchange as a good daemon would. */
function answerTo({ request, replyBytes }: Exchange): Uint8Array {
  if (request === Request.GET_FEATURES) return u64Payload(GOOD_FEATURES);
  if (request === Request.GET_PROTOCOL_FEATURES) return u64Payload(GOOD_PROTOCOL_FEATURES);
  const answer = new Uint8Array(replyBytes);
  if (request === Request.GET_CONFIG) {
    const view = new DataView(answer.buffer);
    view.setUint32(ConfigHeader.LENGTH, replyBytes - ConfigHeader.SIZE, true);
    view.setUint32(ConfigHeader.SIZE + 20, 512, true);
  }
  return answer;
}

layout("the order of the set-up, its descriptors, and no address of this process", () => {
  const opening = introduce();
  let step = opening.next();
  while (!step.done) step = opening.next(answerTo(step.value));
  const introduction = step.value;
  assert.ok(introduction.acknowledges);

  const queue = {
    ...{ size: 256, descOffset: 0x20000, availOffset: 0x21000, usedOffset: 0x22000 },
    ...{ availIndex: 5, features: 1n << 32n },
  };
  const window = { offset: 0x20000, length: 0x10000, memfd: 40 };
  const wiring = { window, kick: 41, call: 42, error: 43 };
  const said: Exchange[] = [];
  const setup = startQueue(introduction, queue, wiring);
  for (let next = setup.next(); !next.done; next = setup.next(answerTo(next.value))) {
    said.push(next.value);
  }
  assert.equal(
    said.map(({ request, descriptors }) => [Request[request], ...descriptors]),
    [
      ["SET_FEATURES"],
      ["SET_MEM_TABLE", 40],
      ["SET_VRING_NUM"],
      ["SET_VRING_BASE"],
      ["SET_VRING_ADDR"],
      ["SET_VRING_ERR", 43],
      ["SET_VRING_CALL", 42],
      ["SET_VRING_KICK", 41],
      ["SET_VRING_ENABLE"],
    ],
  );
  const [features, table, , base, addresses] = said.map(
    ({ payload }) => new DataView(payload.buffer, payload.byteOffset),
  );
  assert.is(features?.getBigUint64(0, true), (1n << 32n) | (1n << 30n));
  assert.is(base?.getUint32(VringState.NUM, true), 5);
  assert.is(table?.getBigUint64(MemoryTable.SIZE + MemoryRegion.GUEST_PHYS_ADDR, true), 0x20000n);
  const user = table?.getBigUint64(MemoryTable.SIZE + MemoryRegion.USERSPACE_ADDR, true) ?? 0n;
  assert.is(user, 0x1_0002_0000n);
  assert.is(addresses?.getBigUint64(VringAddr.AVAIL_USER_ADDR, true), user + 0x1000n);
});

layout.run();
