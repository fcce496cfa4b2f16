/**
 * Captured output on its way from the guest's thread: bytes are gathered in shared memory and sent on when it is full,
 * so that a guest which writes one byte at a time costs its owner no message each; what is left when the thread has
 * ended, however it ended, is taken out by the embedder.
 */

const TAIL_BYTES = 64 * 1024;

/** The shared memory of one stream: a length, then the bytes. */
export function makeCaptureTail(): SharedArrayBuffer {
  return new SharedArrayBuffer(4 + TAIL_BYTES);
}

/** What the ended thread had not sent. */
function takeTail(shared: SharedArrayBuffer): Uint8Array {
  const length = Math.min(Atomics.exchange(new Int32Array(shared, 0, 1), 0, 0), TAIL_BYTES);
  return Uint8Array.from(new Uint8Array(shared, 4, length));
}

/** The writing end, on the guest's thread. */
export class CaptureTail {
  readonly #length: Int32Array;
  readonly #bytes: Uint8Array;
  readonly #send: (bytes: Uint8Array) => void;

  constructor(shared: SharedArrayBuffer, send: (bytes: Uint8Array) => void) {
    this.#length = new Int32Array(shared, 0, 1);
    this.#bytes = new Uint8Array(shared, 4);
    this.#send = send;
  }

  append(bytes: Uint8Array): void {
    let at = 0;
    while (at < bytes.length) {
      const used = Atomics.load(this.#length, 0);
      const part = bytes.subarray(at, at + TAIL_BYTES - used);
      this.#bytes.set(part, used);
      at += part.length;
      Atomics.store(this.#length, 0, used + part.length);
      if (used + part.length < TAIL_BYTES) return;
      this.#send(Uint8Array.from(this.#bytes));
      Atomics.store(this.#length, 0, 0);
    }
  }
}

/** Collects what a guest wrote to captured streams; the worker has limited its size already. */
export class OutputCollector {
  /** Go to the worker. */
  readonly tails = { 1: makeCaptureTail(), 2: makeCaptureTail() };
  readonly #chunks: Record<1 | 2, Uint8Array[]> = { 1: [], 2: [] };

  add(fd: 1 | 2, bytes: Uint8Array): void {
    this.#chunks[fd].push(bytes);
  }

  /** All bytes of one stream, in order; when the thread has ended. */
  take(fd: 1 | 2): Uint8Array {
    const chunks = [...this.#chunks[fd], takeTail(this.tails[fd])];
    const total = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    const all = new Uint8Array(total);
    let offset = 0;
    for (const chunk of chunks) {
      all.set(chunk, offset);
      offset += chunk.length;
    }
    return all;
  }
}
