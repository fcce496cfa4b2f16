/** fd_read, fd_write, fd_pread, fd_pwrite on files: bytes, positions, and every hostile pointer. */
import { execFileSync } from "node:child_process";
import { readFileSync, truncateSync, writeFileSync } from "node:fs";
import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { WasiErrno } from "../../host/wasi/errno";
import { VECTORS_MAX } from "../../host/wasi/vectors";
import { At, folderGuest, hasFiles, OFlag, Rights } from "./folder";

const test = suite("wasi/fd-data");
const created = { flags: OFlag.CREATE, rights: Rights.BOTH };
const APPEND = 1;

for (const shared of [false, true]) {
  test(`what is written is read again, and the position goes along (shared: ${shared})`, () => {
    const g = folderGuest({ shared });
    const fd = g.open("file", created);
    assert.is(g.write(fd, "abcdef"), WasiErrno.SUCCESS);
    assert.is(g.result, 6);
    assert.is(g.call("fd_seek", fd, 0n, 0, At.RESULT), WasiErrno.SUCCESS);
    assert.is(g.write(fd, "X"), WasiErrno.SUCCESS);
    assert.is(g.call("fd_pwrite", fd, ...g.vector("Y"), 2n, At.RESULT), WasiErrno.SUCCESS);
    assert.is(readFileSync(g.path("file"), "utf8"), "XbYdef");
    assert.is(g.read(fd, 3), "bYd");
    assert.is(g.read(fd, 100), "ef");
    assert.is(g.read(fd, 100), "");
  });

  test(`memory that grew is used where it is then (shared: ${shared})`, () => {
    const g = folderGuest({ shared, pages: 1 });
    writeFileSync(g.path("file"), "0123456789");
    const fd = g.open("file");
    g.guest.view.setUint32(At.VECTORS, 40_000, true);
    g.guest.view.setUint32(At.VECTORS + 4, 4, true);
    assert.is(g.call("fd_pread", fd, At.VECTORS, 1, 0n, At.RESULT), WasiErrno.SUCCESS);
    g.guest.memory.grow(50);
    const far = 50 * 65536 + 17;
    assert.is(g.call("fd_pread", fd, ...g.vectors([[far, 5]]), 5n, At.RESULT), WasiErrno.SUCCESS);
    assert.is(g.text(5, far), "56789");
  });
}

test("many vectors are filled in their order, and one call moves them", () => {
  const g = folderGuest();
  writeFileSync(g.path("file"), "abcdefghij");
  const fd = g.open("file");
  const list = [
    [At.DATA, 3],
    [At.DATA + 100, 0],
    [At.DATA + 50, 4],
    [At.DATA + 200, 100],
  ] as const;
  assert.is(g.call("fd_read", fd, ...g.vectors(list), At.RESULT), WasiErrno.SUCCESS);
  assert.is(g.result, 10);
  assert.equal(
    [g.text(3), g.text(4, At.DATA + 50), g.text(3, At.DATA + 200)],
    ["abc", "defg", "hij"],
  );
  assert.is(g.call("fd_read", fd, At.VECTORS, 0, At.RESULT), WasiErrno.SUCCESS);
  assert.is(g.result, 0);
});

test("appending goes to the end, wherever that is, and the position follows", () => {
  const g = folderGuest();
  const fd = g.open("log", { ...created, fdFlags: APPEND });
  g.write(fd, "one.");
  writeFileSync(g.path("log"), "two.", { flag: "a" });
  g.call("fd_seek", fd, 0n, 0, At.RESULT);
  g.write(fd, "three.");
  assert.is(readFileSync(g.path("log"), "utf8"), "one.two.three.");
  assert.is(g.call("fd_tell", fd, At.RESULT), WasiErrno.SUCCESS);
  assert.is(g.result64, 14n);
  // POSIX: pwrite writes at its offset.
  assert.is(g.call("fd_pwrite", fd, ...g.vector("ONE"), 0n, At.RESULT), WasiErrno.SUCCESS);
  assert.is(readFileSync(g.path("log"), "utf8"), "ONE.two.three.");
  assert.is(g.call("fd_fdstat_set_flags", fd, 0), WasiErrno.SUCCESS);
  g.call("fd_seek", fd, 4n, 0, At.RESULT);
  g.write(fd, "TWO");
  assert.is(readFileSync(g.path("log"), "utf8"), "ONE.TWO.three.");
});

