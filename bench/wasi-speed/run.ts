/**
 * One process of the WASI comparison: runs the guest once under one provider on the main thread, as
 * node:wasi's users do. The guest prints its own figures.
 *
 *   node build/bench/wasi-speed/run.js ours|node FOLDER WORD...
 */
import { readFileSync } from "node:fs";
import { WASI as NodeWASI } from "node:wasi";
import { WASI } from "wasm-uring/wasi";

const GUEST = new URL("../../guests/wasi-speed.wasm", import.meta.url);

const [provider = "", folder = "", ...words] = process.argv.slice(2);
const Provider = provider === "ours" ? WASI : NodeWASI;
const wasi = new Provider({
  version: "preview1",
  args: ["wasi-speed", ...words],
  env: {},
  preopens: { "/": folder },
});
const module = new WebAssembly.Module(readFileSync(GUEST));
const imports: WebAssembly.Imports = { wasi_snapshot_preview1: wasi.wasiImport };
process.exitCode = wasi.start(new WebAssembly.Instance(module, imports));
