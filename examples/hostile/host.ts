/**
 * Runs the guest `hostile` on every engine that this machine has: `node
 * build/examples/hostile/host.js [FILE]`.
 */
import { type EngineName, runGuest, WasmUringError } from "wasm-uring";

const [path = "package.json"] = process.argv.slice(2);
const engines: readonly EngineName[] = ["mapped", "mirrored", "emulated"];

for (const engine of engines) {
  console.log(`--- ${engine} engine`);
  try {
    const result = await runGuest(new URL("../../guests/hostile.wasm", import.meta.url), {
      files: { input: { path, access: "read" } },
      engine,
      deadlineMs: 30_000,
    });
    const { outcome } = result;
    // An engine that this kernel does not have is no failure of the guest's prison.
    const absent =
      outcome.kind === "host-failure" && outcome.error.code === "ERR_ENGINE_UNAVAILABLE";
    if (outcome.kind === "host-failure") console.log(outcome.error.message);
    if (!absent && result.exitCode !== 0) process.exitCode = result.exitCode;
  } catch (error) {
    if (!(error instanceof WasmUringError)) throw error;
    console.error(error.message);
    process.exitCode = 2;
  }
}
