/**
 * The guest disk-script in this thread: what it needs of WASI is here, and a test gives the imports that lead to its
 * disk, so that nothing but the guest and the test takes part.
 */
import { readFileSync } from "node:fs";

export type Functions = Record<string, (...values: number[]) => number>;

export interface Played {
  exitCode: number;
  lines: string[];
  stderr: string;
}

class Exit extends Error {
  readonly code: number;

  constructor(code: number) {
    super(`exit ${code}`);
    this.code = code;
  }
}

/** So that the guest's memory does not grow later: growing detaches what a device looks at. */
const HEAP_PAGES = 1024;

/**
 * @param connect the imports of the modules `virtio` and `uring`, for a guest whose memory this answers
 */
export function playHere(
  script: string,
  args: readonly string[],
  connect: (memory: () => ArrayBuffer) => { virtio: Functions; uring: Functions },
): Played {
  let memory: WebAssembly.Memory | null = null;
  const buffer = (): ArrayBuffer => {
    if (memory === null) throw new Error("the guest has no memory yet");
    return memory.buffer;
  };
  const view = () => new DataView(buffer());
  const input = new TextEncoder().encode(script);
  const output = { 1: "", 2: "" };
  let inputAt = 0;
  const wasi = {
    args_sizes_get: (count: number, bytes: number) => {
      view().setUint32(count, args.length + 1, true);
      view().setUint32(bytes, ["", ...args].join("\0").length + 1, true);
      return 0;
    },
    args_get: (argv: number, at: number) => {
      ["", ...args].forEach((word, index) => {
        view().setUint32(argv + index * 4, at, true);
        new Uint8Array(buffer()).set(new TextEncoder().encode(`${word}\0`), at);
        at += word.length + 1;
      });
      return 0;
    },
    fd_read: (_: number, vectors: number, __: number, read: number) => {
      const length = Math.min(view().getUint32(vectors + 4, true), input.length - inputAt);
      const target = new Uint8Array(buffer(), view().getUint32(vectors, true), length);
      target.set(input.subarray(inputAt, inputAt + length));
      inputAt += length;
      view().setUint32(read, length, true);
      return 0;
    },
    fd_write: (fd: 1 | 2, vectors: number, _: number, written: number) => {
      const length = view().getUint32(vectors + 4, true);
      const bytes = new Uint8Array(buffer(), view().getUint32(vectors, true), length);
      output[fd] += new TextDecoder().decode(bytes);
      view().setUint32(written, length, true);
      return 0;
    },
    clock_time_get: (_: number, __: bigint, time: number) => {
      view().setBigUint64(time, process.hrtime.bigint(), true);
      return 0;
    },
    sched_yield: () => 0,
    proc_exit: (code: number) => {
      throw new Exit(code);
    },
  };
  const module = new WebAssembly.Module(readFileSync("build/guests/disk-script.wasm"));
  const instance = new WebAssembly.Instance(module, {
    ...connect(buffer),
    wasi_snapshot_preview1: wasi,
    env: {
      abort: () => {
        throw new Error("the guest aborted");
      },
    },
  });
  const { memory: exported, _start: start } = instance.exports;
  if (!(exported instanceof WebAssembly.Memory) || typeof start !== "function") {
    throw new Error("disk-script is not a guest");
  }
  memory = exported;
  memory.grow(HEAP_PAGES);
  let exitCode = 0;
  try {
    start();
  } catch (error) {
    if (!(error instanceof Exit)) throw error;
    exitCode = error.code;
  }
  return { exitCode, lines: output[1].trim().split("\n"), stderr: output[2] };
}
