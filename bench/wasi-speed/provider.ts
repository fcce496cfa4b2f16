/**
 * What a provider of arguments, environment, clocks and captured streams costs (GuestOptions.stdioProvider), in a
 * process of its own: prints one line of JSON.
 *
 *   node build/bench/wasi-speed/provider.js direct|@wasmer/wasi FOLDER SECONDS
 */
import { readFileSync } from "node:fs";
import { runGuest } from "wasm-uring";

export interface ProviderCost {
  /** From the call of runGuest to the end of a guest that prints its usage and ends. */
  lifeMs: number;
  /** Resident memory that the first such guest left behind, its own pages included. */
  memoryBytes: number;
  clockNs: number;
  writeNs: number;
}

const GUEST = new URL("../../guests/wasi-speed.wasm", import.meta.url);
const LIVES = 10;
const USAGE = 2;

type Provider = "direct" | "@wasmer/wasi";

function isProvider(word: string): word is Provider {
  return word === "direct" || word === "@wasmer/wasi";
}

async function measure(provider: Provider, folder: string, seconds: string): Promise<ProviderCost> {
  const module = new WebAssembly.Module(readFileSync(GUEST));
  const run = async (...words: string[]) => {
    const result = await runGuest(module, {
      args: ["wasi-speed", ...words],
      preopens: { "/": folder },
      stdin: "ignore",
      stdout: "capture",
      stderr: "capture",
      stdioProvider: provider,
    });
    return { exitCode: result.exitCode, said: Buffer.from(result.stderr).toString("utf8") };
  };
  const before = process.memoryUsage.rss();
  if ((await run()).exitCode !== USAGE) throw new Error("the guest did not print its usage");
  const memoryBytes = process.memoryUsage.rss() - before;
  const lives: number[] = [];
  for (let life = 0; life < LIVES; life++) {
    const began = performance.now();
    await run();
    lives.push(performance.now() - began);
  }
  const nsOf = async (operation: string) => {
    const { said } = await run(seconds, operation);
    const ns = Number(said.trim().split(" ")[1]);
    if (!(ns > 0))
      throw new Error(`${provider} ${operation}: no figure in ${JSON.stringify(said)}`);
    return ns;
  };
  const lifeMs = lives.sort((left, right) => left - right)[LIVES >> 1] ?? Number.NaN;
  return { lifeMs, memoryBytes, clockNs: await nsOf("clock"), writeNs: await nsOf("write-stdout") };
}

const [provider = "", folder = "", seconds = ""] = process.argv.slice(2);
if (isProvider(provider)) {
  process.stdout.write(`${JSON.stringify(await measure(provider, folder, seconds))}\n`);
}
