/** The workers of aio "threads": started, shared one disk after another, stopped, killed in the middle of their work. */
import { closeSync, fstatSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath, pathToFileURL } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Errno } from "../../../host/abi";
import { WasmUringError } from "../../../host/errors";
import { linuxSyscalls } from "../../../host/ffi";
import {
  BlockOperation,
  openBackend,
  startThreadPool,
  type ThreadPool,
} from "../../../host/virtio/aio";
import { leakedSince, takeResources } from "../../hostile/resources";
import { makeFile, WORKER_FILE } from "./kinds";
import { Requests } from "./requests";

const pool = suite("aio pool");

const SECTOR = 512;
const DEPTH = 64;
const CAPACITY = DEPTH * SECTOR;
const DEATH_MS = 10_000;
const syscalls = linuxSyscalls();

/** A worker's file whose first worker ends at the n-th call of an atomic operation: between two steps of its work. */
function mortalWorker(method: "or" | "compareExchange", calls: number) {
  const folder = mkdtempSync(join(tmpdir(), "wasm-uring-worker-"));
  const path = join(folder, "worker.cjs");
  writeFileSync(
    path,
    `const { workerData } = require("node:worker_threads");
const real = Atomics.${method};
let calls = 0;
if (workerData.worker === 0) Atomics.${method} = (...values) => {
  if (++calls === ${calls}) throw new Error("killed by the test");
  return real(...values);
};
require(${JSON.stringify(fileURLToPath(WORKER_FILE))});
`,
  );
  return {
    workerFile: pathToFileURL(path),
    remove: () => rmSync(folder, { recursive: true }),
  };
}

interface Setting {
  threads: ThreadPool;
  requests: Requests;
  end(): Promise<void>;
}

async function open(threadCount: number, workerFile: URL): Promise<Setting> {
  const file = makeFile(tmpdir(), CAPACITY);
  const threads = await startThreadPool({ threads: threadCount, syscalls, workerFile });
  const backend = openBackend("threads", {
    fd: file.fd,
    depth: DEPTH,
    syscalls,
    pool: threads.shared,
  });
  const end = async () => {
    backend.close();
    await threads.close();
    closeSync(file.fd);
    file.remove();
  };
  return { threads, requests: new Requests(backend, 4 * SECTOR), end };
}

function submitAll(requests: Requests): void {
  for (let tag = 0; tag < DEPTH; tag++) {
    requests.prepare(tag, {
      operation: BlockOperation.WRITE,
      offset: tag * SECTOR,
      length: SECTOR,
    });
  }
  requests.backend.submit();
}

/** Waits as an event loop does: the end of a worker is seen there. */
async function settled(requests: Requests): Promise<number[]> {
  const end = performance.now() + DEATH_MS;
  while (requests.backend.inFlight > 0 && performance.now() < end) {
    requests.reap();
    await sleep(1);
  }
  assert.is(requests.backend.inFlight, 0, "every request is answered");
  const results = requests.drain();
  return Array.from({ length: DEPTH }, (_, tag) => results.get(tag) ?? Number.NaN);
}

for (const method of ["or", "compareExchange"] as const) {
  for (const calls of [1, 2, 5]) {
    pool(`a worker that dies at its ${calls}. Atomics.${method}: nothing is lost`, async () => {
      const worker = mortalWorker(method, calls);
      const { requests, end } = await open(3, worker.workerFile);
      try {
        for (let round = 0, failed = 0; failed === 0; round++) {
          assert.ok(round < 500, "the worker never died");
          submitAll(requests);
          const results = await settled(requests);
          const known = results.every((result) => result === SECTOR || result === -Errno.EIO);
          assert.ok(known, String(results));
          failed = results.filter((result) => result === -Errno.EIO).length;
        }
        // From now on there is nobody: an answer comes all the same, and nobody waits for it.
        submitAll(requests);
        assert.is(requests.backend.arm(), false);
        const results = requests.drain();
        assert.ok([...results.values()].every((result) => result === -Errno.EIO));
        assert.is(results.size, DEPTH);
      } finally {
        await end();
        worker.remove();
      }
    });
  }
}

pool("a pool that is closed first answers with what was done, and EIO", async () => {
  for (let round = 0; round < 5; round++) {
    const { threads, requests, end } = await open(2, WORKER_FILE);
    try {
      submitAll(requests);
      await threads.close();
      const results = await settled(requests);
      assert.ok(results.every((result) => result === SECTOR || result === -Errno.EIO));
    } finally {
      await end();
    }
  }
});

