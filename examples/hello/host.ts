/** Runs the guest `hello` on a file: `node build/examples/hello/host.js FILE`. */
import { runGuest, WasmUringError } from "wasm-uring";

const [path = "README.md"] = process.argv.slice(2);

try {
  const result = await runGuest(new URL("../../guests/hello.wasm", import.meta.url), {
    // The guest gets this one file, to read, under this name; and nothing else of the machine.
    files: { input: { path, access: "read" } },
  });
  console.error(`\n${result.ring?.engine} engine: ${result.ring?.reason}`);
  process.exitCode = result.exitCode;
} catch (error) {
  // Bad input: a missing file, a directory, no wasm. Nothing was started.
  if (!(error instanceof WasmUringError)) throw error;
  console.error(error.message);
  process.exitCode = 2;
}
