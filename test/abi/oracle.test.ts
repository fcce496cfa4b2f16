/**
 * Is what `assembly/abi` says of the kernel true? Where there are a C compiler and the kernel's
 * headers they are asked for every constant that they know; older headers lack the newer names. The
 * golden file holds all of them and is compared everywhere, so that no number changes unnoticed.
 *
 * UPDATE_GOLDEN=1 rewrites the golden file. CC and CPPFLAGS choose the compiler and newer headers:
 * CPPFLAGS=-I<directory that holds a newer linux/io_uring.h>.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Op } from "../../assembly/abi/op";
import { Register } from "../../assembly/abi/register";
import { type Constant, kernelConstants } from "./constants";

const GOLDEN = "test/abi/golden.json";

/** Fewer than this many says that the headers were misread, not that they are old. */
const CHECKED_MIN = 400;

const INCLUDES = `#define _GNU_SOURCE
#include <linux/io_uring.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_ring.h>
#include <linux/fs.h>
#include <linux/falloc.h>
#include <linux/fadvise.h>
#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/uio.h>
`;

interface Compiler {
  command: string;
  flags: string[];
}

function run(command: string, args: string[], input = ""): { stdout: string; failure: string } {
  const { error, status, stdout, stderr } = spawnSync(command, args, {
    input,
    encoding: "utf8",
    maxBuffer: 64 << 20,
  });
  if (error !== undefined) return { stdout: "", failure: error.message };
  return { stdout, failure: status === 0 ? "" : `${command} ${args.join(" ")}: ${stderr}` };
}

/** The macros and the declarations that the headers give, or why there are none. */
function readHeaders(compiler: Compiler): { text: string; failure: string } {
  const { command, flags } = compiler;
  const macros = run(command, [...flags, "-E", "-dM", "-xc", "-"], INCLUDES);
  if (macros.failure !== "") return { text: "", failure: macros.failure };
  const declarations = run(command, [...flags, "-E", "-P", "-xc", "-"], INCLUDES);
  const names = [...macros.stdout.matchAll(/^#define (\w+) /gm)].map((match) => match[1]);
  return {
    text: `${names.join("\n")}\n${declarations.stdout}`,
    failure: declarations.failure,
  };
}

/** The text between the braces of a structure, inner structures and unions included. */
function structBody(text: string, struct: string): string | null {
  const start = new RegExp(`\\bstruct\\s+${struct}\\s*\\{`).exec(text);
  if (start === null) return null;
  const from = start.index + start[0].length;
  let depth = 1;
  let end = from;
  for (; depth > 0 && end < text.length; end++) {
    if (text[end] === "{") depth++;
    else if (text[end] === "}") depth--;
  }
  return text.slice(from, end);
}

/** The C expression of a constant, or null when these headers do not know it. */
function expressionOf(constant: Constant, text: string, words: Set<string>): string | null {
  const { c } = constant;
  if (c === null) return null;
  if (c.kind === "value") return words.has(c.name) ? c.name : null;
  const body = structBody(text, c.struct);
  if (body === null) return null;
  if (c.kind === "size") return `sizeof(struct ${c.struct})`;
  const field = c.field.split(".")[0] ?? "";
  if (!new RegExp(`\\b${field}\\b`).test(body)) return null;
  return `offsetof(struct ${c.struct}, ${c.field})`;
}

/** Compiles and runs a program that prints each expression. */
function evaluate(compiler: Compiler, expressions: Map<string, string>): Map<string, number> {
  const prints = [...expressions].map(
    ([name, expression]) => `  printf("${name} %lld\\n", (long long)(${expression}));`,
  );
  const source = `${INCLUDES}int main(void) {\n${prints.join("\n")}\n  return 0;\n}\n`;
  const directory = mkdtempSync(join(tmpdir(), "abi-oracle-"));
  try {
    const program = join(directory, "oracle");
    const args = [...compiler.flags, "-w", "-xc", "-", "-o", program];
    const compiled = run(compiler.command, args, source);
    assert.is(compiled.failure, "");
    const printed = run(program, []);
    assert.is(printed.failure, "");
    return new Map(
      [...printed.stdout.matchAll(/^(\S+) (-?\d+)$/gm)].map((match) => [
        match[1] ?? "",
        Number(match[2]),
      ]),
    );
  } finally {
    rmSync(directory, { recursive: true });
  }
}

test("the kernel's headers agree with every constant that they know", () => {
  const compiler: Compiler = {
    command: process.env.CC ?? "cc",
    flags: (process.env.CPPFLAGS ?? "").split(" ").filter((flag) => flag !== ""),
  };
  const { text, failure } = readHeaders(compiler);
  if (failure !== "") {
    console.log(`skipped: no C compiler with <linux/io_uring.h>: ${failure.split("\n")[0]}`);
    return;
  }
  const words = new Set(text.match(/\w+/g));
  const expressions = new Map<string, string>();
  const unknown: string[] = [];
  const constants = kernelConstants();
  for (const constant of constants) {
    const expression = expressionOf(constant, text, words);
    if (expression === null) unknown.push(constant.name);
    else expressions.set(constant.name, expression);
  }

  const actual = evaluate(compiler, expressions);
  assert.is(actual.size, expressions.size);
  for (const { name, value } of constants) {
    if (actual.has(name)) assert.is(value, actual.get(name), `${name} differs from the header's`);
  }
  console.log(
    `${actual.size} of ${constants.length} constants checked against the headers; ` +
      `these do not name ${unknown.join(" ")}`,
  );
  assert.ok(actual.size > CHECKED_MIN, `only ${actual.size} constants were checked`);
});

test("no constant differs from the golden file", () => {
  const actual = Object.fromEntries(kernelConstants().map(({ name, value }) => [name, value]));
  if (process.env.UPDATE_GOLDEN === "1") {
    writeFileSync(GOLDEN, `${JSON.stringify(actual, null, 2)}\n`);
  }
  assert.equal(actual, JSON.parse(readFileSync(GOLDEN, "utf8")));
});

test("opcodes are numbered without a gap", () => {
  for (const table of [Op, Register]) {
    for (let opcode = 0; opcode <= table.LAST; opcode++) assert.type(table[opcode], "string");
  }
  assert.is(Op.LAST, Op.URING_CMD128 + 1);
  assert.is(Register.LAST, Register.BPF_FILTER + 1);
});

test.run();