/** A worker's file in which pwrite(2) takes long before it begins: in the worker's own code, or in the kernel. */
function slowWorker(delayMs: number, where: "code" | "kernel") {
  const folder = mkdtempSync(join(tmpdir(), "wasm-uring-worker-"));
  const path = join(folder, "worker.cjs");
  const file = JSON.stringify(fileURLToPath(WORKER_FILE));
  const code = `Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ${delayMs});`;
  writeFileSync(
    path,
    `const koffi = require("node:module").createRequire(${file})("koffi");
const libc = koffi.load("libc.so.6");
const poll = libc.func("int poll(void *fds, uint64_t count, int timeout)");
const load = koffi.load;
koffi.load = (name) => ({ func: (declaration) => {
  const real = load(name).func(declaration);
  if (!declaration.includes("pwrite(")) return real;
  return (...values) => {
    ${where === "code" ? code : `poll(null, 0, ${delayMs});`}
    return real(...values);
  };
} });
require(${file});
`,
  );
  return {
    workerFile: pathToFileURL(path),
    remove: () => rmSync(folder, { recursive: true }),
  };
}

/** One worker at a long zeroing, over shared memory, where it is many writes; the pool is closed meanwhile. */
async function closeInZeroing(delayMs: number, where: "code" | "kernel") {
  const bytes = 64 << 20;
  const file = makeFile("/dev/shm", bytes);
  const worker = slowWorker(delayMs, where);
  const { workerFile } = worker;
  const threads = await startThreadPool({ threads: 1, syscalls, workerFile, patienceMs: 100 });
  const request = { fd: file.fd, depth: 1, syscalls, pool: threads.shared };
  const backend = openBackend("threads", request);
  backend.prepare(BlockOperation.WRITE_ZEROES, 0, 0, 0, 0, bytes, false);
  backend.submit();
  await sleep(50);
  const began = performance.now();
  const gone = await threads.close();
  const closedMs = performance.now() - began;
  const written = () => fstatSync(file.fd).blocks;
  const blocks = written();
  await sleep(200);
  const end = async () => {
    closeSync(file.fd);
    file.remove();
    worker.remove();
  };
  return { gone, closedMs, blocks, later: written(), backend, end };
}

pool("a request of many system calls ends between two of them when the pool does", async () => {
  const { gone, closedMs, blocks, later, backend, end } = await closeInZeroing(10, "code");
  assert.is(gone, true);
  assert.ok(closedMs < 3000, `${closedMs} ms`);
  assert.is(later, blocks, "nobody writes to the descriptor any more");
  assert.ok(blocks > 0 && blocks < (64 << 20) / 512, `${blocks} blocks: in the middle of it`);
  assert.is(backend.settle(), true, "a dead pool is quiet");
  backend.close();
  await end();
});

pool("a worker that hangs in the kernel is not said to be gone", async () => {
  const { gone, closedMs, backend, end } = await closeInZeroing(2500, "kernel");
  assert.is(gone, false);
  assert.ok(closedMs < 2300, `${closedMs} ms`);
  await sleep(2000);
  assert.is(backend.settle(), true, "now it is");
  backend.close();
  await end();
});

pool("one disk after another, and no two at a time", async () => {
  const file = makeFile(tmpdir(), CAPACITY);
  const threads = await startThreadPool({ threads: 2, syscalls, workerFile: WORKER_FILE });
  const request = { fd: file.fd, depth: DEPTH, syscalls, pool: threads.shared };
  for (let round = 0; round < 20; round++) {
    const requests = new Requests(openBackend("threads", request), 4 * SECTOR);
    assert.throws(() => openBackend("threads", request), /two back ends/);
    submitAll(requests);
    if (round % 2 === 0) assert.is(requests.drain().size, DEPTH);
    requests.backend.close();
  }
  await threads.close();
  closeSync(file.fd);
  file.remove();
});

pool("starts and ends without a trace", async () => {
  // koffi and libuv keep something of the first threads.
  for (let round = 0; round < 2; round++) await (await open(2, WORKER_FILE)).end();
  const before = takeResources();
  for (let round = 0; round < 5; round++) {
    const { threads, requests, end } = await open(4, WORKER_FILE);
    submitAll(requests);
    await end();
    // Again, which does nothing.
    requests.backend.close();
    await threads.close();
  }
  // koffi's stacks of twenty threads.
  assert.equal(await leakedSince(before, 20), []);
});

pool("what cannot be started is refused", async () => {
  const codeOf = async (promise: Promise<ThreadPool>) => {
    try {
      await promise;
      return "";
    } catch (error) {
      return error instanceof WasmUringError ? error.code : String(error);
    }
  };
  for (const threads of [0, 65, 1.5]) {
    assert.is(await codeOf(startThreadPool({ threads, syscalls })), "ERR_BAD_OPTION");
  }
  const before = takeResources();
  const workerFile = pathToFileURL("/nowhere/worker.cjs");
  assert.is(await codeOf(startThreadPool({ threads: 3, syscalls, workerFile })), "ERR_WORKER");
  const denied = { ...syscalls, eventfd: () => -Errno.EMFILE };
  assert.is(await codeOf(startThreadPool({ threads: 3, syscalls: denied })), "ERR_SETUP");
  assert.equal(await leakedSince(before), []);
});

pool.run();
