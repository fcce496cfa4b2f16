/**
 * Prints the xxHash64 of files by the guest `checksum`, as xxhsum does: `node
 * build/examples/checksum/host.js FILE...`.
 */
import { runGuest, WasmUringError } from "wasm-uring";

const guest = new URL("../../guests/checksum.wasm", import.meta.url);
const paths = process.argv.slice(2);
if (paths.length === 0) {
  console.error("usage: host.js FILE...");
  process.exit(2);
}

for (const path of paths) {
  try {
    const result = await runGuest(guest, {
      files: { input: { path, access: "read" } },
      stdout: "capture",
    });
    const [hash = ""] = new TextDecoder().decode(result.stdout).split("\n");
    if (result.exitCode === 0) console.log(`${hash}  ${path}`);
    else process.exitCode = result.exitCode;
  } catch (error) {
    if (!(error instanceof WasmUringError)) throw error;
    console.error(error.message);
    process.exitCode = 2;
  }
}
