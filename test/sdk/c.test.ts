/**
 * sdk/c/wasm_uring.h: says the same as assembly/abi, compiles without a warning with and without atomics, with and without
 * libc, as C and as C++, and its load generator reads what is there.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import { runGuest } from "wasm-uring";
import * as abi from "../../assembly/abi";
import { enginesHere } from "../engines";

const test = suite("sdk/c");
const folder = mkdtempSync(join(tmpdir(), "wasm-uring-sdk-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
const header = readFileSync("sdk/c/wasm_uring.h", "utf8");

/** NAME = value pairs of all its anonymous enums. */
function enumerators(): Map<string, number> {
  const found = [...header.matchAll(/\b((?:URING|IORING|IOSQE|WASM_URING)_\w+) = (\d+)\b/g)];
  return new Map(found.map(([, name = "", value]) => [name, Number(value)]));
}

const ENUMS: readonly (readonly [prefix: string, values: object])[] = [
  ["URING_", abi.Errno],
  ["IORING_OP_", abi.Op],
  ["IOSQE_", abi.SqeFlag],
  ["IORING_FSYNC_", abi.Fsync],
  ["IORING_ENTER_", abi.EnterFlag],
  ["IORING_SQ_", abi.SqFlag],
  ["IORING_ASYNC_CANCEL_", abi.AsyncCancel],
  ["WASM_URING_", { ...abi.RingMode, ...abi.GrantKind, ...abi.GrantAccess }],
];

test("every constant is that of assembly/abi", () => {
  const found = enumerators();
  assert.ok(found.size > 60, `only ${found.size} constants were found`);
  for (const [name, value] of found) {
    const entry = ENUMS.find(([prefix]) => name.startsWith(prefix));
    assert.ok(entry !== undefined, `${name} belongs to no enum`);
    const [prefix, values] = entry;
    assert.equal(new Map(Object.entries(values)).get(name.slice(prefix.length)), value, name);
  }
  assert.ok(header.includes(`WASM_URING_ABI_VERSION ${abi.ABI_VERSION}u`));
  assert.equal(abi.GUEST_ADDRESS_BASE, 0x100000000);
});

test("every field of the request, the limits and a grant lies where the host looks", () => {
  const offsets: readonly (readonly [struct: string, field: string, offset: number])[] = [
    ...fieldsOf("wasm_uring_request", members("SetupRequest")),
    ...fieldsOf("wasm_uring_limits", members("Limits")),
    ...fieldsOf("wasm_uring_grant", members("GrantInfo")),
    ...fieldsOf("io_uring_cqe", {
      USER_DATA: abi.Cqe.USER_DATA,
      RES: abi.Cqe.RES,
      FLAGS: abi.Cqe.FLAGS,
    }),
    ...[
      "opcode",
      "flags",
      "ioprio",
      "fd",
      "off",
      "addr",
      "len",
      "user_data",
      "buf_index",
      "personality",
      "addr3",
    ].map((field) => ["io_uring_sqe", field, sqeOffset(field)] as const),
  ];
  const checks = offsets.map(
    ([struct, field, offset]) =>
      `_Static_assert(__builtin_offsetof(struct ${struct}, ${field}) == ${offset}, "${field}");`,
  );
  compile("offsets.c", `#include "wasm_uring.h"\n${checks.join("\n")}\n`, ["-fsyntax-only"]);
});

/** The members of an enum by its name: constant enums are objects for the bundler, but not for the type checker. */
function members(name: string): object {
  const found = new Map<string, unknown>(Object.entries(abi)).get(name);
  assert.ok(typeof found === "object" && found !== null, name);
  return found;
}

function fieldsOf(struct: string, values: object): (readonly [string, string, number])[] {
  return Object.entries(values)
    .filter(([name, value]) => typeof value === "number" && name !== "SIZE")
    .map(([name, value]) => [struct, name.toLowerCase(), Number(value)] as const);
}

function sqeOffset(field: string): number {
  const offset = new Map(Object.entries(members("Sqe"))).get(field.toUpperCase());
  return Number(offset);
}

const USE = `#include "wasm_uring.h"
static struct io_uring ring;
int main(void) {
  struct __kernel_timespec ts = {0, 1000};
  struct io_uring_cqe *cqe;
  static unsigned char memory[1 << 18];
  if (wasm_uring_queue_init_mem(64, &ring, 4096, memory, sizeof memory) < 0) return 1;
  return io_uring_wait_cqe_timeout(&ring, &cqe, &ts) == -URING_ETIME ? 0 : 1;
}
`;

