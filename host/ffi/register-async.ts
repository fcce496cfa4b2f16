/**
 * io_uring_register(2) off the calling thread: on one of libuv's, so that the embedder's event loop goes on while the
 * call waits for a ring's lock, which a guest's own enter may hold for as long as its copying takes.
 */
import { loadLibc } from "./libc";

const SYS_IO_URING_REGISTER = 427;

export interface RegisterAsync {
  /** The result or a negated errno. `argument` stays alive until then. */
  register(fd: number, opcode: number, argument: Uint8Array, count: number): Promise<number>;
}

function makeRegisterAsync(): RegisterAsync {
  const { koffi, number } = loadLibc();
  // koffi keeps the errno of an asynchronous call for its callback.
  const call = number("int syscall(int nr, int fd, uint32_t op, void *arg, uint32_t count)");
  if (!("async" in call) || typeof call.async !== "function") {
    throw new Error("koffi offers no asynchronous call");
  }
  const begin: (...values: unknown[]) => void = call.async.bind(call);
  return {
    register: (fd, opcode, argument, count) =>
      new Promise((resolve, reject) => {
        const done = (error: unknown, result: number) => {
          if (error !== null && error !== undefined) reject(error);
          else resolve(result === -1 ? -koffi.errno() : result);
        };
        begin(SYS_IO_URING_REGISTER, fd, opcode, argument, count, done);
      }),
  };
}

let table: RegisterAsync | undefined;

/** The table of this thread. Throws what koffi throws when libc cannot be loaded. */
export function registerAsync(): RegisterAsync {
  table ??= makeRegisterAsync();
  return table;
}
