/**
 * The host survives a daemon that lies: every message of the set-up and every moment afterwards, with bounded waits, a
 * sentence for the owner, an errno for the guest, and no descriptor left. The daemon is a thread of its own, because
 * the service blocks the one it is called on.
 */
import { readdirSync, readlinkSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Errno, VirtioBlkType, VirtioStatus } from "../../../host/abi";
import { describeDaemon } from "../../../host/datapath/vhost-user-blk";
import { stopQueue } from "../../../host/datapath/vhost-user-blk/conversation";
import { Descriptors } from "../../../host/datapath/vhost-user-blk/descriptors";
import { Request } from "../../../host/datapath/vhost-user-blk/layout";
import {
  ProtocolViolation,
  vringStatePayload,
} from "../../../host/datapath/vhost-user-blk/message";
import { unixSocketCalls } from "../../../host/ffi/unix-socket";
import { bits, type FakeOptions, type Lie, startFake } from "./fake-daemon";
import { type Rig, rigOf } from "./rig";
import { makeFolder } from "./storage-daemon";

const service = suite("datapath/vhost-user-blk/service");
const TIMEOUT_MS = 200;
/** Without acknowledgements the daemon need not read what it is told. */
const TACITURN = { protocolFeatures: bits(9), deaf: true } as const;

/** But sockets: the daemon's end is in this process too. That ours is closed, closing the rig checks. */
function openDescriptors(): number {
  const targets = readdirSync("/proc/self/fd").map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return "socket:";
    }
  });
  return targets.filter((target) => !target.startsWith("socket:")).length;
}

/** The service as it comes up with a good description, while the daemon that it meets is the lying one. */
async function withLiar(
  options: Omit<FakeOptions, "socket">,
  body: (rig: Rig) => void | Promise<void>,
): Promise<void> {
  const folder = makeFolder();
  const socketPath = join(folder, "s");
  const good = await startFake({ socket: join(folder, "good") });
  const description = await describeDaemon(join(folder, "good"));
  good.close();
  const liar = new Worker(fileURLToPath(import.meta.url), {
    workerData: { ...options, socket: socketPath },
  });
  await new Promise((resolve) => liar.once("message", resolve));
  const { shared: descriptors } = new Descriptors();
  const rig = rigOf({
    socketPath,
    description,
    reconnectMs: 0,
    timeoutMs: TIMEOUT_MS,
    descriptors,
  });
  try {
    assert.is(rig.driver.open(), 0);
    await body(rig);
    rig.close();
  } finally {
    await liar.terminate();
    rmSync(folder, { recursive: true, force: true });
  }
}

function start({ driver, plan }: Rig): number {
  return driver.start(plan.description.features);
}

const SETUP = [
  ...[Request.GET_FEATURES, Request.SET_OWNER, Request.GET_CONFIG, Request.SET_FEATURES],
  ...[Request.SET_MEM_TABLE, Request.SET_VRING_NUM, Request.SET_VRING_ADDR],
  ...[Request.SET_VRING_CALL, Request.SET_VRING_ENABLE],
];
const LIES: readonly Lie[] = [
  ...(["silent", "close", "garbage", "another request", "huge", "empty", "too short"] as const),
];

service("lies in the set-up: -EIO, one sentence, nothing left open", async () => {
  for (const at of SETUP) {
    for (const lie of LIES) {
      await withLiar({ at, lie }, (rig) => {
        const before = openDescriptors();
        const began = performance.now();
        const what = `${Request[at]}: ${lie}`;
        assert.is(start(rig), -Errno.EIO, what);
        assert.ok(performance.now() - began < TIMEOUT_MS + 500, what);
        assert.is(rig.failures.length, 1, what);
        assert.match(rig.failures[0] ?? "", /^the vhost-user-blk daemon at \S+: it /);
        assert.is(openDescriptors(), before, what);
        assert.ok((rig.device.getStatus() & VirtioStatus.NEEDS_RESET) !== 0, what);
        assert.ok(rig.driver.kick() < 0, what);
      });
    }
  }
});

service("descriptors forced on the host are never taken", async () => {
  await withLiar({ at: Request.GET_CONFIG, lie: "descriptors" }, (rig) => {
    const before = openDescriptors();
    // It loses what it is sent, the kick among it.
    assert.is(start(rig), -Errno.EIO);
    assert.match(rig.failures[0] ?? "", /drops the kick/);
    assert.is(openDescriptors(), before);
  });
});

service("another disk than the one described is refused", async () => {
  await withLiar({ config: [[0, 4096]] }, (rig) => {
    assert.is(start(rig), -Errno.EIO);
    assert.match(rig.failures[0] ?? "", /its disk has 2097152 bytes now, not 1048576/);
  });
});

