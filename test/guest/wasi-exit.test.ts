/** proc_exit under the class WASI, where `start` is not there to catch it: in a reactor. */
import { spawnSync } from "node:child_process";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { WASI } from "wasm-uring/wasi";

const test = suite("guest/wasi-exit");
const version = "preview1";

const name = (text: string) => [text.length, ...Buffer.from(text)];
const section = (id: number, bytes: number[]) => [id, bytes.length, ...bytes];

/** A module that calls proc_exit(7) in its only export beside the memory. */
function exiting(entry: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [2, 0x60, 1, 0x7f, 0, 0x60, 0, 0]),
    ...section(2, [1, ...name("wasi_snapshot_preview1"), ...name("proc_exit"), 0, 0]),
    ...section(3, [1, 1]),
    ...section(5, [1, 0, 1]),
    ...section(7, [2, ...name("memory"), 2, 0, ...name(entry), 0, 1]),
    ...section(10, [1, 6, 0, 0x41, 7, 0x10, 0, 0x0b]),
  ]);
}

function instanceOf(wasi: WASI, entry: string): WebAssembly.Instance {
  return new WebAssembly.Instance(new WebAssembly.Module(exiting(entry)), wasi.getImportObject());
}

test("a reactor's proc_exit is thrown to the caller, as an Error with the code", () => {
  const wasi = new WASI({ version });
  try {
    wasi.initialize(instanceOf(wasi, "_initialize"));
    assert.unreachable();
  } catch (error) {
    assert.instance(error, Error);
    assert.is(Reflect.get(Object(error), "exitCode"), 7);
  }
  wasi.close();
});

for (const entry of ["_start", "_initialize"]) {
  test(`returnOnExit: false ends the process from ${entry}`, () => {
    const method = entry === "_start" ? "start" : "initialize";
    const program = `
      import { WASI } from "wasm-uring/wasi";
      const wasi = new WASI({ version: "preview1", returnOnExit: false });
      const module = new WebAssembly.Module(Uint8Array.from([${exiting(entry).join()}]));
      wasi.${method}(new WebAssembly.Instance(module, wasi.getImportObject()));
      process.exit(1);`;
    const words = ["--input-type=module", "-e", program];
    assert.is(spawnSync(process.execPath, words, { timeout: 20_000 }).status, 7);
  });
}

test.run();
