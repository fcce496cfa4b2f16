/**
 * What the documentation says is true: its links lead somewhere, its tables agree with the sources. That its programs
 * run is in programs.test.ts.
 */

import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Op } from "../../host/abi";
import { compilePolicy, POLICY_NAMES } from "../../host/policy";
import { SAFE_OP_NAMES } from "../../host/policy-reasons";
import { anchorsOf, enumMembers, relativeLinksOf, rowsOf, sectionOf } from "./blocks";

const docs = suite("docs");

const ABI = "docs/abi.md";

function markdownFiles(): string[] {
  const files = readdirSync("docs").filter((name) => name.endsWith(".md"));
  const examples = readdirSync("examples").map((name) => join("examples", name, "README.md"));
  const all = [...files.map((name) => join("docs", name)), "README.md", ...examples];
  return all.filter((path) => existsSync(path));
}

/** Why a link is dead, or null. */
function deadLink(from: string, link: string): string | null {
  const [path = "", anchor] = link.split("#");
  const target = path === "" ? from : normalize(join(dirname(from), path));
  if (!existsSync(target)) return `${from}: ${link}: there is no ${target}`;
  if (anchor === undefined || statSync(target).isDirectory() || !target.endsWith(".md"))
    return null;
  return anchorsOf(target).has(anchor) ? null : `${from}: ${link}: ${target} has no such heading`;
}

docs("every relative link leads to a file and a heading", () => {
  const dead = markdownFiles().flatMap((from) =>
    relativeLinksOf(from).map((link) => deadLink(from, link)),
  );
  assert.equal(
    dead.filter((reason) => reason !== null),
    [],
  );
});

/** First column a number, second a name. */
function documented(heading: string, page = ABI): Map<string, number> {
  const rows = rowsOf(sectionOf(page, heading));
  return new Map(rows.map(([value = "", name = ""]) => [name, Number(value)]));
}

function sizeOf(heading: string, page = ABI): number {
  return Number(/^.*Size: (\d+) bytes/m.exec(sectionOf(page, heading))?.[1] ?? Number.NaN);
}

for (const name of [
  "SetupRequest",
  "Limits",
  "GrantInfo",
  "RingMode",
  "GrantAccess",
  "GrantKind",
]) {
  docs(`abi.md lists ${name} as the source has it`, () => {
    const members = enumMembers("assembly/abi/request.ts", name);
    const size = members.get("SIZE");
    members.delete("SIZE");
    assert.ok(members.size > 0);
    assert.equal(Object.fromEntries(documented(`### \`${name}\``)), Object.fromEntries(members));
    if (size !== undefined) assert.is(sizeOf(`### \`${name}\``), size);
  });
}

for (const name of [
  "VirtioDeviceInfo",
  "VirtioDeviceFlag",
  "VirtioRegister",
  "VirtioInterrupt",
  "VirtioStatus",
]) {
  docs(`devices.md lists ${name} as the source has it`, () => {
    const members = enumMembers("assembly/abi/virtio-mmio.ts", name);
    const size = members.get("SIZE");
    members.delete("SIZE");
    assert.ok(members.size > 0);
    const table = documented(`### \`${name}\``, "docs/devices.md");
    assert.equal(Object.fromEntries(table), Object.fromEntries(members));
    if (size !== undefined) assert.is(sizeOf(`### \`${name}\``, "docs/devices.md"), size);
  });
}

docs("devices.md lists the types of requests as the source has them", () => {
  const rows = rowsOf(sectionOf("docs/devices.md", "### Requests"));
  const table = rows
    .map(([cell = ""]) => cell.split(" "))
    .map(([name, value]) => [name, Number(value)]);
  const members = enumMembers("assembly/abi/virtio-blk.ts", "VirtioBlkType");
  assert.equal(Object.fromEntries(table), Object.fromEntries(members));
});