function clang(words: readonly string[]): { status: number | null; errors: string } {
  const { status, stderr, error } = spawnSync("clang", words, { encoding: "utf8" });
  return { status, errors: error === undefined ? stderr : error.message };
}

const WARNINGS = ["-Wall", "-Wextra", "-Werror", "-Isdk/c"];

function compile(name: string, text: string, options: readonly string[]): void {
  const source = join(folder, name);
  writeFileSync(source, text);
  const { status, errors } = clang([
    "--target=wasm32-wasi",
    "-O2",
    ...WARNINGS,
    source,
    ...options,
  ]);
  assert.equal(status, 0, errors);
}

test("compiles with and without atomics, as C++, and without libc", async () => {
  const output = join(folder, "use.wasm");
  const engines = (await enginesHere()).filter(({ sqpoll }) => !sqpoll);
  for (const options of [[], ["-matomics"], ["-O0"], ["-Os", "-matomics", "-mbulk-memory"]]) {
    compile("use.c", USE, [...options, "-o", output]);
    for (const { engine } of engines) {
      const result = await runGuest(output, { engine, deadlineMs: 30_000, stderr: "capture" });
      assert.deepEqual(result.outcome, { kind: "exit", exitCode: 0 }, `${engine} ${options}`);
    }
  }
  compile("use.cc", USE, ["-fno-exceptions", "-fsyntax-only"]);
  const bare = join(folder, "bare.c");
  writeFileSync(
    bare,
    `#define WASM_URING_NO_LIBC\n${USE.replace("int main(void)", "int run(void)")}`,
  );
  const words = ["--target=wasm32-unknown-unknown", "-O2", ...WARNINGS, "-nostdlib", bare];
  const { status, errors } = clang([...words, "-Wl,--no-entry", "-Wl,--export=run", "-o", output]);
  assert.equal(status, 0, errors);
});

const MORE = `#include "wasm_uring.h"
static struct io_uring ring;
int main(void) {
  if (wasm_uring_personality("nobody") != -URING_EBADF) return 1;
  if (wasm_uring_queue_init(64, &ring, 65536) < 0) return 2;
  unsigned char *more = aligned_alloc(65536, 65536);
  if (wasm_uring_add_arena(more, 65536, 1) < 0) return 3;
  int slot = wasm_uring_grant("input", NULL);
  io_uring_prep_read_fixed(io_uring_get_sqe(&ring), slot, more, 4, 0, 1);
  struct io_uring_cqe *cqe;
  if (io_uring_submit_and_wait(&ring, 1) != 1 || io_uring_peek_cqe(&ring, &cqe) != 0) return 4;
  if (cqe->res != 4 || more[0] != 'd' || more[3] != 'a') return 5;
  return wasm_uring_personality("nobody") == -URING_ENOENT ? 0 : 6;
}
`;

test("further arenas and personalities, on every engine", async () => {
  const output = join(folder, "more.wasm");
  const path = join(folder, "input");
  writeFileSync(path, "data");
  compile("more.c", MORE, ["-o", output]);
  for (const { engine, sqpoll } of await enginesHere()) {
    const files = { input: { path } };
    const result = await runGuest(output, { engine, sqpoll, files, deadlineMs: 30_000 });
    assert.deepEqual(result.outcome, { kind: "exit", exitCode: 0 }, engine);
  }
});

test("a request of another ABI version is refused", async () => {
  const output = join(folder, "other.wasm");
  const other = header.replace(/WASM_URING_ABI_VERSION 1u/, "WASM_URING_ABI_VERSION 2u");
  const text = USE.replace('#include "wasm_uring.h"', other).replace(
    "< 0) return 1",
    "== -93) return 0",
  );
  compile("other.c", text, ["-o", output]);
  const result = await runGuest(output, { deadlineMs: 30_000 });
  assert.deepEqual(result.outcome, { kind: "exit", exitCode: 0 });
  assert.match(result.setupErrors[0] ?? "", /version 2/);
});

test("load-c reads at every depth", async () => {
  const path = join(folder, "data");
  writeFileSync(path, Buffer.alloc(1 << 20, 7));
  for (const depth of ["1", "64", "128"]) {
    const result = await runGuest("build/guests/load-c.wasm", {
      files: { data: { path } },
      args: ["load-c", depth, "0.05"],
      stdout: "capture",
      deadlineMs: 30_000,
    });
    assert.deepEqual(result.outcome, { kind: "exit", exitCode: 0 });
    assert.match(new TextDecoder().decode(result.stdout), /: [1-9]\d* reads, 0 failed/);
  }
});

if (existsSync("build/guests/load-c.wasm")) test.run();
else console.log("skipped: guests in C are not built here (apt install clang lld wasi-libc)");