test("synchronous writes", () => {
  const g = folderGuest();
  for (const fdFlags of [2, 8, 16, 31]) {
    const fd = g.open(`sync${fdFlags}`, { ...created, fdFlags });
    assert.is(g.write(fd, "abc"), WasiErrno.SUCCESS);
    assert.is(g.call("fd_pwrite", fd, ...g.vector("Z"), 1n, At.RESULT), WasiErrno.SUCCESS);
    assert.is(readFileSync(g.path(`sync${fdFlags}`), "utf8"), "aZc");
  }
});

test("a descriptor that may not read or write says EBADF", () => {
  const g = folderGuest();
  writeFileSync(g.path("file"), "abc");
  const reader = g.open("file");
  const writer = g.open("file", { rights: Rights.WRITE });
  assert.is(g.write(reader, "x"), WasiErrno.EBADF);
  assert.is(g.call("fd_pwrite", reader, ...g.vector("x"), 0n, At.RESULT), WasiErrno.EBADF);
  assert.is(g.read(writer, 3), "E:EBADF");
  assert.is(g.call("fd_pread", writer, At.VECTORS, 1, 0n, At.RESULT), WasiErrno.EBADF);
  assert.is(readFileSync(g.path("file"), "utf8"), "abc");
});

test("a directory is not read or written", () => {
  const g = folderGuest();
  assert.is(g.read(3, 10), "E:EISDIR");
  assert.is(g.write(3, "x"), WasiErrno.EBADF);
  assert.is(g.call("fd_pread", 3, At.VECTORS, 1, 0n, At.RESULT), WasiErrno.EISDIR);
  assert.is(g.call("fd_pwrite", 3, At.VECTORS, 1, 0n, At.RESULT), WasiErrno.EBADF);
});

test("offsets that no file has", () => {
  const g = folderGuest();
  const fd = g.open("file", created);
  g.write(fd, "abc");
  const [at, count] = g.vectors([[At.DATA, 3]]);
  for (const offset of [-1n, -(2n ** 63n)]) {
    assert.is(g.call("fd_pread", fd, at, count, offset, At.RESULT), WasiErrno.EINVAL);
    assert.is(g.call("fd_pwrite", fd, at, count, offset, At.RESULT), WasiErrno.EINVAL);
  }
  for (const offset of [2n ** 53n, 2n ** 62n, 2n ** 63n - 1n]) {
    assert.is(g.call("fd_pread", fd, at, count, offset, At.RESULT), WasiErrno.SUCCESS);
    assert.is(g.result, 0);
    assert.is(g.call("fd_pwrite", fd, at, count, offset, At.RESULT), WasiErrno.EFBIG);
  }
});

test("hostile pointers move nothing", () => {
  const g = folderGuest();
  const fd = g.open("file", created);
  g.write(fd, "precious");
  const end = g.guest.lengthBytes;
  const offsets = { fd_read: [], fd_write: [], fd_pread: [0n], fd_pwrite: [0n] } as const;
  for (const [name, offset] of Object.entries(offsets)) {
    const call = (at: number, count: number, result: number) =>
      g.call(name, fd, at, count, ...offset, result);
    assert.is(call(At.VECTORS, VECTORS_MAX + 1, At.RESULT), WasiErrno.EINVAL);
    assert.is(call(At.VECTORS, -1, At.RESULT), WasiErrno.EINVAL);
    assert.is(call(end - 4, 1, At.RESULT), WasiErrno.EFAULT);
    assert.is(call(-8, 1, At.RESULT), WasiErrno.EFAULT);
    for (const [at, length] of [
      [end - 1, 2],
      [end, 1],
      [0xffffffff, 1],
      [0, 0xffffffff],
    ] as const) {
      const [one] = g.vectors([[at, length]]);
      assert.is(call(one, 1, At.RESULT), WasiErrno.EFAULT);
      const [two] = g.vectors([
        [At.DATA, 1],
        [at, length],
      ]);
      assert.is(call(two, 2, At.RESULT), WasiErrno.EFAULT);
    }
    const [good, count] = g.vectors([[At.DATA, 1]]);
    assert.is(call(good, count, end - 3), WasiErrno.EFAULT);
    assert.is(call(good, count, -1), WasiErrno.EFAULT);
  }
  assert.is(readFileSync(g.path("file"), "utf8"), "precious");
});