for (const [name, path] of [
  ["Sqe", "assembly/abi/sqe.ts"],
  ["Cqe", "assembly/abi/cqe.ts"],
] as const) {
  docs(`abi.md has the fields of ${name} where the source has them`, () => {
    const members = enumMembers(path, name);
    const table = documented(`### \`${name}\``);
    assert.ok(table.size > 0);
    for (const [field, offset] of table) assert.is(offset, members.get(field), field);
    // Fields that overlay each other stand once: every offset of the structure does.
    const offsets = new Set(
      [...members].filter(([field]) => field !== "SIZE").map(([, offset]) => offset),
    );
    assert.equal(new Set(table.values()), offsets);
    assert.is(sizeOf(`### \`${name}\``), members.get("SIZE"));
  });
}

docs("abi.md names the SQE flags by their values", () => {
  const members = enumMembers("assembly/abi/sqe.ts", "SqeFlag");
  const table = documented("### SQE flags");
  assert.equal([...table.keys()], ["FIXED_FILE", "IO_LINK", "IO_HARDLINK", "CQE_SKIP_SUCCESS"]);
  for (const [flag, value] of table) assert.is(value, members.get(flag), flag);
});

docs("abi.md lists the opcodes that a policy can allow, and no other", () => {
  const rows = rowsOf(sectionOf(ABI, "## Opcodes")).filter(([value = ""]) => /^\d+$/.test(value));
  const table = rows.map(([value = "", name = ""]) => [Number(value), name]);
  assert.equal(
    table,
    SAFE_OP_NAMES.map((name) => [Op[name], name]),
  );
});

for (const [path, heading] of [
  [ABI, "## Opcodes"],
  ["docs/embedding.md", "## Policies"],
] as const) {
  docs(`${path} gives the built-in policies their opcodes`, () => {
    const rows = rowsOf(sectionOf(path, heading));
    for (const policy of POLICY_NAMES) {
      const names = rows.find(([name]) => name === policy)?.[1]?.split(" ") ?? [];
      const opcodes = names.map((name) => enumMembers("assembly/abi/op.ts", "Op").get(name));
      assert.equal(
        opcodes.sort((left = 0, right = 0) => left - right),
        [...compilePolicy(policy).opcodes],
        policy,
      );
    }
  });
}

docs("embedding.md lists every error code", () => {
  const source = readFileSync("host/errors.ts", "utf8");
  const codes = [...source.matchAll(/^ {2}\| "(ERR_[A-Z_]+)"/gm)].map(([, code]) => code);
  const rows = rowsOf(sectionOf("docs/embedding.md", "## Errors"));
  assert.equal(
    rows.map(([code = ""]) => code).filter((code) => code.startsWith("ERR_")),
    codes,
  );
});

docs("embedding.md lists every option", () => {
  const source = readFileSync("host/guest/options.ts", "utf8");
  const body = /export interface GuestOptions \{([\s\S]*?)^\}/m.exec(source)?.[1] ?? "";
  const options = [...body.matchAll(/^ {2}(\w+)\?:/gm)].map(([, name = ""]) => name);
  const rows = rowsOf(sectionOf("docs/embedding.md", "## Options"));
  const listed = rows.flatMap(([names = ""]) => names.split(", "));
  assert.equal(listed.sort(), options.sort());
});

for (const command of ["run", "probe", "bench", "bench --figure"]) {
  docs(`cli.md lists every option of ${command}`, () => {
    const help = spawnSync(process.execPath, ["dist/cli.js", ...command.split(" "), "--help"], {
      encoding: "utf8",
    });
    assert.is(help.status, 0, help.stderr);
    const [options = ""] = /^Options:\n(?: {2}.*\n)+/m.exec(help.stdout) ?? [];
    const names = [...options.matchAll(/^ {2}(?:-\w, )?(--[a-z-]+)/gm)].map(
      ([, name = ""]) => name,
    );
    assert.ok(names.length > 0);
    const section = sectionOf("docs/cli.md", `${command.includes(" ") ? "###" : "##"} ${command}`);
    const missing = names.filter(
      (name) => name !== "--help" && !new RegExp(`${name}(?![a-z-])`).test(section),
    );
    assert.equal(missing, []);
  });
}

docs.run();
