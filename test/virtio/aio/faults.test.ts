/** System calls of a back end that fail: in opening, where nothing may be left behind, and in submitting. */
import { closeSync } from "node:fs";
import { tmpdir } from "node:os";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Errno, Register } from "../../../host/abi";
import { WasmUringError } from "../../../host/errors";
import { linuxSyscalls } from "../../../host/ffi";
import { type AioCalls, aioCalls } from "../../../host/ffi/aio";
import { nativeMemory } from "../../../host/ffi/native-memory";
import type { Syscalls } from "../../../host/ffi/syscalls";
import {
  type AioName,
  BlockOperation,
  closeRemains,
  openBackend,
  startThreadPool,
} from "../../../host/virtio/aio";
import { AioEvents } from "../../../host/virtio/aio/aio-events";
import { makeEventFd } from "../../../host/virtio/aio/event";
import { NativeBackend } from "../../../host/virtio/aio/native";
import { failCall, fakeKernel } from "../../fault/faults";
import { leakedSince, takeResources } from "../../hostile/resources";
import { AIO_NAMES, makeFile, WORKER_FILE } from "./kinds";
import { Requests } from "./requests";

const faults = suite("aio faults");

const SECTOR = 512;
const DEPTH = 8;
const CAPACITY = 64 * SECTOR;
const file = makeFile(tmpdir(), CAPACITY);

const reads = Array.from({ length: DEPTH }, (_, tag) => ({
  operation: BlockOperation.READ,
  offset: tag * SECTOR,
  length: SECTOR,
}));

async function makePool(aio: AioName) {
  if (aio !== "threads") return null;
  return await startThreadPool({
    threads: 1,
    syscalls: linuxSyscalls(),
    workerFile: WORKER_FILE,
  });
}

for (const aio of AIO_NAMES) {
  faults(`${aio}: every call of opening fails once`, async () => {
    const pool = await makePool(aio);
    const open = (syscalls: Syscalls) =>
      openBackend(aio, {
        fd: file.fd,
        depth: DEPTH,
        syscalls,
        ...(pool === null ? {} : { pool: pool.shared }),
      });
    const healthy = failCall(-1, 0);
    open(healthy.syscalls).close();
    const before = takeResources();
    for (const errno of [Errno.EPERM, Errno.EINVAL, Errno.ENOMEM]) {
      for (const [index, { name, detail }] of healthy.calls.entries()) {
        // What is not unmapped stays.
        if (name === "munmap") continue;
        const table = failCall(index, errno);
        let outcome = "";
        try {
          open(table.syscalls).close();
        } catch (error) {
          assert.instance(error, WasmUringError, String(error));
          outcome = error instanceof WasmUringError ? error.code : "";
        }
        // An older kernel says EINVAL to flags that it does not know.
        if (name === "ioUringSetup" && errno === Errno.EINVAL) assert.is(outcome, "");
        // Closing goes on, whatever comes of a step.
        else if (detail.includes("UNREGISTER")) assert.is(outcome, "");
        else if (outcome === "ERR_MEMLOCK") continue;
        else if (name === "ioUringSetup") assert.is(outcome, "ERR_ENGINE_UNAVAILABLE");
        else assert.is(outcome, "ERR_SETUP", `${detail} says ${Errno[errno]}`);
      }
    }
    await pool?.close();
    assert.equal(await leakedSince(before), []);
  });

  faults(`${aio}: what another thread cleans up`, async () => {
    const before = takeResources();
    for (let round = 0; round < 5; round++) {
      const pool = await makePool(aio);
      const backend = openBackend(aio, {
        fd: file.fd,
        depth: DEPTH,
        syscalls: linuxSyscalls(),
        ...(pool === null ? {} : { pool: pool.shared }),
      });
      const requests = new Requests(backend, 2 * SECTOR);
      for (const [tag, read] of reads.entries()) {
        requests.prepare(tag, read);
        if (tag === round) backend.submit();
      }
      // As if this thread had ended here.
      await closeRemains(structuredClone(backend.remains), linuxSyscalls());
      for (const tag of reads.keys()) requests.slot(tag).fill(0x55);
      await pool?.close();
      for (const tag of reads.keys()) {
        assert.ok(requests.slot(tag).every((byte) => byte === 0x55));
      }
    }
    assert.equal(await leakedSince(before), []);
  });
}