test("a transfer longer than one part is whole, and stops between parts", () => {
  const pages = 1200;
  const g = folderGuest({ pages });
  const fd = g.open("big", created);
  const length = 70 << 20;
  truncateSync(g.path("big"), length);
  const vectors = g.vectors([[At.DATA, length]]);
  g.guest.bytes[At.DATA + length - 1] = 7;
  assert.is(g.call("fd_read", fd, ...vectors, At.RESULT), WasiErrno.SUCCESS);
  assert.is(g.result, length);
  assert.is(g.guest.bytes[At.DATA + length - 1], 0);
  g.stopped = true;
  assert.is(g.call("fd_pread", fd, ...vectors, 0n, At.RESULT), WasiErrno.EINTR);
});

test("property: any writes and reads at any place agree with a buffer", () => {
  const g = folderGuest();
  const fd = g.open("model", created);
  const model = Buffer.alloc(4096);
  let size = 0;
  const write = fc.record({ at: fc.nat(3000), text: fc.string({ minLength: 1, maxLength: 200 }) });
  fc.assert(
    fc.property(
      fc.array(write, { maxLength: 8 }),
      fc.nat(4000),
      fc.nat(90),
      (writes, at, length) => {
        for (const { at: to, text } of writes) {
          const bytes = new TextEncoder().encode(text);
          g.call("fd_pwrite", fd, ...g.vector(text), BigInt(to), At.RESULT);
          model.set(bytes, to);
          size = Math.max(size, to + bytes.length);
        }
        const list = [
          [At.DATA + 1, length],
          [At.DATA + 500, length],
        ] as const;
        g.call("fd_pread", fd, ...g.vectors(list), BigInt(at), At.RESULT);
        const expected = Math.max(Math.min(length * 2, size - at), 0);
        const got = Buffer.concat([
          g.guest.bytes.slice(At.DATA + 1, At.DATA + 1 + length),
          g.guest.bytes.slice(At.DATA + 500, At.DATA + 500 + length),
        ]);
        assert.is(g.result, expected);
        assert.ok(got.subarray(0, expected).equals(model.subarray(at, at + expected)));
      },
    ),
    { numRuns: 100 },
  );
});

test("a FIFO is read when there is something, and a stopped guest does not wait for it", () => {
  const g = folderGuest();
  execFileSync("mkfifo", [g.path("fifo")]);
  const reader = g.open("fifo");
  const writer = g.open("fifo", { rights: Rights.WRITE });
  assert.is(g.write(writer, "through"), WasiErrno.SUCCESS);
  assert.is(g.read(reader, 100), "through");
  assert.is(g.call("fd_pread", reader, At.VECTORS, 1, 0n, At.RESULT), WasiErrno.ESPIPE);
  assert.is(g.call("fd_seek", reader, 0n, 0, At.RESULT), WasiErrno.ESPIPE);
  assert.is(g.call("fd_fdstat_set_flags", reader, 4), WasiErrno.SUCCESS);
  assert.is(g.read(reader, 100), "E:EAGAIN");
  assert.is(g.call("fd_fdstat_set_flags", reader, 0), WasiErrno.SUCCESS);
  g.stopped = true;
  assert.is(g.read(reader, 100), "E:EINTR");
});

test("a device gives a part at a time, so that a long read can be ended", () => {
  const part = 64 * 1024 * 1024;
  const pages = part / 65536 + 16;
  const g = folderGuest({
    pages,
    requests: { preopens: { "/": { path: "/dev", readOnly: true } } },
  });
  const fd = g.open("zero");
  const vectors = g.vectors([
    [At.DATA, 0],
    [At.DATA, part + 10],
  ]);
  assert.is(g.call("fd_read", fd, ...vectors, At.RESULT), WasiErrno.SUCCESS);
  // The kernel stops earlier when a signal is pending, which V8's threads may send.
  assert.ok(g.result > 0 && g.result <= part, `${g.result} bytes`);
});

if (hasFiles) test.run();
else console.log("wasi/fd-data skipped: no system calls on this platform");
