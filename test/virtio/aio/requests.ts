/** Requests to a back end: memory with native addresses, vectors of any shape, and waiting for all of them. */
import { linuxSyscalls } from "../../../host/ffi";
import { type BlockBackend, BlockOperation } from "../../../host/virtio/aio";

const PAGE_BYTES = 4096;
const IOVEC_BYTES = 16;
const VECTORS_MAX = 1024;
const WAIT_MS = 20_000;

export interface Request {
  operation: BlockOperation;
  offset: number;
  length: number;
  /** READ and WRITE: the lengths of the segments. One of everything by default. */
  segments?: readonly number[];
  unmap?: boolean;
  /** WRITE: what to write. */
  data?: Uint8Array;
}

/** Memory that stays where it is: `bytes` of it at `address`, which is a multiple of the page size. */
function makeMemory(length: number): { bytes: Uint8Array; address: number } {
  const whole = new Uint8Array(length + PAGE_BYTES);
  const base = Number(linuxSyscalls().addressOf(whole));
  const skip = (PAGE_BYTES - (base % PAGE_BYTES)) % PAGE_BYTES;
  return { bytes: whole.subarray(skip, skip + length), address: base + skip };
}

/** Drives one back end. */
export class Requests {
  readonly backend: BlockBackend;
  readonly #memory: { bytes: Uint8Array; address: number };
  readonly #vectors: { bytes: Uint8Array; address: number };
  readonly #slotBytes: number;
  readonly #completions: { tags: Int32Array; results: Int32Array };
  readonly #results = new Map<number, number>();

  /** @param slotBytes the largest request, with the gaps between its segments */
  constructor(backend: BlockBackend, slotBytes: number) {
    this.backend = backend;
    this.#slotBytes = slotBytes;
    this.#memory = makeMemory(slotBytes * backend.depth);
    this.#vectors = makeMemory(VECTORS_MAX * IOVEC_BYTES * backend.depth);
    // Smaller than the depth: what does not fit comes with the next reap.
    const most = Math.max(1, backend.depth >> 1);
    this.#completions = { tags: new Int32Array(most), results: new Int32Array(most) };
  }

  /** The memory of a tag's request. */
  slot(tag: number): Uint8Array {
    return this.#memory.bytes.subarray(tag * this.#slotBytes, (tag + 1) * this.#slotBytes);
  }

  prepare(tag: number, request: Request): void {
    const { operation, offset, length, segments = [length], unmap = false, data } = request;
    const view = new DataView(
      this.#vectors.bytes.buffer,
      this.#vectors.bytes.byteOffset + tag * VECTORS_MAX * IOVEC_BYTES,
    );
    const slot = this.slot(tag);
    if (data === undefined) slot.fill(0xa5);
    else slot.set(data);
    let at = 0;
    for (const [index, segment] of segments.entries()) {
      const address = this.#memory.address + tag * this.#slotBytes + at;
      view.setBigUint64(index * IOVEC_BYTES, BigInt(address), true);
      view.setBigUint64(index * IOVEC_BYTES + 8, BigInt(segment), true);
      at += segment;
    }
    const vectors = this.#vectors.address + tag * VECTORS_MAX * IOVEC_BYTES;
    this.backend.prepare(operation, tag, offset, vectors, segments.length, length, unmap);
  }

  /** Reaps once, without waiting. */
  reap(): number {
    const count = this.backend.reap(this.#completions);
    for (let index = 0; index < count; index++) {
      const tag = this.#completions.tags[index] ?? -1;
      if (this.#results.has(tag)) throw new Error(`tag ${tag} completed twice`);
      this.#results.set(tag, this.#completions.results[index] ?? 0);
    }
    return count;
  }

  /** Waits for everything in flight. @returns the results by tag */
  drain(): Map<number, number> {
    const end = performance.now() + WAIT_MS;
    for (;;) {
      this.reap();
      if (this.backend.inFlight === 0) break;
      if (performance.now() > end) throw new Error(`${this.backend.inFlight} never completed`);
      this.backend.wait(10_000);
    }
    const results = new Map(this.#results);
    this.#results.clear();
    return results;
  }

  /** All of them at a time; their tags are their indices. */
  runAll(requests: readonly Request[]): number[] {
    for (const [tag, request] of requests.entries()) this.prepare(tag, request);
    this.backend.submit();
    const results = this.drain();
    return requests.map((_, tag) => results.get(tag) ?? Number.NaN);
  }

  run(request: Request): number {
    return this.runAll([request])[0] ?? Number.NaN;
  }

  write(offset: number, data: Uint8Array): number {
    return this.run({ operation: BlockOperation.WRITE, offset, length: data.length, data });
  }

  read(offset: number, length: number): Uint8Array {
    const result = this.run({ operation: BlockOperation.READ, offset, length });
    return this.slot(0).slice(0, Math.max(result, 0));
  }
}