faults(
  "io_uring whose requests do not end: memory must stay mapped, and that is said",
  async () => {
    const backend = openBackend("io_uring", {
      fd: file.fd,
      depth: DEPTH,
      syscalls: linuxSyscalls(),
    });
    const stuck = fakeKernel((real) => ({
      ioUringRegister: (fd, call, argument, count) =>
        call === Register.SYNC_CANCEL
          ? -Errno.ETIME
          : real.ioUringRegister(fd, call, argument, count),
    }));
    assert.is(await closeRemains(structuredClone(backend.remains), stuck), false);
    const other = openBackend("io_uring", { fd: file.fd, depth: DEPTH, syscalls: linuxSyscalls() });
    assert.is(await closeRemains(structuredClone(other.remains), linuxSyscalls()), true);
  },
);

faults("io_uring that takes one SQE at a time, or none", () => {
  const one = fakeKernel((real) => ({
    ioUringSubmit: (fd, count, flags) => real.ioUringSubmit(fd, Math.min(count, 1), flags),
  }));
  const taking = openBackend("io_uring", { fd: file.fd, depth: DEPTH, syscalls: one });
  assert.ok(new Requests(taking, 4096).runAll(reads).every((result) => result === SECTOR));
  taking.close();
  for (const errno of [Errno.EAGAIN, Errno.EBUSY, Errno.EBADR]) {
    let left = 3;
    const refusing = fakeKernel((real) => ({
      ioUringSubmit: (fd, count, flags) =>
        left-- === 0 ? real.ioUringSubmit(fd, Math.min(count, 3), flags) : -errno,
    }));
    const backend = openBackend("io_uring", { fd: file.fd, depth: DEPTH, syscalls: refusing });
    const requests = new Requests(backend, 4096);
    const known = (result: number) => result === SECTOR || result === -errno;
    for (let round = 0; round < 4; round++) assert.ok(requests.runAll(reads).every(known));
    left = 0;
    backend.close();
  }
});

faults(
  "the event loop goes on while Linux AIO ends what a killed thread had in flight",
  async () => {
    const request = { fd: file.fd, depth: DEPTH, syscalls: linuxSyscalls() };
    const backend = openBackend("native", request);
    let turned = false;
    setImmediate(() => {
      turned = true;
    });
    await closeRemains(backend.remains, linuxSyscalls());
    assert.ok(turned, "io_destroy was not waited for on this thread");
  },
);

function openNative(aio: AioCalls) {
  return openBackend("native", { fd: file.fd, depth: DEPTH, syscalls: linuxSyscalls(), aio });
}

faults("native that takes one iocb at a time, or none", () => {
  const real = aioCalls();
  const one = openNative({
    ...real,
    submit: (context, count, pointers) => real.submit(context, Math.min(count, 1), pointers),
  });
  assert.ok(new Requests(one, 4096).runAll(reads).every((result) => result === SECTOR));
  one.close();
  const none = openNative({ ...real, submit: () => -Errno.EAGAIN });
  assert.ok(new Requests(none, 4096).runAll(reads).every((result) => result === -Errno.EAGAIN));
  none.close();
});

faults("native without a context says why", () => {
  const codeOf = (errno: number) => {
    try {
      openNative({ ...aioCalls(), setup: () => -errno }).close();
      return "";
    } catch (error) {
      return error instanceof WasmUringError ? `${error.code} ${error.message}` : "";
    }
  };
  assert.match(codeOf(Errno.EAGAIN), /^ERR_SETUP .*fs\.aio-max-nr/);
  assert.match(codeOf(Errno.ENOSYS), /^ERR_ENGINE_UNAVAILABLE .*CONFIG_AIO/);
  assert.match(codeOf(Errno.EPERM), /^ERR_ENGINE_UNAVAILABLE .*seccomp/);
});

faults("native whose completion ring is another than the known one", () => {
  const syscalls = linuxSyscalls();
  const calls = aioCalls();
  const context = calls.setup(DEPTH);
  // The header that was copied is all zeroes: by io_getevents(2), then.
  const memory = { ...nativeMemory(), copy: () => {} };
  const events = new AioEvents({ calls, memory, syscalls, context, depth: DEPTH });
  const eventFd = makeEventFd(syscalls);
  const parts = { fd: file.fd, depth: DEPTH, syscalls, calls, context, eventFd, events };
  const requests = new Requests(new NativeBackend(parts), 4096);
  for (let round = 0; round < 10; round++) {
    assert.ok(requests.runAll(reads).every((result) => result === SECTOR));
  }
  assert.is(requests.backend.arm(), true);
  requests.backend.close();
});

faults.after(() => {
  closeSync(file.fd);
  file.remove();
});

faults.run();
