/** Collects what a guest wrote to captured streams; the worker has limited its size already. */
export class OutputCollector {
  readonly #chunks: Record<1 | 2, Uint8Array[]> = { 1: [], 2: [] };

  add(fd: 1 | 2, bytes: Uint8Array): void {
    this.#chunks[fd].push(bytes);
  }

  /** All bytes of one stream, in order. */
  take(fd: 1 | 2): Uint8Array {
    const chunks = this.#chunks[fd];
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
