/**
 * Copies a file by the guest `copy`: `node build/examples/copy/host.js [--direct] SOURCE TARGET`.
 */
import { parseArgs } from "node:util";
import { runGuest, WasmUringError } from "wasm-uring";

const { values, positionals } = parseArgs({
  options: { direct: { type: "boolean", default: false } },
  allowPositionals: true,
});
const [source, target] = positionals;
if (source === undefined || target === undefined) {
  console.error("usage: host.js [--direct] SOURCE TARGET");
  process.exit(2);
}

try {
  const { direct } = values;
  const result = await runGuest(new URL("../../guests/copy.wasm", import.meta.url), {
    // A grant to write creates a missing file; the policy becomes `file-write` by itself.
    files: {
      input: { path: source, access: "read", direct },
      output: { path: target, access: "write", direct },
    },
  });
  const { ring, stats } = result;
  console.error(
    `${ring?.engine} engine: ${stats?.submitted} requests, ${stats?.enterCalls} enter calls`,
  );
  process.exitCode = result.exitCode;
} catch (error) {
  if (!(error instanceof WasmUringError)) throw error;
  console.error(error.message);
  process.exitCode = 2;
}
