/**
 * Linux AIO (io_submit(2) and its family), for the `native` back end. glibc has no wrappers: by syscall(2), whose
 * numbers x86-64 has of its own and every architecture of the generic table shares.
 */
import { loadLibc } from "./libc";

const NUMBERS =
  process.arch === "x64"
    ? { setup: 206, destroy: 207, getevents: 208, submit: 209, cancel: 210 }
    : { setup: 0, destroy: 1, submit: 2, cancel: 3, getevents: 4 };

/** Addresses and contexts are plain numbers; every result is a value or a negated errno. */
export interface AioCalls {
  /** io_setup(2): a context for at least this many requests, which is also the address of its completion ring. */
  setup(requests: number): number;
  /** io_destroy(2): cancels what it can and blocks until the rest is complete. */
  destroy(context: number): number;
  /** The same on one of libuv's threads, for the embedder's, whose event loop goes on meanwhile. */
  destroyAside(context: number): Promise<number>;
  /** io_submit(2): how many of the `count` iocbs, whose addresses lie at `pointers`, were taken. */
  submit(context: number, count: number, pointers: number): number;
  /** io_cancel(2). `event` takes a struct io_event where the kernel gives one back. */
  cancel(context: number, iocb: number, event: number): number;
  /** io_getevents(2): waits for `least` events at most the struct timespec at `timeout`; stores at most `most`. */
  getevents(context: number, least: number, most: number, events: number, timeout: number): number;
}

function makeAioCalls(): AioCalls {
  const { koffi, number } = loadLibc();
  const setup = number("int64_t syscall(long nr, uint32_t requests, void *context)");
  const one = number("int64_t syscall(long nr, uintptr_t context)");
  const three = number("int64_t syscall(long nr, uintptr_t context, long a, uintptr_t b)");
  const pointers = number(
    "int64_t syscall(long nr, uintptr_t context, uintptr_t iocb, uintptr_t event)",
  );
  const five = number(
    "int64_t syscall(long nr, uintptr_t context, long least, long most, uintptr_t events, uintptr_t timeout)",
  );
  const errno = () => -koffi.errno();
  if (!("async" in one) || typeof one.async !== "function") {
    throw new Error("koffi offers no asynchronous call");
  }
  const begin: (...values: unknown[]) => void = one.async.bind(one);
  return {
    setup: (requests) => {
      const context = new BigUint64Array(1);
      const result = setup(NUMBERS.setup, requests, new Uint8Array(context.buffer));
      return result === -1 ? errno() : Number(context[0]);
    },
    destroy: (context) => (one(NUMBERS.destroy, context) === -1 ? errno() : 0),
    destroyAside: (context) =>
      new Promise((resolve, reject) => {
        const done = (error: unknown, result: number) => {
          if (error !== null && error !== undefined) reject(error);
          // koffi keeps the errno of an asynchronous call for its callback.
          else resolve(result === -1 ? errno() : 0);
        };
        begin(NUMBERS.destroy, context, done);
      }),
    submit: (context, count, addresses) => {
      const result = three(NUMBERS.submit, context, count, addresses);
      return result === -1 ? errno() : result;
    },
    cancel: (context, iocb, event) =>
      pointers(NUMBERS.cancel, context, iocb, event) === -1 ? errno() : 0,
    getevents: (context, least, most, events, timeout) => {
      const result = five(NUMBERS.getevents, context, least, most, events, timeout);
      return result === -1 ? errno() : result;
    },
  };
}

let table: AioCalls | undefined;

/** The table of this thread. Throws what koffi throws when libc cannot be loaded. */
export function aioCalls(): AioCalls {
  table ??= makeAioCalls();
  return table;
}
