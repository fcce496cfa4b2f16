/**
 * A wrong socket is told before the guest starts, in one sentence: nothing there, not a socket, nobody, somebody else,
 * and daemons that break the protocol in every message.
 */
import { once } from "node:events";
import { rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import * as fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { VirtioBlkConfig, VirtioBlkFeature, VirtioFeature } from "../../../host/abi";
import { describeDaemon } from "../../../host/datapath/vhost-user-blk";
import { readDescription, whatChanged } from "../../../host/datapath/vhost-user-blk/description";
import { Request } from "../../../host/datapath/vhost-user-blk/layout";
import { ProtocolViolation } from "../../../host/datapath/vhost-user-blk/message";
import { WasmUringError } from "../../../host/errors";
import {
  bits,
  type FakeOptions,
  GOOD_FEATURES,
  GOOD_SECTORS,
  type Lie,
  startFake,
} from "./fake-daemon";
import { makeFolder } from "./storage-daemon";

const describe = suite("datapath/vhost-user-blk/describe");
const TIMEOUT_MS = 300;

async function inFolder(body: (socket: string) => Promise<void>): Promise<void> {
  const folder = makeFolder();
  try {
    await body(join(folder, "s"));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The message with which describing fails. */
async function failure(socket: string): Promise<string> {
  const began = performance.now();
  try {
    await describeDaemon(socket, TIMEOUT_MS);
  } catch (error) {
    assert.instance(error, WasmUringError);
    assert.is((error as WasmUringError).code, "ERR_DEVICE");
    assert.ok(performance.now() - began < TIMEOUT_MS + 1000, "in time");
    return (error as WasmUringError).message;
  }
  throw new Error("it was described");
}

async function withFake(
  options: Omit<FakeOptions, "socket">,
  body: (socket: string) => Promise<void>,
): Promise<void> {
  await inFolder(async (socket) => {
    const server = await startFake({ ...options, socket });
    try {
      await body(socket);
    } finally {
      server.close();
    }
  });
}

describe("a good daemon is described, and what it says is cleaned", async () => {
  await withFake({}, async (socket) => {
    const { features, capacityBytes, blockBytes, readOnly, config } = await describeDaemon(socket);
    assert.is(
      features,
      bits(2, 6, 9, 10, 13, 14, 28, 29, 32),
      "no MQ, no CONFIG_WCE, no SIZE_MAX of 0",
    );
    assert.is(capacityBytes, GOOD_SECTORS * 512);
    assert.is(blockBytes, 512);
    assert.not(readOnly);
    assert.is(config.length, VirtioBlkConfig.SIZE);
  });
});

describe("answers may come in any pieces, and descriptors with them are dropped", async () => {
  for (const lie of ["byte by byte", "descriptors"] as const) {
    await withFake({ at: Request.GET_CONFIG, lie }, async (socket) => {
      const { capacityBytes } = await describeDaemon(socket);
      assert.is(capacityBytes, GOOD_SECTORS * 512);
    });
  }
});

describe("no socket, no socket at all, no listener, too long a path", async () => {
  await inFolder(async (socket) => {
    assert.match(
      await failure(socket),
      /at .*: there is no such socket\. What to do: start the daemon/,
    );
    writeFileSync(socket, "");
    assert.match(await failure(socket), /it is not a socket/);
    assert.match(await failure(join(socket, "s")), /not a directory/);
    rmSync(socket);
    assert.match(await failure(`/${"x".repeat(200)}`), /the path is too long/);
    const left = join(socket, "..", "left");
    const leave = `require("net").createServer().listen(${JSON.stringify(left)}, () => process.kill(process.pid, 9))`;
    const { spawn } = await import("node:child_process");
    await once(spawn(process.execPath, ["-e", leave]), "exit");
    assert.match(await failure(left), /nobody listens at this socket/);
  });
});

function listen(socket: string, server: Server): Promise<Server> {
  return new Promise((resolve) => server.listen(socket, () => resolve(server)));
}

describe("somebody else: silent, or of another protocol", async () => {
  await inFolder(async (socket) => {
    const silent = await listen(socket, createServer());
    assert.match(await failure(socket), /it does not answer within 300 ms/);
    silent.close();
  });
  await inFolder(async (socket) => {
    const ssh = await listen(
      socket,
      createServer((peer) => peer.write("SSH-2.0-OpenSSH_9.2p1\r\n")),
    );
    assert.match(
      await failure(socket),
      /it (speaks without being asked|answers GET_FEATURES with)/,
    );
    ssh.close();
  });
});

const EXPECTED: Readonly<Partial<Record<Lie, RegExp>>> = {
  silent: /does not answer within/,
  close: /closed the connection/,
  garbage: /with what is no vhost-user reply|with message/,
  "no reply flag": /no vhost-user reply/,
  "wrong version": /no vhost-user reply/,
  "another request": /with message \d+/,
  "too long": /bytes, where \d+ are due/,
  "too short": /bytes, where \d+ are due/,
  huge: /with 4294967295 bytes/,
  empty: /refuses/,
  "says more": /says more than it was asked|speaks without being asked/,
};

describe("every lie in every message is told, in time", async () => {
  const asked = [Request.GET_FEATURES, Request.GET_PROTOCOL_FEATURES, Request.SET_OWNER];
  for (const at of [...asked, Request.GET_CONFIG]) {
    for (const [lie, expected] of Object.entries(EXPECTED)) {
      await withFake({ at, lie: lie as Lie }, async (socket) => {
        assert.match(await failure(socket), expected, `${Request[at]}: ${lie}`);
      });
    }
  }
  await withFake({ at: Request.SET_OWNER, lie: "refuse" }, async (socket) => {
    assert.match(await failure(socket), /refuses SET_OWNER/);
  });
});

describe("a daemon of another kind of device, and impossible disks", async () => {
  const fakes: readonly (readonly [Omit<FakeOptions, "socket">, RegExp])[] = [
    [{ features: GOOD_FEATURES & ~bits(30) }, /knows no protocol features/],
    [{ features: GOOD_FEATURES & ~bits(32) }, /virtio of before 1\.0/],
    [{ protocolFeatures: bits(3) }, /serves no configuration space/],
    [{ config: [[VirtioBlkConfig.BLK_SIZE, 513]] }, /claims blocks of 513 bytes/],
    [{ config: [[VirtioBlkConfig.BLK_SIZE, 0]] }, /claims blocks of 0 bytes/],
    [{ config: [[VirtioBlkConfig.CAPACITY + 4, 0xffffffff]] }, /claims a disk of \d+ sectors/],
  ];
  for (const [options, expected] of fakes) {
    await withFake(options, async (socket) => assert.match(await failure(socket), expected));
  }
});

describe("whatever a daemon says of its disk: a refusal, or a description that holds", () => {
  fc.assert(
    fc.property(
      fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
      fc.uint8Array({ minLength: VirtioBlkConfig.SIZE, maxLength: VirtioBlkConfig.SIZE }),
      (offered, bytes) => {
        // Half of the trials may not fail early.
        if (bytes[0] !== undefined && bytes[0] % 2 === 0) {
          bytes.fill(0, 6, 8);
          bytes.set([0, 2, 0, 0], VirtioBlkConfig.BLK_SIZE);
          offered |= bits(VirtioFeature.VERSION_1);
        }
        const config = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
        try {
          const description = readDescription(offered, config);
          assert.is(description.features & ~offered, 0n);
          assert.ok(Number.isSafeInteger(description.capacityBytes));
          assert.ok(description.blockBytes >= 512);
          assert.is(description.readOnly, (offered & bits(VirtioBlkFeature.RO)) !== 0n);
          assert.is(whatChanged(description, description), null);
        } catch (error) {
          assert.instance(error, ProtocolViolation);
        }
      },
    ),
    { numRuns: 2000 },
  );
});

describe.run();
