/**
 * Counts a byte pattern in a file by the guest `scan`: `node build/examples/scan/host.js FILE
 * PATTERN`.
 */
import { statSync } from "node:fs";
import { runGuest, WasmUringError } from "wasm-uring";

const [path, ...words] = process.argv.slice(2);
if (path === undefined || words.length === 0) {
  console.error("usage: host.js FILE PATTERN [BLOCKS IN FLIGHT [KIB PER BLOCK]]");
  process.exit(2);
}

try {
  const result = await runGuest(new URL("../../guests/scan.wasm", import.meta.url), {
    files: { input: { path, access: "read" } },
    args: ["scan", ...words],
  });
  const { ring, stats, elapsedMs } = result;
  if (ring !== null && stats !== null) {
    const rate = Math.round(statSync(path).size / elapsedMs / 1000);
    const { submitted, enterCalls } = stats;
    console.error(
      `${ring.engine} engine, ${ring.mode}: ${rate} MB/s; ${submitted} reads, ${enterCalls} enter calls`,
    );
  }
  process.exitCode = result.exitCode;
} catch (error) {
  if (!(error instanceof WasmUringError)) throw error;
  console.error(error.message);
  process.exitCode = 2;
}
