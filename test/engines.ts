/**
 * The engines and modes that this machine has, for tests that run over all of them: each is tried
 * with a guest of its own once. What the kernel refuses is skipped aloud, with its reason; every
 * other failure fails the test.
 */
import { type EngineName, runGuest } from "wasm-uring";

export interface EngineHere {
  /** "mapped", "mapped, sqpoll", ... */
  label: string;
  engine: EngineName;
  sqpoll: boolean;
}

const ALL: readonly EngineHere[] = [
  { label: "mapped", engine: "mapped", sqpoll: false },
  { label: "mapped, sqpoll", engine: "mapped", sqpoll: true },
  { label: "mirrored", engine: "mirrored", sqpoll: false },
  { label: "emulated", engine: "emulated", sqpoll: false },
];

/** Must exist in the repository's root, from where tests run. */
const SMALL_FILE = "package.json";

let found: Promise<readonly EngineHere[]> | null = null;

async function isHere({ label, engine, sqpoll }: EngineHere): Promise<boolean> {
  const { outcome } = await runGuest("build/guests/hello.wasm", {
    files: { input: { path: SMALL_FILE } },
    engine,
    sqpoll,
    stdout: "ignore",
  });
  if (outcome.kind === "exit" && outcome.exitCode === 0) return true;
  if (outcome.kind !== "host-failure") throw new Error(`${label}: ${JSON.stringify(outcome)}`);
  if (outcome.error.code !== "ERR_ENGINE_UNAVAILABLE") throw outcome.error;
  console.log(`skipped: the ${label} engine is not to be had here: ${outcome.error.detail.why}`);
  return false;
}

async function find(): Promise<readonly EngineHere[]> {
  const here: EngineHere[] = [];
  for (const candidate of ALL) if (await isHere(candidate)) here.push(candidate);
  return here;
}

/** Asks the kernel once per process. */
export function enginesHere(): Promise<readonly EngineHere[]> {
  found ??= find();
  return found;
}
