/** What fails fails for one request, with the kernel's errno, and leaves the others alone. */
import { spawnSync } from "node:child_process";
import {
  closeSync,
  constants,
  ftruncateSync,
  mkdtempSync,
  openSync,
  rmSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Errno } from "../../../host/abi";
import { WasmUringError } from "../../../host/errors";
import { linuxSyscalls } from "../../../host/ffi";
import {
  type BlockBackend,
  BlockOperation,
  openBackend,
  openRamDisk,
} from "../../../host/virtio/aio";
import { fileKinds, makeFile } from "./kinds";
import { Requests } from "./requests";

const SECTOR = 512;
const CAPACITY = 64 * SECTOR;
const READ = { operation: BlockOperation.READ, offset: 0, length: SECTOR };
const WRITE = { operation: BlockOperation.WRITE, offset: 0, length: SECTOR };
const FLUSH = { operation: BlockOperation.FLUSH, offset: 0, length: 0, segments: [] };
const DISCARD = { operation: BlockOperation.DISCARD, offset: 0, length: SECTOR, segments: [] };
const ZEROES = { ...DISCARD, operation: BlockOperation.WRITE_ZEROES };

for (const kind of fileKinds()) {
  const test = suite(`aio errors: ${kind.name}`);

  const over = async (
    fd: number,
    depth: number,
    body: (requests: Requests, backend: BlockBackend) => void,
  ) => {
    const disk = await kind.openOver(fd, depth);
    try {
      body(new Requests(disk.backend, CAPACITY), disk.backend);
    } finally {
      await disk.close();
    }
  };

  test("a file open for reading alone", async () => {
    const file = makeFile(tmpdir(), CAPACITY);
    const fd = openSync(file.path, constants.O_RDONLY);
    try {
      await over(fd, 8, (requests) => {
        const results = requests.runAll([READ, WRITE, ZEROES, DISCARD, READ, FLUSH]);
        const bad = -Errno.EBADF;
        assert.equal(results, [SECTOR, bad, bad, bad, SECTOR, 0]);
      });
    } finally {
      closeSync(fd);
      closeSync(file.fd);
      file.remove();
    }
  });

  test("a descriptor that was closed meanwhile", async () => {
    const file = makeFile(tmpdir(), CAPACITY);
    const fd = openSync(file.path, constants.O_RDWR);
    try {
      await over(fd, 8, (requests, { name }) => {
        closeSync(fd);
        // A ring has registered the file, which stays open as long as the ring.
        const result = name === "io_uring" ? SECTOR : -Errno.EBADF;
        assert.equal(requests.runAll([READ, WRITE, READ]), [result, result, result]);
      });
    } finally {
      closeSync(file.fd);
      file.remove();
    }
  });

  test("a file larger than RLIMIT_FSIZE", async () => {
    const file = makeFile(tmpdir(), CAPACITY);
    const limit = (value: string) =>
      spawnSync("prlimit", ["--pid", String(process.pid), `--fsize=${value}:`]).status;
    try {
      await over(file.fd, 4, (requests) => {
        if (limit(String(8 * SECTOR)) !== 0) return console.log("skipped: no prlimit");
        try {
          const beyond = { ...WRITE, offset: 10 * SECTOR };
          const across = { ...WRITE, offset: 7 * SECTOR, length: 2 * SECTOR };
          const results = requests.runAll([beyond, WRITE, across, READ]);
          assert.equal(results, [-Errno.EFBIG, SECTOR, SECTOR, SECTOR]);
        } finally {
          limit("unlimited");
        }
      });
    } finally {
      closeSync(file.fd);
      file.remove();
    }
  });

  test("a file system that is full", async () => {
    const folder = mkdtempSync(join(tmpdir(), "wasm-uring-full-"));
    const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=16k", "tmpfs", folder]);
    try {
      if (mounted.status !== 0) {
        console.log(`skipped: mounting a small tmpfs: ${mounted.stderr ?? mounted.error}`);
        return;
      }
      const fd = openSync(join(folder, "disk"), constants.O_RDWR | constants.O_CREAT);
      ftruncateSync(fd, CAPACITY);
      try {
        writeSync(fd, new Uint8Array(12 * 1024), 0, 12 * 1024, 0);
        await over(fd, 4, (requests) => {
          const whole = { ...WRITE, offset: 4096, length: CAPACITY - 4096 };
          assert.is(requests.run(whole), 12 * 1024, "as far as there is room");
          const beyond = { ...WRITE, offset: 20 * 1024 };
          assert.equal(requests.runAll([beyond, READ]), [-Errno.ENOSPC, SECTOR]);
        });
      } finally {
        closeSync(fd);
      }
    } finally {
      if (mounted.status === 0) spawnSync("umount", [folder]);
      rmSync(folder, { recursive: true });
    }
  });

  test("vectors that point nowhere, and too many of them", async () => {
    const file = makeFile(tmpdir(), CAPACITY);
    try {
      await over(file.fd, 4, (requests, backend) => {
        backend.prepare(BlockOperation.READ, 0, 0, 8, 1, SECTOR, false);
        backend.prepare(BlockOperation.WRITE, 1, 0, 8, 1, SECTOR, false);
        backend.prepare(BlockOperation.READ, 2, 0, 4096, 1025, SECTOR, false);
        requests.prepare(3, READ);
        backend.submit();
        const results = requests.drain();
        const wrong = [results.get(0), results.get(1), results.get(2)];
        assert.equal(wrong, [-Errno.EFAULT, -Errno.EFAULT, -Errno.EINVAL]);
        assert.is(results.get(3), SECTOR);
      });
    } finally {
      closeSync(file.fd);
      file.remove();
    }
  });

  test.run();
}

const options = suite("aio options");

options("depths outside 1 to 1024", () => {
  const syscalls = linuxSyscalls();
  for (const depth of [0, -1, 1.5, Number.NaN, 1025]) {
    const isRefusal = (error: unknown) =>
      error instanceof WasmUringError && error.code === "ERR_BAD_OPTION";
    assert.throws(() => openBackend("native", { fd: 0, depth, syscalls }), isRefusal);
    assert.throws(() => openRamDisk({ capacityBytes: SECTOR, depth, syscalls }), isRefusal);
  }
});

options("a RAM disk larger than any address space", () => {
  const syscalls = linuxSyscalls();
  assert.throws(
    () => openRamDisk({ capacityBytes: 2 ** 50, depth: 1, syscalls }),
    (error: unknown) => error instanceof WasmUringError && error.code === "ERR_SETUP",
  );
});

options("a large RAM disk costs what is written", () => {
  const disk = openRamDisk({ capacityBytes: 2 ** 36, depth: 2, syscalls: linuxSyscalls() });
  const requests = new Requests(disk, 8 * SECTOR);
  const before = process.memoryUsage.rss();
  const far = 2 ** 36 - SECTOR;
  assert.is(requests.write(far, new Uint8Array(SECTOR).fill(9)), SECTOR);
  assert.equal(requests.read(far, SECTOR), new Uint8Array(SECTOR).fill(9));
  assert.is(requests.run({ ...DISCARD, length: 2 ** 36 }), 0);
  assert.equal(requests.read(far, SECTOR), new Uint8Array(SECTOR));
  assert.ok(process.memoryUsage.rss() - before < 32 << 20);
  disk.close();
});

options.run();
