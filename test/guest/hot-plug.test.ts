/**
 * Grants that come and go while a guest runs, on every engine: found at once, cancelled and gone at once, refused where
 * a grant at the start would be refused; and nothing left behind.
 */
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  read as readCallback,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { createGuest, type Guest, type GuestOptions, WasmUringError } from "wasm-uring";
import { type EngineHere, enginesHere } from "../engines";
import { leakedSince, takeResources } from "../hostile/resources";
import { endOf, guestPath, openPipe, textOf } from "./guests";

const test = suite("guest/hot-plug");
const read = promisify(readCallback);

const folder = mkdtempSync(join(tmpdir(), "wasm-uring-hot-plug-"));
const path = join(folder, "five");
writeFileSync(path, "five!".repeat(1000));
test.after(() => rmSync(folder, { recursive: true, force: true }));

async function withGuest(
  { engine, sqpoll }: EngineHere,
  args: readonly string[],
  options: GuestOptions,
  use: (guest: Guest) => Promise<void>,
): Promise<void> {
  const before = takeResources();
  const guest = await createGuest(guestPath("hot-plug"), {
    ...{ engine, sqpoll, stdout: "capture", policy: "stream", deadlineMs: 20_000 },
    ...options,
    args: ["guest", ...args],
  });
  try {
    await use(guest);
  } finally {
    await guest.close();
  }
  assert.equal(await leakedSince(before), []);
}

async function outputOf(guest: Guest): Promise<string> {
  const result = await guest.run();
  assert.is(endOf(result), "exit 0");
  return textOf(result.stdout);
}

async function refusalOf(promise: Promise<unknown>): Promise<string> {
  const error: unknown = await promise.then(
    () => null,
    (reason) => reason,
  );
  assert.instance(error, WasmUringError);
  return error instanceof WasmUringError ? `${error.code}: ${error.message}` : "";
}

for (const here of await enginesHere()) {
  const { label } = here;

  test(`${label}: a grant made before the run is found`, () =>
    withGuest(here, ["find", "late"], {}, async (guest) => {
      await guest.grant("late", { path });
      assert.is(await outputOf(guest), "slot 0: five!\n");
    }));

  test(`${label}: a guest that asks for it without end finds a grant made meanwhile`, () =>
    withGuest(here, ["find", "late"], { files: { first: { path } } }, async (guest) => {
      const output = outputOf(guest);
      await sleep(150);
      await guest.grant("late", { path });
      assert.is(await output, "slot 1: five!\n");
    }));

  test(`${label}: what is in flight on a revoked grant is cancelled, what comes after is EBADF`, async () => {
    const pipe = openPipe();
    const ready = openPipe();
    try {
      const files = { idle: { fd: pipe.read }, ready: { fd: ready.write } };
      await withGuest(here, ["lose", "idle"], { files }, async (guest) => {
        const output = outputOf(guest);
        await read(ready.read, Buffer.alloc(1), 0, 1, null);
        const began = performance.now();
        await guest.revoke("idle");
        assert.ok(performance.now() - began < 2000);
        assert.is(await output, "first -125, then -9, name gone\n");
      });
    } finally {
      pipe.close();
      ready.close();
    }
  });

  test(`${label}: a slot and a name are used again, for another file`, () =>
    withGuest(
      here,
      ["find", "again"],
      { files: { again: { path: "package.json" } } },
      async (guest) => {
        await guest.revoke("again");
        const output = outputOf(guest);
        await sleep(100);
        await guest.grant("other", { path });
        await guest.revoke("other");
        await guest.grant("again", { path });
        assert.is(await output, "slot 0: five!\n");
      },
    ));

  test(`${label}: revoking races a guest that reads without end`, () =>
    withGuest(here, ["race", "data"], { files: { data: { path } } }, async (guest) => {
      const output = outputOf(guest);
      await sleep(200);
      await guest.revoke("data");
      assert.is(await output, "raced\n");
    }));

  test(`${label}: many grants and revocations while the guest spins`, () =>
    withGuest(here, ["find", "last"], {}, async (guest) => {
      const output = outputOf(guest);
      for (let round = 0; round < 50; round++) {
        await Promise.all([guest.grant(`a${round}`, { path }), guest.grant(`b${round}`, { path })]);
        await Promise.all([guest.revoke(`a${round}`), guest.revoke(`b${round}`)]);
      }
      await guest.grant("last", { path });
      assert.is(await output, "slot 0: five!\n");
    }));
}