service(
  "one that hears nothing: the guest waits as long as it wants, and no stop hangs",
  async () => {
    await withLiar(TACITURN, (rig) => {
      assert.is(start(rig), 0, rig.failures.join());
      const began = performance.now();
      assert.is(rig.device.waitInterrupt(20_000), -Errno.ETIME);
      assert.ok(performance.now() - began >= 20);
      assert.ok(performance.now() - began < 1000);
      for (let kicks = 0; kicks < 20_000; kicks++) assert.is(rig.driver.kick(), 0, "a full pipe");
      rig.stop();
      assert.is(rig.device.waitInterrupt(-1), -Errno.EINTR);
      const ending = performance.now();
      rig.close();
      assert.ok(performance.now() - ending < 3000);
    });
  },
);

service("one that hangs up or speaks while the guest waits", async () => {
  for (const [what, expected] of [
    ["close", /closed the connection while it served/],
    ["speak", /speaks without being asked/],
  ] as const) {
    await withLiar({ ...TACITURN, later: { afterMs: 150, what } }, (rig) => {
      assert.is(start(rig), 0, rig.failures.join());
      const began = performance.now();
      // The interrupt of a change of the configuration: the device needs a reset.
      const result = rig.device.waitInterrupt(5_000_000);
      assert.ok(result === -Errno.EIO || result > 0, `${result}`);
      assert.ok(performance.now() - began < 2000);
      assert.ok((rig.device.getStatus() & VirtioStatus.NEEDS_RESET) !== 0);
      assert.match(rig.failures[0] ?? "", expected);
      assert.ok(rig.driver.kick() < 0);
    });
  }
});

service("one that closes its end of the kick and keeps the socket", async () => {
  await withLiar({ ...TACITURN, later: { afterMs: 100, what: "listen" } }, (rig) => {
    assert.is(start(rig), 0, rig.failures.join());
    const began = performance.now();
    while (rig.driver.kick() === 0) assert.ok(performance.now() - began < 3000, "nobody hears it");
    assert.match(rig.failures[0] ?? "", /drops the kick/);
    assert.ok((rig.device.getStatus() & VirtioStatus.NEEDS_RESET) !== 0);
  });
});

service("a queue that stops with requests that nobody answers is not resumed", async () => {
  await withLiar(TACITURN, (rig) => {
    assert.is(start(rig), 0, rig.failures.join());
    rig.driver.submit(0, VirtioBlkType.IN, 0, 512);
    rig.stop();
    assert.is(rig.device.suspend(), -Errno.EIO);
    assert.ok((rig.device.getStatus() & VirtioStatus.NEEDS_RESET) !== 0);
  });
  await withLiar(TACITURN, (rig) => {
    assert.is(start(rig), 0, rig.failures.join());
    rig.stop();
    assert.is(rig.device.suspend(), 0, "nothing was lost");
    assert.is(rig.device.getQueueState(), 0);
  });
});

service("a driver that only polls learns it from the status", async () => {
  await withLiar({ ...TACITURN, later: { afterMs: 100, what: "close" } }, (rig) => {
    assert.is(start(rig), 0, rig.failures.join());
    const began = performance.now();
    while ((rig.device.getStatus() & VirtioStatus.NEEDS_RESET) === 0) {
      assert.ok(performance.now() - began < 3000);
    }
  });
});

service("where the queue stopped must be a place", () => {
  for (const [index, value, good] of [
    [0, 77, true],
    [0, 65536, false],
    [1, 5, false],
  ] as const) {
    const conversation = stopQueue();
    conversation.next();
    const answer = () => conversation.next(vringStatePayload(index, value));
    if (good) assert.is(answer().value, value);
    else assert.throws(answer, (error: unknown) => error instanceof ProtocolViolation);
  }
});

service("descriptors of a thread that is gone are closed once", () => {
  const closed: number[] = [];
  const close = (fd: number) => closed.push(fd);
  const descriptors = new Descriptors();
  for (const fd of [0, 7, 9]) assert.is(descriptors.keep(fd), fd);
  descriptors.closeOne(7, close);
  descriptors.closeOne(8, close);
  const elsewhere = new Descriptors(descriptors.shared);
  elsewhere.closeAll(close);
  descriptors.closeAll(close);
  assert.equal(closed, [7, 0, 9]);
});

service("sockets: too long a path, too many descriptors", () => {
  const calls = unixSocketCalls();
  assert.is(calls.connect("x".repeat(108)), -Errno.ENAMETOOLONG);
  assert.is(calls.connect("/nowhere/at/all"), -Errno.ENOENT);
  assert.is(calls.send(-1, new Uint8Array(1), new Array(9).fill(0)), -Errno.EINVAL);
  assert.is(calls.send(-1, new Uint8Array(1), []), -Errno.EBADF);
  assert.is(calls.receive(-1, new Uint8Array(1)), -Errno.EBADF);
});

if (isMainThread) service.run();
else startFake(workerData as FakeOptions).then(() => parentPort?.postMessage("ready"));
