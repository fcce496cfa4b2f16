/**
 * Requests under the rights of another user: visible in that a write by one who may not keep it clears the set-user-ID
 * bit. Given by the policy alone, never forged, and the guest's thread is afterwards what it was.
 */
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type GuestOptions, runGuest, WasmUringError } from "wasm-uring";
import { threadCredentials } from "../../host/ffi/credentials";
import { type EngineHere, enginesHere } from "../engines";
import { endOf, guestPath, textOf } from "./guests";

const test = suite("guest/personality");

const NOBODY = 65534;
const SET_USER_ID = 0o4000;
const other = { uid: NOBODY, gid: NOBODY, groups: [NOBODY] };
const policy = { opcodes: ["READ_FIXED", "WRITE_FIXED"], personalities: true } as const;

interface Run {
  end: string;
  lines: string[];
  /** Whether the file still has its set-user-ID bit. */
  kept: boolean;
}

async function write(
  { engine, sqpoll }: Pick<EngineHere, "engine" | "sqpoll">,
  args: readonly string[],
  options: GuestOptions,
): Promise<Run> {
  const folder = mkdtempSync(join(tmpdir(), "wasm-uring-personality-"));
  try {
    const path = join(folder, "target");
    writeFileSync(path, "target");
    chmodSync(path, 0o4755);
    const files = { target: { path, access: "write" } } as const;
    const result = await runGuest(guestPath("personality"), {
      ...{ engine, sqpoll, files, args: ["guest", ...args], stdout: "capture" },
      ...options,
    });
    const kept = (statSync(path).mode & SET_USER_ID) !== 0;
    return { end: endOf(result), lines: textOf(result.stdout).trim().split("\n"), kept };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const identity = () =>
  readFileSync("/proc/thread-self/status", "utf8").match(/^(Uid|Gid|Groups|Cap\w+):.*$/gm);

const isRoot = process.getuid?.() === 0;
const engines = (await enginesHere()).filter(({ engine }) => engine !== "emulated");

if (!isRoot) console.log("skipped: personalities need CAP_SETUID and CAP_SETGID");
for (const here of isRoot ? engines : []) {
  const { label } = here;

  test(`${label}: a write under a personality has its rights, one without has the host's`, async () => {
    const before = identity();
    const options: GuestOptions = { policy, personalities: { other } };
    const own = await write(here, [], options);
    assert.equal(own, {
      end: "exit 0",
      // The only one is 1: what is named beside it does not exist.
      lines: ["before: -9", "unknown: -2, found: yes", "written: 1", "forged: 1 -22"],
      kept: false, // the forged id 1 is the registered one
    });
    const theirs = await write(here, ["other"], options);
    assert.equal(theirs, {
      end: "exit 0",
      lines: ["before: -9", "unknown: -2, found: yes", "written: 1", "forged: -22 -22"],
      kept: false,
    });
    assert.equal(identity(), before);
  });

  test(`${label}: none registered, none to be named`, async () => {
    const none = await write(here, ["other"], { policy });
    assert.equal(none, {
      end: "exit 0",
      lines: ["before: -9", "unknown: -2, found: -2", "written: 1", "forged: -22 -22"],
      kept: true,
    });
  });
}

if (isRoot) {
  test("a thread becomes somebody else and comes back", () => {
    const calls = threadCredentials();
    if (calls === null) return console.log(`skipped: not on ${process.arch}`);
    const before = identity();
    const users = calls.userIds();
    const capabilities = calls.capabilities();
    assert.ok(typeof users !== "number" && typeof capabilities !== "number");
    assert.is(calls.setUserIds([NOBODY, NOBODY, users[1]]), 0);
    assert.match(identity()?.join("\n") ?? "", /Uid:\t65534\t65534\t0\t65534/);
    assert.is(process.getuid?.(), NOBODY, "this thread");
    calls.setCapabilities(capabilities);
    assert.is(calls.setUserIds(users), 0);
    assert.equal(identity(), before);
  });
}

const REFUSED: readonly (readonly [string, GuestOptions, RegExp])[] = [
  ["a built-in policy", { personalities: { other } }, /policy "file-write": the policy does not/],
  [
    "a policy that names others",
    { policy: { ...policy, personalities: ["mine"] }, personalities: { other } },
    /personality "other" with policy "custom": the policy does not allow it/,
  ],
  [
    "no number",
    { policy, personalities: { other: { uid: -1, gid: 0 } } },
    /uid -1 of personality "other" is not a whole number|uid -1 of personality "other": is not/,
  ],
  ["emulated", { policy, personalities: { other }, engine: "emulated" }, /the emulated engine/],
];

for (const [name, options, pattern] of REFUSED) {
  test(`refused: ${name}`, async () => {
    const here = {
      engine: options.engine === "emulated" ? "emulated" : "mapped",
      sqpoll: false,
    } as const;
    const error: unknown = await write(here, [], options).then(
      () => null,
      (reason) => reason,
    );
    assert.instance(error, WasmUringError);
    assert.match(String(error), pattern);
  });
}

if (!isRoot) {
  test("without the capability the guest is told nothing, its owner everything", async () => {
    const [here] = engines;
    if (here === undefined) return console.log("skipped: no engine with a kernel ring");
    const { end } = await write(here, [], { policy, personalities: { other } });
    assert.match(end, /host-failure ERR_PERSONALITY: switching to .* EPERM.*CAP_SETUID/);
  });
}

test.run();