const [first] = await enginesHere();
assert.ok(first !== undefined);

test("what a grant at the start is refused for, a later one is too", () =>
  withGuest(first, ["find", "late"], { policy: "file-read" }, async (guest) => {
    const refusals = [
      await refusalOf(guest.grant("late", { path, access: "read-write" })),
      await refusalOf(guest.grant("late", { path: join(folder, "absent") })),
      await refusalOf(guest.grant("late", { path: "/proc/self/mem" })),
      await refusalOf(guest.grant("", { path })),
      await refusalOf(guest.revoke("late")),
    ];
    const expected = [
      /^ERR_BAD_OPTION: grant "late" for writing with policy "file-read": no opcode/,
      /^ERR_BAD_GRANT: granting "late" .*no such file/,
      /^ERR_BAD_GRANT: granting "late" .*proc/,
      /^ERR_BAD_GRANT: granting "": the name is empty/,
      /^ERR_BAD_GRANT: revoking "late": the guest has no grant of that name/,
    ];
    expected.forEach((pattern, index) => {
      assert.match(refusals[index] ?? "", pattern);
    });
    const output = outputOf(guest);
    await guest.grant("late", { path });
    assert.match(await refusalOf(guest.grant("late", { path })), /it has a grant of that name/);
    assert.is(await output, "slot 0: five!\n");
    assert.match(await refusalOf(guest.grant("later", { path })), /the guest has ended/);
  }));

test("a device's name is no grant's", async () => {
  const devices: GuestOptions["devices"] = { disk: { path: "vdpa-sim", capacityBytes: 1 << 20 } };
  await withGuest(first, ["find", "late"], { devices }, async (guest) => {
    const refusal = await refusalOf(guest.grant("disk", { path }));
    assert.match(refusal, /^ERR_BAD_GRANT: granting "disk" .*it has a device of that name/);
    const output = outputOf(guest);
    await guest.grant("late", { path });
    assert.is(await output, "slot 0: five!\n");
  });
});

test("what the policy refuses is not made", () =>
  withGuest(first, ["find", "late"], { policy: "file-read" }, async (guest) => {
    const missing = join(folder, "never-made");
    const refusal = await refusalOf(guest.grant("new", { path: missing, access: "write" }));
    assert.match(refusal, /^ERR_BAD_OPTION: .*no opcode of the policy writes/);
    assert.not.ok(existsSync(missing));
    await guest.grant("late", { path });
    assert.is(await outputOf(guest), "slot 0: five!\n");
  }));

test("64 slots, and no more", () =>
  withGuest(first, ["find", "n63"], {}, async (guest) => {
    for (let index = 0; index < 64; index++) await guest.grant(`n${index}`, { path });
    assert.match(await refusalOf(guest.grant("one more", { path })), /all its 64 slots are taken/);
    await guest.revoke("n5");
    await guest.grant("one more", { path });
    assert.is(await outputOf(guest), "slot 63: five!\n");
  }));

test("a granted descriptor stays the embedder's", () =>
  withGuest(first, ["find", "late"], {}, async (guest) => {
    const fd = openSync(path, "r");
    await guest.grant("late", { fd });
    await guest.revoke("late");
    const { bytesRead } = await read(fd, Buffer.alloc(5), 0, 5, 0);
    assert.is(bytesRead, 5);
    await guest.grant("late", { fd });
    assert.is(await outputOf(guest), "slot 0: five!\n");
    closeSync(fd);
  }));

test.run();
