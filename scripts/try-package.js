/**
 * Does the package work for somebody who only installs it? Packs it, installs the tarball in an empty folder, runs the
 * command, imports the host API and the ABI, compiles a guest against the SDK and a host against the types.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const GUEST = `
import { cqeResult, openGrant, prepReadFixed, print, Ring } from "wasm-uring/assembly";

export function _start(): void {
  const input = openGrant("input");
  const ring = Ring.create(4096);
  prepReadFixed(ring.getSqe(), input.slot, ring.arena.alloc(4096), 5, 0, 1);
  ring.submitAndWait(1);
  print("read " + cqeResult(ring.waitCqe()).toString());
}
`;
const HOST = `
import { runGuest } from "wasm-uring";
import { ABI_VERSION } from "wasm-uring/abi";

const result = await runGuest("guest.wasm", { files: { input: { path: "guest.ts" } }, stdout: "capture" });
console.log(new TextDecoder().decode(result.stdout).trim(), ABI_VERSION, result.ring?.engine);
`;

/** What a TypeScript program asks of the types, with nothing skipped. */
const CONSUMER = `
import { createGuest, WasmUringError, type GuestOptions, type Outcome } from "wasm-uring";
import { Errno, Op } from "wasm-uring/abi";
import { WASI } from "wasm-uring/wasi";

export function start(instance: WebAssembly.Instance): number {
  const wasi = new WASI({ version: "preview1", env: process.env, preopens: { "/data": "." } });
  console.log(Object.keys(wasi.getImportObject().wasi_snapshot_preview1).length);
  return wasi.start(instance);
}

export async function main(options: GuestOptions): Promise<Outcome> {
  await using guest = await createGuest("guest.wasm", options);
  const { outcome, ring } = await guest.run();
  if (outcome.kind === "host-failure" && outcome.error instanceof WasmUringError) throw outcome.error;
  console.log(ring?.layout.sqEntries, Op.READ_FIXED, Errno[1]);
  return outcome;
}
`;
const COMPILER_OPTIONS = {
  target: "ES2022",
  lib: ["ES2023"],
  module: "NodeNext",
  strict: true,
  skipLibCheck: false,
  isolatedModules: true,
  noEmit: true,
  types: ["node"],
  typeRoots: [resolve("node_modules/@types")],
};

const folder = mkdtempSync(join(tmpdir(), "wasm-uring-package-"));
const run = (command, ...options) =>
  execFileSync(command, options, {
    cwd: folder,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
try {
  const packed = execFileSync("npm", ["pack", "--silent", "--pack-destination", folder], {
    encoding: "utf8",
  });
  const tarball = packed.trim().split("\n").at(-1);
  writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true, type: "module" }));
  run("npm", "install", "--silent", "--no-audit", "--no-fund", tarball);
  writeFileSync(join(folder, "guest.ts"), GUEST);
  writeFileSync(join(folder, "host.js"), HOST);
  run(
    "npx",
    "asc",
    "guest.ts",
    "-o",
    "guest.wasm",
    "-O3",
    "--runtime",
    "stub",
    "--enable",
    "threads",
  );
  const byCommand = run("npx", "wasm-uring", "run", "--file", "input=guest.ts", "guest.wasm");
  const byImport = run("node", "host.js");
  console.log(byCommand.trim(), "|", byImport.trim());
  if (byCommand.trim() !== "read 5" || !/^read 5 1 /.test(byImport))
    throw new Error("unexpected output");
  writeFileSync(join(folder, "consumer.ts"), CONSUMER);
  const project = { compilerOptions: COMPILER_OPTIONS, include: ["consumer.ts"] };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(project));
  execFileSync("node", ["node_modules/typescript/bin/tsc", "-p", folder], { stdio: "inherit" });
  console.log("the tarball works");
} finally {
  rmSync(folder, { recursive: true, force: true });
}
